"""Looks over REST at quiet markets that strategies decide on, so that each has its own proof.

That a connection lives says nothing about the stream of one market on it. So a market that has
said nothing for a moment is looked at: if the answer shows the same book, that was true when the
answer was asked for, and no later than the venue made it. Whatever is in doubt proves nothing, and
the book grows old as if nobody had looked.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from enum import Enum, auto
from math import inf

from markets.domain.book import Book, Level
from markets.domain.book_side import BookSide
from markets.domain.feeds import FeedState
from markets.domain.live_book import LiveBook
from markets.feed.market import Agreement, MarketFeed
from markets.feed.pace import Backoff
from markets.feed.reader import RestReader
from markets.feed.timing import Timing
from markets.gateway.base import VenueSpec

logger = logging.getLogger(__name__)

DEPTH = 20
"""Levels of each side that are compared; at no venue do fewer cost less."""


class Finding(Enum):
    """What an answer says about a live book."""

    SAME = auto()
    """The book was true when the answer was made."""
    NOTHING = auto()
    """Nothing that would be certain."""
    MOVED = auto()
    """The market has other best prices."""


class Looks:
    """Looks at the quiet markets of one venue, one after the other.

    Args:
        spec: how to reach the venue.
        reader: reads over REST.
        timing: how long to wait for what.
        backoff: pauses after looks that failed.
        now_ms: reads the steady clock [ms].
        is_counted: whether books over REST and over the stream share their numbers.
        proven: is told of a book that was found true.
        doubted: is told of a feed whose market has moved, by REST.
        moved: is told the same when the stream still says nothing after a while.
        quiet: is told of a doubted feed whose market has not moved after all.
    """

    def __init__(
        self,
        spec: VenueSpec,
        reader: RestReader,
        *,
        timing: Timing,
        backoff: Backoff,
        now_ms: Callable[[], float],
        is_counted: bool,
        proven: Callable[[MarketFeed], None],
        doubted: Callable[[MarketFeed], None],
        moved: Callable[[MarketFeed], None],
        quiet: Callable[[MarketFeed], None],
    ) -> None:
        self._spec = spec
        self._reader = reader
        self._timing = timing
        self._backoff = backoff
        self._now_ms = now_ms
        self._is_counted = is_counted
        self._proven = proven
        self._doubted = doubted
        self._moved = moved
        self._quiet = quiet
        self._waiting: set[MarketFeed] = set()
        self._rests_until_ms = -inf
        self._task: asyncio.Task[None] | None = None

    def look(self, feeds: Sequence[MarketFeed], now_ms: float) -> None:
        """Have those of some feeds looked at that are quiet."""
        self._waiting.update(feed for feed in feeds if self._is_due(feed, now_ms))
        is_idle = self._task is None or self._task.done()
        if self._waiting and is_idle and now_ms >= self._rests_until_ms:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Look at nothing more."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _is_due(self, feed: MarketFeed, now_ms: float) -> bool:
        newest_ms = max(feed.said_at_ms, feed.looked_at_ms)
        is_quiet = now_ms - newest_ms >= self._timing.quiet_ms
        return is_quiet and feed.is_decided_on and feed.is_healthy

    async def _run(self) -> None:
        while (feed := self._next()) is not None:
            began_ms = self._now_ms()
            try:
                await self._look_at(feed)
            except Exception as error:  # noqa: BLE001  whatever it was: the book just grows old
                logger.info("%s: a quiet market was not looked at: %r", self._spec.code, error)
                self._waiting.clear()
                self._rests_until_ms = self._now_ms() + self._backoff.next_ms()
                return
            self._backoff.reset()
            left_ms = began_ms + self._timing.quiet_pause_ms - self._now_ms()
            await asyncio.sleep(max(0.0, left_ms) / 1_000)

    def _next(self) -> MarketFeed | None:
        """Take that quiet market which nothing was heard or seen of for longest."""
        now_ms = self._now_ms()
        self._waiting = {feed for feed in self._waiting if self._is_due(feed, now_ms)}
        feed = min(
            self._waiting, key=lambda one: max(one.said_at_ms, one.looked_at_ms), default=None
        )
        if feed is not None:
            self._waiting.remove(feed)
        return feed

    async def _look_at(self, feed: MarketFeed) -> None:
        asked_at_ms = feed.looked_at_ms = self._now_ms()
        version = feed.book.version
        shown = await self._reader.look(self._spec, feed.book.symbol, DEPTH)
        has_spoken = feed.book.version != version or feed.said_at_ms >= asked_at_ms
        if has_spoken or not (feed.is_healthy and feed.is_decided_on):
            return  # the answer may be older than what the stream has said meanwhile
        finding = compare(feed.book, shown, is_counted=self._is_counted)
        made_at_ms = None if shown.look is None else shown.look.made_at_ms
        if finding is Finding.SAME and made_at_ms is not None:
            feed.agreement = Agreement(asked_at_ms, made_at_ms, version)
            self._proven(feed)
        elif finding is Finding.MOVED:
            self._doubted(feed)
            await self._make_sure(feed, asked_at_ms)

    async def _make_sure(self, feed: MarketFeed, asked_at_ms: float) -> None:
        """Look again at a closed book, unless its stream has said what has changed."""
        await asyncio.sleep(self._timing.grace_ms / 1_000)
        if not _is_doubted(feed, asked_at_ms):
            return
        shown = await self._reader.look(self._spec, feed.book.symbol, DEPTH)
        if not _is_doubted(feed, asked_at_ms):
            return
        finding = compare(feed.book, shown, is_counted=self._is_counted)
        if finding is Finding.MOVED:
            self._moved(feed)
        elif finding is Finding.SAME:
            self._quiet(feed)  # the first answer was wrong, so the second is no proof either


def compare(live: LiveBook, shown: Book, *, is_counted: bool) -> Finding:
    """Return what an answer over REST says about a live book that has not changed meanwhile.

    Args:
        live: as the stream told it.
        shown: the answer.
        is_counted: whether both share their numbers.
    """
    made_at_ms = None if shown.look is None else shown.look.made_at_ms
    if made_at_ms is None or made_at_ms < (live.venue_time_ms or 0):
        return Finding.NOTHING
    ours, theirs = (live.sequence, shown.sequence) if is_counted else (None, None)
    if ours is not None and theirs is not None and theirs < ours:
        return Finding.NOTHING
    book = live.to_book(DEPTH)
    if _price(book.best_bid) != _price(shown.best_bid):
        return Finding.MOVED
    if _price(book.best_ask) != _price(shown.best_ask):
        return Finding.MOVED
    is_same = _is_same(book.bids, shown.bids, live.bids) and _is_same(
        book.asks, shown.asks, live.asks
    )
    return Finding.SAME if is_same and ours == theirs else Finding.NOTHING


def _is_doubted(feed: MarketFeed, since_ms: float) -> bool:
    """Return whether a feed is closed for what a look has shown, and for nothing else."""
    is_closed = feed.is_suspect and feed.state is FeedState.STALE and feed.is_decided_on
    return is_closed and feed.said_at_ms < since_ms


def _price(level: Level | None) -> object:
    return None if level is None else level.price


def _is_same(ours: Sequence[Level], theirs: Sequence[Level], side: BookSide) -> bool:
    """Return whether levels are the same, as far down as the live book knows its side."""
    return ours == theirs or (side.horizon < inf and ours == theirs[: len(ours)])
