"""The books that a venue shows: the true ones, old ones, or crossed ones."""

from typing import NamedTuple

from markets.simulator.exchange.listing import Listing
from markets.simulator.faults.config import FaultConfig
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import FaultPlan, Thing

LEVELS_KEPT_MAX = 5_000
_ONE_BPS_INVERSE = 10_000


class ShownBook(NamedTuple):
    """What is told of a book.

    Attributes:
        changes: its sequence number.
        bids, asks: price [ticks] and quantity [lots], best first.
    """

    changes: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class ShownBooks:
    """How one venue shows its books.

    Args:
        plan: says what is wrong with them.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._kept: dict[str, tuple[FaultConfig, ShownBook]] = {}

    def look(self, listing: Listing, limit: int) -> ShownBook:
        """Return up to ``limit`` levels of each side, as a client is told."""
        if not self._plan.is_armed:
            return _present(listing, limit)
        if self.is_stale(listing) or self._is_old(listing):
            _, kept = self._kept[listing.id]
            return ShownBook(kept.changes, kept.bids[:limit], kept.asks[:limit])
        book = _present(listing, limit)
        crossing = self.crossing_bid(listing)
        if crossing is None:
            return book
        return ShownBook(book.changes, [crossing, *book.bids][:limit], book.asks)

    def keep(self, listing: Listing) -> None:
        """Keep the present book if it is to stand still; nobody was shown it yet."""
        for kind in (FaultKind.STALE_BOOK, FaultKind.OLD_SNAPSHOT):
            fault = self._plan.shows(kind, Thing(market_id=listing.id))
            if fault is not None:
                self._keep_for(fault, listing)
                return

    def _keep_for(self, fault: FaultConfig, listing: Listing) -> None:
        kept = self._kept.get(listing.id)
        if kept is None or kept[0] is not fault:
            self._kept[listing.id] = fault, _present(listing, LEVELS_KEPT_MAX)

    def is_stale(self, listing: Listing) -> bool:
        """Return whether the book that is shown stands still; from the first time on it is kept."""
        if not self._plan.is_armed:
            return False
        fault = self._plan.state(FaultKind.STALE_BOOK, Thing(market_id=listing.id))
        if fault is not None:
            self._keep_for(fault, listing)
        return fault is not None

    def _is_old(self, listing: Listing) -> bool:
        """Return whether the book is read as it was; from the first time on it is kept."""
        fault = self._plan.state(FaultKind.OLD_SNAPSHOT, Thing(market_id=listing.id))
        if fault is not None:
            self._keep_for(fault, listing)
        return fault is not None

    def crossing_bid(self, listing: Listing) -> tuple[int, int] | None:
        """Return the false best bid [ticks, lots] of a crossed book; ``None`` for a true one."""
        if not self._plan.is_armed:
            return None
        fault = self._plan.state(FaultKind.CROSSED_BOOK, Thing(market_id=listing.id))
        ask, bid = listing.book.asks.best(), listing.book.bids.best()
        if fault is None or ask is None:
            return None
        above = -(-ask[0] * (_ONE_BPS_INVERSE + fault.bps) // _ONE_BPS_INVERSE)
        return max(above, ask[0] + 1), (bid or ask)[1]


def _present(listing: Listing, limit: int) -> ShownBook:
    book = listing.book
    return ShownBook(book.changes, book.bids.depth(limit), book.asks.depth(limit))
