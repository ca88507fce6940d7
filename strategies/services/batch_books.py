"""Books for many strategies at once: each market is asked for once, however many look at it.

A batch of ticks does not wait for a venue as long as it has books that are young enough to judge
by; while it uses them, newer ones are fetched beside it. What such a book cannot do is lead to an
order: a strategy that wants to trade takes the full way, and that one fetches its own books.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError, Message
from markets.domain.book import Book
from markets.errors import VenueUnavailable
from markets.gateway.venue_threads import VenueThreads
from markets.models import Market
from markets.services.data import BOOKS_MAX, fetch_books
from strategies.sdk import MarketKey
from strategies.services.decisions import BookFailure

FETCHES_MAX = 8
"""Requests for books of one venue that run at the same time."""
REUSE_MS = 500
"""An answer this old is asked for again, at the latest [ms]."""
WAIT_S = 0.5
"""Longest wait for books that are missing or too old [s]."""
KEPT_MAX = 20_000
"""Markets whose last answer is kept; those that were not asked for longest are dropped."""


@dataclass(slots=True)
class _Answer:
    """What is known of one market's book.

    Attributes:
        book: the newest; ``None`` before the first one, and after a failure.
        error: why there is none.
        depth: levels of each side that were asked for.
        at_ms: when it was answered, on the monotonic clock [ms].
        used_ms: when somebody last wanted it, likewise [ms].
        pending: the request that runs.
    """

    book: Book | None = None
    error: ArbError | None = None
    depth: int = 0
    at_ms: float = float("-inf")
    used_ms: float = 0.0
    pending: "Future[None] | None" = None


@dataclass(frozen=True, slots=True)
class Collection:
    """Books that are there, and why others are not.

    Attributes:
        books: the same objects for everybody who asks at about the same time.
        failures: every asked market is in one of the two.
    """

    books: dict[MarketKey, Book] = field(default_factory=dict)
    failures: dict[MarketKey, BookFailure] = field(default_factory=dict)


class BatchBooks:
    """The newest books of all markets that batches of this process look at.

    Args:
        clock: tells the time.
        kept_max: markets at most.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, kept_max: int = KEPT_MAX) -> None:
        self._clock = clock
        self._kept_max = kept_max
        self._lock = Lock()
        self._answers: dict[MarketKey, _Answer] = {}
        self._threads = VenueThreads(FETCHES_MAX, "batch-books")

    def collect(
        self, wanted: Mapping[MarketKey, Market], *, depth: int, reuse_ms: float = REUSE_MS
    ) -> Collection:
        """Return the books of ``wanted``, none of them much older than twice ``reuse_ms``.

        Args:
            wanted: markets of enabled venues.
            depth: levels of each side, at most.
            reuse_ms: answers older than this are asked for again [ms].
        """
        now_ms = self._clock.monotonic_ms()
        with self._lock:
            answers = {key: self._answers.setdefault(key, _Answer()) for key in wanted}
            stale = []
            for key, answer in answers.items():
                answer.used_ms = now_ms
                is_old = now_ms - answer.at_ms > reuse_ms or answer.depth < depth
                if is_old and answer.pending is None:
                    stale.append(key)
            self._ask({key: wanted[key] for key in stale}, depth)
            awaited = {
                answer.pending
                for answer in answers.values()
                if answer.pending is not None
                and (now_ms - answer.at_ms > 2 * reuse_ms or answer.depth < depth)
            }
            self._forget_some(now_ms)
        wait(awaited, timeout=WAIT_S)
        return self._report(answers, oldest_ms=now_ms - 2 * reuse_ms)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._answers.clear()

    def _ask(self, stale: Mapping[MarketKey, Market], depth: int) -> None:
        by_venue: dict[str, list[MarketKey]] = {}
        for key in stale:
            by_venue.setdefault(key.venue, []).append(key)
        for venue, keys in by_venue.items():
            for start in range(0, len(keys), BOOKS_MAX):
                chunk = [(key, stale[key]) for key in keys[start : start + BOOKS_MAX]]
                # who wants less must not take the deeper books away from who wants more
                deepest = max(depth, *(self._answers[key].depth for key, _market in chunk))
                pending = self._threads.submit(venue, partial(self._fetch, chunk, deepest))
                for key, _market in chunk:
                    self._answers[key].pending = pending

    def _fetch(self, chunk: Sequence[tuple[MarketKey, Market]], depth: int) -> None:
        """Run in a thread: ask one venue; no query is made."""
        report = None
        try:
            report = fetch_books([(market.venue, market.symbol) for _key, market in chunk], depth)
        finally:
            now_ms = self._clock.monotonic_ms()
            with self._lock:
                for key, _market in chunk:
                    answer = self._answers.get(key)
                    if answer is None:
                        continue
                    answer.pending = None
                    if report is not None:
                        answer.book = report.books.get(key)
                        answer.error = report.errors.get(key)
                        answer.depth, answer.at_ms = depth, now_ms

    def _report(self, answers: Mapping[MarketKey, _Answer], oldest_ms: float) -> Collection:
        found = Collection()
        with self._lock:
            for key, answer in answers.items():
                if answer.at_ms < oldest_ms:
                    cause = Message("no answer within the time limit")
                    late = VenueUnavailable(venue=key.venue, cause=cause)
                    found.failures[key] = BookFailure(key, late)
                elif answer.book is not None:
                    found.books[key] = answer.book
                elif answer.error is not None:
                    found.failures[key] = BookFailure(key, answer.error)
        return found

    def _forget_some(self, now_ms: float) -> None:
        excess = len(self._answers) - self._kept_max
        if excess <= 0:
            return
        idle = (
            key
            for key, answer in self._answers.items()
            if answer.pending is None and answer.used_ms < now_ms
        )
        for key in _first(sorted(idle, key=lambda key: self._answers[key].used_ms), excess):
            del self._answers[key]


def _first(keys: Iterable[MarketKey], count: int) -> list[MarketKey]:
    return [key for key, _number in zip(keys, range(count), strict=False)]


BOOKS = BatchBooks()
