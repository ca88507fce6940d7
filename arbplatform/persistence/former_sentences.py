"""Sentences that are said no more, but which rows hold: here, so that they stay translated.

What is kept of an error is its template, by which the catalogue is asked. When the words of one
change, and rows may hold the old ones, those go here.
"""

from typing import Final

from arbplatform.core.errors import Message

FORMER: Final = (
    # 4008
    Message(
        "Trading is {state} for {scope}: {reason} Nothing was sent. "
        "Resume it when the cause is gone."
    ),
    # 4072
    Message(
        "Trading is {state} for {scope}: {reason}. Nothing was sent. It goes on by itself when the "
        "cause is gone."
    ),
    # 5020
    Message(
        "The book of {symbol} on {venue} is not decided on, since its feed is {state}: {reason}. "
        "It is read anew by itself; if that lasts, look at the page of the feeds."
    ),
)
