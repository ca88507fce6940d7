"""Sentences that are said no more, but which rows hold: here, so that they stay translated.

What is kept of an error is its template, by which the catalogue is asked. When the words of one
change, and rows may hold the old ones, those go here.
"""

from typing import Final

from arbplatform.core.errors import Message

FORMER: Final = (
    # 3015
    Message("The address {entry} is {state}: {reason}. If it is right after all, propose it anew."),
    # 4007
    Message(
        "The books of {account} are not opened yet: its balances could not be read. "
        "Test its connection and try again."
    ),
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
    # 4073
    Message(
        "Ended by {author}, since it never came to be: {note}. Its client id is that of another "
        "order at the venue, {id}."
    ),
    # 5020
    Message(
        "The book of {symbol} on {venue} is not decided on, since its feed is {state}: {reason}. "
        "It is read anew by itself; if that lasts, look at the page of the feeds."
    ),
    # reasons against an intent
    Message("The order book of {symbol} from {venue} is {value} ms old; {limit} ms are allowed."),
    Message("The order books of the legs are {value} ms apart; {limit} ms are allowed."),
    # log lines
    Message(
        "{user} has ended order {order_id}, since it never came to be: {note}. Its client id "
        "{client_order_id} is that of another order at the venue, {venue_order_id}."
    ),
    Message(
        "The books say that the {wallet} wallet holds {booked} {asset}; the venue states {stated}, "
        "which is {gap} more. Nothing was booked."
    ),
    Message(
        "The fee {fee} {asset} of trade {trade_id} is more than 2 % of what was traded. It is "
        "booked; check the account's fee level at the venue."
    ),
    # why a residual was closed in this way
    Message("Completing at break-even or better: a loss of {loss} bps."),
)
