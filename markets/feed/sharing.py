"""Passes live books and the states of feeds on to other processes, without being in the way.

The loop only notes what has changed. Now and then a thread writes what was noted, one round after
the other: while a round takes long, books change meanwhile and only the newest is written. Nothing
depends on it: without Redis the others ask the venues.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from math import inf
from typing import Final, NamedTuple, Protocol

from redis.exceptions import RedisError

from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.live_book import LiveBook
from markets.feed.ages import Ages
from markets.feed.store import RENEW_MS, BookRow, BookStore, Key, row_of

logger = logging.getLogger(__name__)

ROUND_S: Final = 0.02
"""Between two rounds, at least [s]."""
EVERY_MS: Final = 100
"""A book is written so often at most [ms]."""
ROWS_MAX: Final = 100
"""Books of one round: copying them keeps the loop for half a millisecond."""
TELL_MS: Final = 250
"""Signs of life are passed on so often, besides with every round [ms]."""
PAUSE_S: Final = 1.0
"""How long Redis is left alone after it has failed [s]."""


class Shared(Protocol):
    """Feeds as they are here."""

    def statuses(self) -> Sequence[FeedStatus]:
        """Return the state of every feed."""
        ...

    def book(self, venue: str, symbol: str) -> LiveBook | None:
        """Return a book that may be decided upon."""
        ...

    def quietest_at_ms(self) -> Mapping[str, float]:
        """Return, by venue, the sign of life of the quietest connection [ms, steady clock]."""
        ...


class Round(NamedTuple):
    """What is passed on at once.

    Attributes:
        rows: books.
        changed: since when each of them was to be written [ms, the steady clock].
        gone: books whose gates have closed.
        statuses: of feeds.
        forgotten: feeds that are not followed any more.
        alive_at_ms: by venue, up to when the books that are written say everything [ms since
            epoch].
        now_ms: the present moment [ms since epoch].
    """

    rows: list[BookRow]
    changed: dict[Key, float]
    gone: list[Key]
    statuses: list[FeedStatus]
    forgotten: list[Key]
    alive_at_ms: dict[str, int]
    now_ms: int


class Sharing:
    """Passes on what the feeds of one engine are told. All but ``_write`` runs on the loop.

    Args:
        store: where to.
        feeds: what is passed on.
        origins: by venue, a digest of how it is reached.
        shown: is told of each round that was written, in the thread.
        ages: the clocks of the feeds.
    """

    def __init__(
        self,
        store: BookStore,
        feeds: Shared,
        *,
        origins: Callable[[], Mapping[str, str]],
        shown: Callable[[Round], None],
        ages: Ages,
    ) -> None:
        self._store = store
        self._feeds = feeds
        self._origins = origins
        self._shown = shown
        self._ages = ages
        self._changed: dict[Key, float] = {}  # since when it is to be written
        self._gone: dict[Key, None] = {}
        self._states: dict[Key, FeedStatus] = {}
        self._forgotten: dict[Key, None] = {}
        self._written_ms: dict[Key, float] = {}
        self._told_ms = -inf
        self._renewed_ms = -inf
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sharing")
        self._task = asyncio.get_running_loop().create_task(self._run())

    def book_changed(self, book: LiveBook) -> None:
        """Note that a book is to be written."""
        self._changed.setdefault((book.venue, book.symbol), self._ages.now_ms())

    def feed_changed(self, status: FeedStatus) -> None:
        """Note a state; a book whose gate has closed is taken away."""
        key = status.venue, status.symbol
        self._states[key] = status
        if status.state is FeedState.HEALTHY:
            self._gone.pop(key, None)
            self._changed.setdefault(key, self._ages.now_ms())
        else:
            self._changed.pop(key, None)
            self._gone[key] = None

    def forget(self, keys: Sequence[Key]) -> None:
        """Note that feeds are not followed any more."""
        for key in keys:
            self._states.pop(key, None)
            self._changed.pop(key, None)
            self._written_ms.pop(key, None)
            self._forgotten[key] = None

    async def close(self) -> None:
        """Take away what was passed on, and end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.forget([(status.venue, status.symbol) for status in self._feeds.statuses()])
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._write, self._next(self._ages.now_ms()))
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(ROUND_S)
            now_ms = self._ages.now_ms()
            self._note_due(now_ms)
            if not self._has_news(now_ms):
                continue
            this = self._next(now_ms)
            if not await loop.run_in_executor(self._thread, self._write, this):
                self._note_again(this)
                await asyncio.sleep(PAUSE_S)

    def _note_again(self, this: Round) -> None:
        """Note what Redis did not take: a book of before must not be confirmed by later rounds."""
        self._gone.update(dict.fromkeys(this.gone))
        self._forgotten.update(dict.fromkeys(this.forgotten))
        for key, since_ms in this.changed.items():
            self._changed[key] = min(since_ms, self._changed.get(key, since_ms))
        for status in this.statuses:
            self._states.setdefault((status.venue, status.symbol), status)

    def _note_due(self, now_ms: float) -> None:
        """Note everything again from time to time, so that what is quiet does not expire."""
        if now_ms - self._renewed_ms < RENEW_MS:
            return
        self._renewed_ms = now_ms
        for status in self._feeds.statuses():
            key = status.venue, status.symbol
            self._states[key] = status
            if status.state is FeedState.HEALTHY:
                self._changed.setdefault(key, now_ms)

    def _has_news(self, now_ms: float) -> bool:
        if self._gone or self._states or self._changed or self._forgotten:
            return True
        return now_ms - self._told_ms >= TELL_MS

    def _next(self, now_ms: float) -> Round:
        """Collect a round; books are copied here, where they may be touched."""
        self._told_ms = now_ms
        origins = self._origins()
        due = [
            key
            for key in self._changed
            if now_ms - self._written_ms.get(key, -inf) >= EVERY_MS and key[0] in origins
        ]
        rows: list[BookRow] = []
        changed: dict[Key, float] = {}
        for key in islice(due, ROWS_MAX):
            changed[key] = self._changed.pop(key)
            book = self._feeds.book(*key)
            if book is not None:
                self._written_ms[key] = now_ms
                rows.append(row_of(book, origins[key[0]]))
        states, self._states = list(self._states.values()), {}
        gone, self._gone = list(self._gone), {}
        forgotten, self._forgotten = list(self._forgotten), {}
        return Round(
            rows, changed, gone, states, forgotten, self._alive_at_ms(), self._ages.wall_ms()
        )

    def _alive_at_ms(self) -> dict[str, int]:
        """Return, by venue, up to when the books that are written say everything."""
        alive_at_ms = dict(self._feeds.quietest_at_ms())
        for (venue, _), since_ms in self._changed.items():
            if since_ms <= alive_at_ms.get(venue, -inf):
                alive_at_ms[venue] = since_ms - 1
        return {venue: self._ages.to_wall_ms(at_ms) for venue, at_ms in alive_at_ms.items()}

    def _write(self, this: Round) -> bool:
        """Write a round, in the thread; return whether Redis took it."""
        try:
            self._store.write_many(
                this.rows,
                gone=this.gone,
                alive_at_ms=this.alive_at_ms,
                statuses=this.statuses,
                now_ms=this.now_ms,
            )
            if this.forgotten:
                self._store.forget(this.forgotten)
        except (RedisError, OSError) as error:
            logger.warning("Live books are not passed on, Redis is away: %s", error)
            return False
        try:
            self._shown(this)
        except Exception:
            logger.exception("Live books could not be published")
        return True
