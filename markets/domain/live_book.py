"""The order book of one market as it changes, kept exact and read fast.

The floats of a live book only nominate: whatever is decided, sized or sent is computed on the
exact :class:`~markets.domain.book.Book` that :meth:`LiveBook.to_book` makes of it.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from functools import partial
from math import inf

from markets.domain.book import Book, Level, Look
from markets.domain.book_side import UNREADABLE, AmbiguousPrice, BookSide, WireLevel

_NEW_LEVEL = partial(tuple.__new__, Level)
"""``Level._make`` without its call of Python: two sides of 20 levels for each decision."""

_Told = tuple[int, int | None, int | None, int | None, Look | None]
"""What is told about a book besides its levels, in the order of ``Book``."""

DEPTH_MAX = 1_000
"""Levels kept of each side, unless a feed asks for others."""


class BookFault(StrEnum):
    """Why a book cannot be true, or says too little to decide upon."""

    EMPTY = "empty"
    """Neither side has a level."""
    EXHAUSTED = "exhausted"
    """A side was known down to some price only, and all of that has gone."""
    CROSSED = "crossed"
    """The best bid is above the best ask."""
    LOCKED = "locked"
    """The best bid equals the best ask."""
    UNSORTED = "unsorted"
    """The levels of a snapshot were out of order, or one came twice."""
    MALFORMED = "malformed"
    """A price or a quantity was not a number, or negative."""
    AMBIGUOUS = "ambiguous"
    """Two prices of a side differ by less than a float can tell."""


class LiveBook:
    """Bids and asks of one market; touched by one thread only.

    Args:
        venue: code of the venue.
        symbol: unified symbol.
        depth_max: levels kept of each side.
        is_refilled: whether the venue sends a level again that moves back into ``depth_max``.
        tick: smallest difference of two prices [quote per base]; 0.0: not known. With it, the best
            level of a side whose snapshot was too short is known again sooner.

    Attributes:
        bids: best first.
        asks: best first.
        version: grows with every change that was taken in.
        best_bid: [quote per base]; 0.0 without a bid.
        best_bid_quantity: [base].
        best_ask: [quote per base]; 0.0 without an ask.
        best_ask_quantity: [base].
        received_at_ms: when the last message came, or its connection gave a sign of life [ms since
            epoch, our clock].
        venue_time_ms: when the venue made the last change [ms since epoch, its clock].
        sequence: the venue's own number of this state.
        heard_at_ms: when the venue last told something about this market; ``None``: nobody noted
            it [ms since epoch, our clock].
        look: the newest answer over REST that shows this very book, if there is one.
    """

    __slots__ = (
        "_broken",
        "_exact",
        "asks",
        "best_ask",
        "best_ask_quantity",
        "best_bid",
        "best_bid_quantity",
        "bids",
        "heard_at_ms",
        "look",
        "received_at_ms",
        "sequence",
        "symbol",
        "tick",
        "venue",
        "venue_time_ms",
        "version",
    )

    def __init__(
        self,
        venue: str,
        symbol: str,
        *,
        depth_max: int = DEPTH_MAX,
        is_refilled: bool = False,
        tick: float = 0.0,
    ) -> None:
        self.venue = venue
        self.symbol = symbol
        self.bids = BookSide(-1.0, depth_max=depth_max, is_refilled=is_refilled)
        self.asks = BookSide(1.0, depth_max=depth_max, is_refilled=is_refilled)
        self.tick = tick
        self.version = 0
        self.best_bid = self.best_bid_quantity = 0.0
        self.best_ask = self.best_ask_quantity = 0.0
        self.received_at_ms = 0
        self.venue_time_ms: int | None = None
        self.sequence: int | None = None
        self.heard_at_ms: int | None = None
        self.look: Look | None = None
        self._broken: BookFault | None = None
        self._exact: tuple[tuple[int, int], _Told, Book] | None = None

    def replace(
        self,
        bids: Sequence[WireLevel],
        asks: Sequence[WireLevel],
        *,
        received_at_ms: int,
        venue_time_ms: int | None = None,
        sequence: int | None = None,
        limit: int | None = None,
    ) -> None:
        """Take a snapshot in place of everything known so far.

        Args:
            bids: best first, price and quantity as the venue wrote them.
            asks: best first.
            received_at_ms: [ms since epoch, our clock].
            venue_time_ms: [ms since epoch, the venue's clock].
            sequence: the venue's own number of this state.
            limit: how many levels of a side the snapshot can have at most, when the venue will
                not tell of the levels behind it once they come closer.
        """
        self._broken = None
        try:
            bids_in_order = self.bids.load(bids, limit=limit)
            asks_in_order = self.asks.load(asks, limit=limit)
        except UNREADABLE:
            self._broken = BookFault.MALFORMED
        else:
            if not (bids_in_order and asks_in_order):
                self._broken = BookFault.UNSORTED
        self._changed(received_at_ms, venue_time_ms, sequence)

    def apply(
        self,
        bids: Sequence[WireLevel],
        asks: Sequence[WireLevel],
        *,
        received_at_ms: int,
        venue_time_ms: int | None = None,
        sequence: int | None = None,
    ) -> None:
        """Take in a difference: new quantities by price, 0 for a level that is gone.

        Args:
            bids: price and quantity as the venue wrote them, in any order.
            asks: likewise.
            received_at_ms: [ms since epoch, our clock].
            venue_time_ms: [ms since epoch, the venue's clock].
            sequence: the venue's own number of this state.
        """
        try:
            if bids:
                self.bids.change(bids)
            if asks:
                self.asks.change(asks)
        except UNREADABLE:
            self._broken = BookFault.MALFORMED
        except AmbiguousPrice:
            self._broken = BookFault.AMBIGUOUS
        self._changed(received_at_ms, venue_time_ms, sequence)

    def confirm(
        self, received_at_ms: int, sequence: int | None = None, venue_time_ms: int | None = None
    ) -> None:
        """Take a message that changes nothing.

        Args:
            received_at_ms: when it came [ms since epoch, our clock].
            sequence: the number of the state that is the same as ours; ``None``: no new one.
            venue_time_ms: when the venue made the message; ``None``: it does not say [ms since
                epoch, its clock].
        """
        self.received_at_ms = received_at_ms
        if sequence is not None:
            self.sequence = sequence
        if venue_time_ms is not None:
            self.venue_time_ms = venue_time_ms

    def date(self, received_at_ms: int, heard_at_ms: int | None, look: Look | None) -> None:
        """Note what proves that the book is current, as our clock counts now.

        A clock that was set back makes moments earlier that were noted before.

        Args:
            received_at_ms: last sign of life of the connection [ms since epoch].
            heard_at_ms: when the venue last told something about this market [ms since epoch].
            look: newest answer over REST that shows this very book.
        """
        self.received_at_ms, self.heard_at_ms, self.look = received_at_ms, heard_at_ms, look

    def clear(self) -> None:
        """Forget the book: what is known of it is no longer true."""
        self.bids.clear()
        self.asks.clear()
        self._broken = None
        self._changed(self.received_at_ms, None, None)

    def fault(self) -> BookFault | None:
        """Return why the book must not be used, if there is a reason.

        A book with one side only is not at fault: its best price is 0.0 on the other side.
        """
        if self._broken is not None:
            return self._broken
        bids, asks = self.bids.keys, self.asks.keys
        if bids and asks and bids[0] + asks[0] <= 0.0:
            return BookFault.CROSSED if bids[0] + asks[0] < 0.0 else BookFault.LOCKED
        if self.best_bid and self.best_ask:
            return None
        for best, side in ((self.best_bid, self.bids), (self.best_ask, self.asks)):
            if not best and side.horizon < inf:
                return BookFault.EXHAUSTED
        return None if bids or asks else BookFault.EMPTY

    def is_short_of(self, depth: int) -> bool:
        """Return whether a side knows fewer than ``depth`` levels although there may be more.

        A new snapshot helps. A side that is known to the end is never short.
        """
        return any(len(side) < depth and side.horizon < inf for side in (self.bids, self.asks))

    def to_book(self, depth: int) -> Book:
        """Return the best ``depth`` levels of each side, exact; made once for each version."""
        exact, depth_and_version = self._exact, (depth, self.version)
        told = (
            *(self.received_at_ms, self.venue_time_ms, self.sequence),
            *(self.heard_at_ms, self.look),
        )
        if exact is None or exact[0] != depth_and_version:
            bids, asks = _exact_levels(self.bids.top(depth)), _exact_levels(self.asks.top(depth))
        elif exact[1] == told:
            return exact[2]
        else:
            bids, asks = exact[2].bids, exact[2].asks
        book = Book(self.venue, self.symbol, bids, asks, *told)
        self._exact = (depth_and_version, told, book)
        return book

    def _changed(
        self, received_at_ms: int, venue_time_ms: int | None, sequence: int | None
    ) -> None:
        self.version += 1
        self.received_at_ms = received_at_ms
        self.venue_time_ms = venue_time_ms
        self.sequence = sequence
        bids, asks = self.bids, self.asks
        if bids.horizon < inf or asks.horizon < inf:
            bids.learn(asks, self.tick)
            asks.learn(bids, self.tick)
        if bids.keys and bids.keys[0] <= bids.horizon:
            self.best_bid = -bids.keys[0]
            self.best_bid_quantity = float(bids.quantities[0])
        else:
            self.best_bid = self.best_bid_quantity = 0.0
        if asks.keys and asks.keys[0] <= asks.horizon:
            self.best_ask = asks.keys[0]
            self.best_ask_quantity = float(asks.quantities[0])
        else:
            self.best_ask = self.best_ask_quantity = 0.0


def _exact_levels(wire: Sequence[tuple[str, str]]) -> tuple[Level, ...]:
    return tuple([_NEW_LEVEL((Decimal(price), Decimal(quantity))) for price, quantity in wire])
