"""Why feeds are not healthy, in sentences for people; what to do is in the runbook."""

from typing import Final

from arbplatform.core.errors import ArbError, Message
from arbplatform.core.texts import phrase
from markets.domain.live_book import BookFault
from markets.gateway.ccxt_stream import Astray

NOT_YET: Final = Message("There has been no book yet.")
WAITING: Final = Message("The connection stands; the book is on its way.")
EMPTY: Final = Message("The venue shows an empty book.")
FROZEN: Final = Message("The stream said nothing although the market has moved.")
SILENT: Final = Message("The connection said nothing for too long.")
UNKNOWN_MARKET: Final = Message("The venue has no such market.")
RESTING: Final = Message(
    "Its books broke too often within an hour: it is left alone for ten minutes."
)
NO_PROOF: Final = Message(
    "The connection is silent: nothing proves that the book is still current."
)
POLLED_TOO_OLD: Final = Message("The book is read over REST, and the last one is too old.")
CLOSED: Final = Message("The feed was closed.")
NO_SNAPSHOT: Final = Message("The snapshot could not be read.")
NO_ADDRESS: Final = Message(
    "The venue's streams have no address of their own: set its WebSocket origin."
)
NO_ANSWER: Final = Message("No connection came about within the time limit.")


def refused(cause: str) -> Message:
    """Return the sentence about a subscription that the venue has not accepted."""
    return Message("The venue refuses the subscription: {cause}.", {"cause": phrase(cause)})


def broken(fault: BookFault) -> Message:
    """Return the sentence about a book that cannot be true."""
    return Message("The book is {fault}.", {"fault": fault.value})


def failed(error: Exception) -> Message:
    """Return the sentence about a connection that did not come about or broke off."""
    if isinstance(error, ArbError):
        return error.message
    if isinstance(error, Astray):
        return NO_ADDRESS
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    return Message("The connection failed: {cause}.", {"cause": type(error).__name__})
