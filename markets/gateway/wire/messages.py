"""What the messages about order books of all venues are read into."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, TypeAlias

from markets.domain.book_side import UNREADABLE, WireLevel
from markets.domain.live_book import LiveBook


class BookKind(Enum):
    """Whether a message holds the whole book or what changed."""

    SNAPSHOT = auto()
    DELTA = auto()


class BookMessage(NamedTuple):
    """One message about one book, as the venue wrote it.

    Attributes:
        symbol_id: the venue's name of the market.
        kind: whole book or difference.
        previous: number of the state that it changes, where the venue says it or it follows.
        last: number of the state afterwards; ``None`` where the venue counts nothing.
        bids: price and quantity, both strings; what a venue adds to a level comes behind.
        asks: likewise.
        venue_time_ms: when the venue made it [ms since epoch, its clock].
        checksum: over the state afterwards, where the venue sends one.
        limit: at how many levels a snapshot was cut, where the venue will not tell of the levels
            behind it.
    """

    symbol_id: str
    kind: BookKind
    previous: int | None
    last: int | None
    bids: Sequence[WireLevel]
    asks: Sequence[WireLevel]
    venue_time_ms: int | None = None
    checksum: int | None = None
    limit: int | None = None


class Step(Enum):
    """How a message stands to the state before it."""

    NEXT = auto()
    """It follows: nothing lies between."""
    OLD = auto()
    """Everything in it is known already."""
    GAP = auto()
    """Something is missing before it."""


Decoded: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[int | None, BookMessage], Step]
"""From the number of a state and a message to how the message stands to it."""


@dataclass(frozen=True, slots=True)
class WireBook:
    """How one venue tells of its order books.

    Attributes:
        decode: from a frame's text to Python values, with every price still the venue's digits.
            Raises ``ValueError`` for what is no JSON.
        read: the books in a decoded message, none if it tells of something else. May raise one of
            ``UNREADABLE``.
        read_snapshot: the book in the decoded body of a REST answer, from the body, the venue's
            name of the market and how many levels were asked for; ``None``: the venue sends
            snapshots over the stream.
        rule: what follows what.
        checksum: of a book as we have it; ``None``: the venue sends none.
        is_refilled: whether clients cut the book at the depth that they subscribed to.
    """

    decode: Callable[[str | bytes], Any]
    read: Callable[[Any], Sequence[BookMessage]]
    rule: Rule
    read_snapshot: Callable[[Decoded, str, int], BookMessage] | None = None
    checksum: Callable[[LiveBook], int] | None = None
    is_refilled: bool = False


__all__ = [
    "UNREADABLE",
    "BookKind",
    "BookMessage",
    "Decoded",
    "Rule",
    "Step",
    "WireBook",
]
