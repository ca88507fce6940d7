"""Up to when a book is known to be what its venue shows, and what proves it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from arbplatform.core.errors import Message
from markets.domain.book import Book


class ProvenBy(StrEnum):
    """What proves a book."""

    READ = "read"
    """It was asked for as it is."""
    STREAM = "stream"
    """The venue told something about the market by itself."""
    LOOK = "look"
    """The market was quiet, and an answer over REST showed the same."""


SENTENCES: Final[Mapping[ProvenBy, Message]] = {
    ProvenBy.READ: Message("it was read over REST"),
    ProvenBy.STREAM: Message("the stream of this market last said something"),
    ProvenBy.LOOK: Message("a look over REST showed the same"),
}


class Proof(NamedTuple):
    """The span in which a book is known to be true, by our clock.

    A book is true from its last change until something contradicts it. What is known of that span
    is this.

    Attributes:
        told_at_ms: when the venue told it, at the latest: from then on it is true [ms since epoch].
        proven_at_ms: up to when that is proven [ms since epoch].
        by: what proves it.
    """

    told_at_ms: int
    proven_at_ms: int
    by: ProvenBy


def proof_of(book: Book, offset_ms: int | None) -> Proof:
    """Return up to when a book is proven.

    A sign of life of a connection is no proof: a venue may stop the stream of one market alone.
    What the venue says of its own moments counts if it makes the book older.

    Args:
        book: of the venue.
        offset_ms: our clock minus the venue's; ``None``: not measured [ms].
    """
    is_live = book.heard_at_ms is not None
    told_at_ms = book.received_at_ms if book.heard_at_ms is None else book.heard_at_ms
    if book.venue_time_ms is not None and offset_ms is not None:
        told_at_ms = min(told_at_ms, book.venue_time_ms + offset_ms)
    looked_at_ms = None if book.look is None else book.look.proves_at_ms(offset_ms)
    if is_live and looked_at_ms is not None and looked_at_ms > told_at_ms:
        return Proof(told_at_ms, looked_at_ms, ProvenBy.LOOK)
    return Proof(told_at_ms, told_at_ms, ProvenBy.STREAM if is_live else ProvenBy.READ)
