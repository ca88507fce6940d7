"""What a process remembers of the strategies that it ticks in batches."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from markets.domain.book import Book
from markets.models import Market
from strategies.models import Strategy
from strategies.sdk import MarketKey, Nominator
from strategies.selectors import Stamps, list_strategies
from strategies.services.deciding import split_markets
from strategies.services.decisions import BookFailure
from strategies.services.setups import SETUPS, SETUPS_MAX, Setup
from strategies.services.shelves import SHELF, Listings, ShelfAt

logger = logging.getLogger(__name__)

NEVER_MS = float("-inf")
"""The moment of what has not happened yet, on the monotonic clock [ms]."""
MADE_TOGETHER = 50
"""Strategies that are read together to make their watches."""
SLOW_MS = 250.0
"""A strategy whose look takes longer is ticked by messages of its own for a while [ms]."""
SLOW_FOR_MS = 10_000
"""Then it is looked at in a batch again [ms]."""


@dataclass(slots=True)
class Watch:
    """One strategy of a batch, in one run.

    Attributes:
        run_id: of the run.
        setup: what it trades with.
        markets: those whose books may be asked for.
        disabled: the others.
        nominator: tells when to evaluate; ``None``: always.
        stamps: of its venues when the setup was made.
        seen: the books that the nominator was told of.
        hot: markets for which the nominator said yes since the last evaluation.
        explained_ms: when ``last_decision`` was last written, on the monotonic clock [ms].
        warned_ms: when a missing book was last logged, by cause, likewise [ms].
        slow_until_ms: until when it is ticked alone, for a look took too long, likewise [ms].
        lock: two batches must not look at it at the same time.
    """

    run_id: int
    setup: Setup
    markets: Mapping[MarketKey, Market]
    disabled: Sequence[BookFailure]
    nominator: Nominator | None
    stamps: Stamps
    seen: dict[MarketKey, Book] = field(default_factory=dict)
    hot: set[MarketKey] = field(default_factory=set)
    explained_ms: float = NEVER_MS
    warned_ms: dict[str, float] = field(default_factory=dict)
    slow_until_ms: float = NEVER_MS
    lock: Lock = field(default_factory=Lock)

    def may_trade(self, books: Mapping[MarketKey, Book]) -> bool:
        """Tell the nominator of new books; return whether an evaluation could find an intent.

        Args:
            books: of the markets that could be had.
        """
        nominator = self.nominator
        if nominator is None:
            return True
        seen = self.seen
        for key in self.markets:
            book = books.get(key)
            if book is seen.get(key):
                continue
            if book is None:
                nominator.drop(key)
                self.hot.discard(key)
                del seen[key]
                continue
            seen[key] = book
            bid, ask = book.best_bid, book.best_ask
            if nominator.update(
                key, float(bid.price) if bid else 0.0, float(ask.price) if ask else 0.0
            ):
                self.hot.add(key)
        return bool(self.hot)


class Watches:
    """The watches of one process; the one that was not used for longest is dropped first.

    Args:
        size_max: watches at most.
    """

    def __init__(self, size_max: int = SETUPS_MAX) -> None:
        self._size_max = size_max
        self._lock = Lock()
        self._known: OrderedDict[int, Watch] = OrderedDict()

    def find(self, runs: Mapping[int, int], stamps: Stamps) -> dict[int, Watch]:
        """Return the watches that still hold.

        Args:
            runs: open run by strategy.
            stamps: of all venues, now.
        """
        found = {}
        with self._lock:
            for strategy_id, run_id in runs.items():
                watch = self._known.get(strategy_id)
                if watch is None or watch.run_id != run_id:
                    continue
                if watch.stamps is not stamps and any(
                    stamps.get(code) != stamp for code, stamp in watch.stamps.items()
                ):
                    continue
                self._known.move_to_end(strategy_id)
                found[strategy_id] = watch
        return found

    def make(
        self,
        runs: Mapping[int, int],
        stamps: Stamps,
        is_time_left: Callable[[], bool],
    ) -> tuple[dict[int, Watch], list[int]]:
        """Return new watches, and the strategies that none can be made for.

        Args:
            runs: open run by strategy.
            stamps: of all venues, now.
            is_time_left: asked before each few; what is left out then is in neither.
        """
        made: dict[int, Watch] = {}
        odd = []
        listings = ShelfAt(SHELF, stamps)
        ids = list(runs)
        for start in range(0, len(ids), MADE_TOGETHER):
            if not is_time_left():
                break
            chunk = ids[start : start + MADE_TOGETHER]
            for strategy in list_strategies().filter(pk__in=chunk).order_by():
                watch = _make(strategy, runs[strategy.pk], stamps, listings)
                if watch is None:
                    odd.append(strategy.pk)
                else:
                    made[strategy.pk] = watch
        with self._lock:
            self._known.update(made)
            while len(self._known) > self._size_max:
                self._known.popitem(last=False)
        return made, odd

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()


def _make(strategy: Strategy, run_id: int, stamps: Stamps, listings: Listings) -> Watch | None:
    """Return the watch of a strategy; ``None``: a tick of its own will say what is wrong."""
    try:
        setup = SETUPS.get(strategy, run_id, listings)
        nominator = setup.plugin.nominator(setup.rules)
    except Exception:  # whatever a plugin raises: its own tick writes it down
        logger.debug("strategy %s is ticked alone", strategy.pk, exc_info=True)
        return None
    markets, disabled = split_markets(setup)
    return Watch(
        run_id=run_id,
        setup=setup,
        markets=markets,
        disabled=disabled,
        nominator=nominator,
        stamps=_only(stamps, setup.accounts),
    )


def _only(stamps: Stamps, codes: Iterable[str]) -> Stamps:
    return {code: stamps[code] for code in codes if code in stamps}


WATCHES = Watches()
