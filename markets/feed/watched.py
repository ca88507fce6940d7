"""Feeds of a venue that only ccxt.pro can read: whole books, without a number to verify.

Prices are what ccxt's floats print as, which is what the venue wrote for up to fifteen digits.
Such venues are for data; none is certified for trading.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from itertools import islice
from math import inf
from typing import Any

from markets.domain.feeds import FeedState
from markets.feed.gates import Gates
from markets.feed.heartbeat import Heartbeat
from markets.feed.market import MarketFeed
from markets.feed.pace import Backoff, DialBudget
from markets.feed.reasons import FROZEN, SILENT, UNKNOWN_MARKET, failed
from markets.feed.venue import FeedKit, VenueFeed
from markets.gateway.base import VenueSpec
from markets.gateway.ccxt_stream import VenueStreams

logger = logging.getLogger(__name__)

LEVELS_MAX = 50


class WatchedVenue(VenueFeed):
    """Feeds of a venue through ccxt.pro's own books, one task for each market.

    Args:
        spec: how to reach the venue.
        gates: before the books.
        kit: what the feeds of all venues share.
    """

    def __init__(self, spec: VenueSpec, gates: Gates, kit: FeedKit) -> None:
        super().__init__(spec, gates, kit)
        self._streams = VenueStreams(spec, timeout_ms=kit.timeout_ms, read_ms=kit.ages.now_ms)
        self._dials = DialBudget(self._streams.facts.dials_per_minute)
        self._turn_ms = -inf
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._ready: asyncio.Future[None] | None = None
        self._heartbeat = Heartbeat(
            spec,
            kit.reader,
            timing=kit.timing,
            now_ms=self._now_ms,
            frozen=self._found_frozen,
            quiet=MarketFeed.trust,
        )

    def _added(self, symbols: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        for symbol in symbols:
            self._tasks[symbol] = loop.create_task(self._watch(self.feeds[symbol]))

    def _removed(self, feed: MarketFeed) -> None:
        symbol = feed.book.symbol
        leaving = asyncio.get_running_loop().create_task(self._leave(symbol))
        self._leaving[symbol] = leaving
        leaving.add_done_callback(partial(self._has_left, symbol))

    async def _leave(self, symbol: str) -> None:
        task = self._tasks.pop(symbol)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._streams.leave_book(symbol)

    def _has_left(self, symbol: str, done: asyncio.Task[None]) -> None:
        if self._leaving.get(symbol) is done:
            del self._leaving[symbol]

    async def _watch(self, feed: MarketFeed) -> None:
        """Follow one market for as long as it is wanted."""
        symbol, backoff = feed.book.symbol, self._kit.backoff()
        if symbol in self._leaving:
            await asyncio.wait([self._leaving[symbol]])
        while True:
            try:
                await self._learn_markets()
                if self._streams.market_id(symbol) is None:
                    self._gates.move(feed, FeedState.DOWN, UNKNOWN_MARKET)
                    return
                while True:
                    self._take(feed, await self._streams.watch_book(symbol))
                    backoff.reset()
            except Exception as error:  # noqa: BLE001  whatever it was: it is tried again
                logger.info("%s: %s is not watched: %r", self.spec.code, symbol, error)
                self._gates.move(feed, FeedState.DOWN, failed(error))
                feed.reconnect_count += 1
            await asyncio.sleep(self._pause_ms(backoff) / 1_000)

    def _pause_ms(self, backoff: Backoff) -> float:
        """Return how long to wait [ms]: markets that fail together come back on one connection."""
        now_ms = self._now_ms()
        if now_ms > self._turn_ms + self._timing.first_pause_ms:
            self._turn_ms = now_ms + self._dials.reserve_ms(now_ms)
        return max(0.0, self._turn_ms - now_ms) + backoff.next_ms()

    async def _learn_markets(self) -> None:
        """Learn the venue's markets, once for all."""
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_task(self._load())
        try:
            await asyncio.shield(self._ready)
        except Exception:
            self._ready = None
            raise

    async def _load(self) -> None:
        self._streams.adopt_markets(await self._kit.reader.markets(self.spec))

    def _take(self, feed: MarketFeed, shown: Any) -> None:
        now_ms, self._kit.heard_at_ns = self._now_ms(), 0
        feed.heard_at_ms = feed.changed_at_ms = now_ms
        feed.trust()
        feed.is_polled = False
        feed.book.replace(
            _levels(shown["bids"]),
            _levels(shown["asks"]),
            received_at_ms=self._ages.wall_ms(),
            venue_time_ms=shown.get("timestamp"),
        )
        self._gates.judge(feed)

    def _found_frozen(self, feed: MarketFeed) -> None:
        feed.suspect()
        feed.note_break(self._now_ms())
        self._gates.move(feed, FeedState.STALE, FROZEN)

    def _look_at(self, feeds: Sequence[MarketFeed], now_ms: float) -> None:
        self._streams.ping_silent(self._timing.ping_after_ms)
        self._streams.cut_silent(self._timing.dead_after_ms)
        is_alive = 2 * (now_ms - self._alive_at_ms()) <= self._timing.stale_after_ms
        for feed in feeds:
            if feed.state is not FeedState.STALE:
                continue
            if not feed.is_suspect:
                if is_alive and feed.book.fault() is None:
                    self._gates.open(feed)
            elif not feed.is_redialled and now_ms - feed.since_ms > self._timing.suspect_ms:
                feed.is_redialled = True
                self._gates.move(feed, FeedState.DOWN, SILENT)
                self._streams.cut_silent(0)
        self._heartbeat.compare([feed for feed in feeds if self._heartbeat.is_silent(feed, now_ms)])

    def quietest_at_ms(self) -> float | None:
        """Return when that connection gave a sign of life that was silent for longest [ms]."""
        return self._streams.alive_at_ms

    def _proven_at_ms(self, feed: MarketFeed) -> float:
        return max(feed.heard_at_ms, self._alive_at_ms())

    def _alive_at_ms(self) -> float:
        alive_at_ms = self._streams.alive_at_ms
        return -inf if alive_at_ms is None else alive_at_ms

    def _is_polled(self) -> bool:
        return any(feed.state is FeedState.DOWN for feed in self.feeds.values())

    def _wants_poll(self, feed: MarketFeed) -> bool:
        is_long = self._now_ms() - feed.since_ms >= self._timing.poll_after_ms
        return feed.state is FeedState.DOWN and feed.reason is not UNKNOWN_MARKET and is_long

    async def _close(self) -> None:
        tasks = [*self._tasks.values(), *self._leaving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._heartbeat.close()
        await self._streams.close()


def _levels(rows: Any) -> list[tuple[str, str]]:
    """Return levels as the digits of ccxt's numbers."""
    return [(_digits(row[0]), _digits(row[1])) for row in islice(rows, LEVELS_MAX)]


def _digits(number: Any) -> str:
    return number if isinstance(number, str) else repr(number)
