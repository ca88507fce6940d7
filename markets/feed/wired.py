"""Feeds of a venue whose messages we read ourselves, over connections of our own."""

import asyncio
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from math import inf
from typing import Any

from arbplatform.core.errors import Message
from markets.domain.book import Book
from markets.domain.feeds import FeedState
from markets.domain.live_book import BookFault, LiveBook
from markets.feed.gates import Gates
from markets.feed.line import Line
from markets.feed.lines import Lines
from markets.feed.market import MarketFeed
from markets.feed.reasons import (
    EMPTY,
    FROZEN,
    RESTING,
    UNKNOWN_MARKET,
    WAITING,
    failed,
    refused,
)
from markets.feed.silence import Silence
from markets.feed.snapshots import Snapshots
from markets.feed.subscriptions import Subscriptions
from markets.feed.venue import FeedKit, VenueFeed, wire_levels
from markets.gateway.base import VenueSpec
from markets.gateway.ccxt_stream import VenueStreams
from markets.gateway.wire.keeper import BookKeeper, Verdict
from markets.gateway.wire.messages import BookKind, BookMessage, WireBook

logger = logging.getLogger(__name__)

DEPTH_WANTED = 20
"""A book that knows fewer levels of a side, although there may be more, is read anew."""
MANY_MARKETS = 100
"""With more markets than this, snapshots are made smaller so that they cost less."""
RELEARN_MS = 600_000
"""A market that the venue did not have is looked for again after so long [ms]."""
SIGNS_OF_LIFE = frozenset({"ping", "pong", b"ping", b"pong"})
"""All that a venue says that is no JSON."""
BREAKS = frozenset({Verdict.GAP, Verdict.MISMATCH, Verdict.BROKEN})


class WiredVenue(VenueFeed):
    """Feeds of a venue with a protocol that we know.

    Args:
        spec: how to reach the venue.
        gates: before the books.
        kit: what the feeds of all venues share.
        wire: the protocol.
    """

    def __init__(self, spec: VenueSpec, gates: Gates, kit: FeedKit, wire: WireBook) -> None:
        super().__init__(spec, gates, kit)
        self._wire = wire
        self._streams = VenueStreams(
            spec, timeout_ms=kit.timeout_ms, is_phrase_book=True, read_ms=kit.ages.now_ms
        )
        self._lines = Lines(self, self._streams, kit)
        self._keepers: dict[str, BookKeeper] = {}
        self._by_id: dict[str, MarketFeed] = {}
        self._subscriptions = Subscriptions()
        self._preparing: asyncio.Task[None] | None = None
        self._is_ready, self._learnt_at_ms = False, 0.0
        self._snapshots = Snapshots(
            spec,
            kit.reader,
            depth=self._snapshot_depth,
            now_ms=self._now_ms,
            arrived=self._snapshot_arrived,
            failed=self._snapshot_failed,
        )
        self._silence = Silence(spec, kit, self, is_counted=wire.read_snapshot is not None)

    def _new_book(self, symbol: str) -> LiveBook:
        depth, wire = self._streams.facts.depth, self._wire
        if wire.is_refilled and depth is not None:
            return LiveBook(self.spec.code, symbol, depth_max=depth, is_refilled=True)
        return super()._new_book(symbol)

    def _added(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            self._keepers[symbol] = BookKeeper(self._wire, self.feeds[symbol].book)
        if self._is_ready:
            self._allot(symbols)
        elif symbols:
            self._prepare_soon()

    def _removed(self, feed: MarketFeed) -> None:
        symbol = feed.book.symbol
        del self._keepers[symbol]
        self._snapshots.forget(symbol)
        self._subscriptions.forget(symbol)
        market_id = self._streams.market_id(symbol) if self._is_ready else None
        if market_id is not None:
            self._by_id.pop(market_id, None)
        self._lines.remove(symbol)

    def _prepare_soon(self) -> None:
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())

    async def _prepare(self) -> None:
        """Learn the venue's markets, then put those that are wanted on connections."""
        backoff = self._kit.backoff()
        while True:
            try:
                self._streams.adopt_markets(await self._kit.reader.markets(self.spec))
                break
            except Exception as error:  # noqa: BLE001  whatever it was: it is tried again
                logger.info("%s: no markets: %r", self.spec.code, error)
                for symbol in self._without_line():
                    self._gates.move(self.feeds[symbol], FeedState.DOWN, failed(error))
                await asyncio.sleep(backoff.next_ms() / 1_000)
        self._is_ready, self._learnt_at_ms = True, self._now_ms()
        self._allot(self._without_line())

    def _is_relearning_due(self, now_ms: float) -> bool:
        """Return whether a market that was not known may have been listed meanwhile."""
        is_known = len(self._by_id) == len(self.feeds)
        return self._is_ready and not is_known and now_ms - self._learnt_at_ms > RELEARN_MS

    def _without_line(self) -> list[str]:
        return sorted(symbol for symbol in self.feeds if self._lines.of(symbol) is None)

    def _allot(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            feed, market_id = self.feeds[symbol], self._streams.market_id(symbol)
            if market_id is None:
                self._gates.move(feed, FeedState.DOWN, UNKNOWN_MARKET)
                continue
            self._by_id[market_id] = feed
            feed.book.tick = self._streams.tick(symbol)
            self._lines.add(symbol)
        self._kit.tape.venue(self.spec, {key: feed.book for key, feed in self._by_id.items()})

    # -- what lines tell -----------------------------------------------------------------------

    def line_opened(self, line: Line) -> None:
        """Forget what the books were: changes were missed."""
        self._kit.tape.lost(self.spec.code, list(line.symbols))
        for feed in self._feeds_of(line.symbols):
            feed.reconnect_count += line.open_count > 1
            feed.is_polled = False
            feed.told_since_ms = None
            self._keepers[feed.book.symbol].reset()
            self._gates.move(feed, FeedState.RESYNCING, WAITING)

    def line_closed(self, line: Line, reason: Message) -> None:
        """Close every gate of the line."""
        self._subscriptions.lost(line.number)
        for feed in self._feeds_of(line.symbols):
            self._snapshots.forget(feed.book.symbol)
            feed.resync_at_ms = feed.told_since_ms = None
            self._gates.move(feed, FeedState.DOWN, reason)

    def line_subscribed(self, line: Line, symbols: Sequence[str], message: Any) -> None:
        """Wait for the venue to confirm it, or to say something about the markets."""
        self._subscriptions.sent(line.number, symbols, message)
        for feed in self._feeds_of(symbols):
            feed.resync_at_ms = self._now_ms() + self._timing.dead_after_ms
            feed.told_since_ms = None
            if feed.is_healthy:  # by what was left of an earlier subscription
                self._gates.move(feed, FeedState.RESYNCING, WAITING)
                self._keepers[feed.book.symbol].reset()

    def line_said(self, line: Line, payload: str | bytes, at_ms: float) -> None:
        """Take in what a message says about books.

        Raises:
            ValueError: it is neither JSON nor a sign of life.
        """
        self._kit.heard_at_ns = time.monotonic_ns()
        try:
            decoded = self._wire.decode(payload)
        except ValueError:
            if payload in SIGNS_OF_LIFE:
                return
            raise
        messages = self._wire.read(decoded)
        if not messages:
            self._answered(line, decoded, at_ms)
            return
        self._kit.tape.frame(self.spec.code, payload)
        for message in messages:
            feed = self._by_id.get(message.symbol_id)
            if feed is not None:
                self._take(feed, message, at_ms)

    def _answered(self, line: Line, answer: Any, at_ms: float) -> None:
        """Take in what may be the answer to a subscription."""
        symbols, cause = self._subscriptions.answer(line.number, answer)
        if cause is None:
            for feed in self._feeds_of(symbols):
                self._is_told(feed, at_ms)
            return
        logger.warning("%s refuses a subscription: %s", self.spec.code, cause)
        # most venues do not say which one: it is one of those that nothing was heard of yet
        for feed in self._feeds_of(symbols or line.symbols):
            if feed.told_since_ms is None and feed.state is FeedState.RESYNCING:
                self._gates.move(feed, FeedState.RESYNCING, refused(cause))
                feed.note_failure(at_ms)

    def _is_told(self, feed: MarketFeed, at_ms: float) -> None:
        """Note that the venue tells of a market; only a snapshot asked for from now on is good."""
        if feed.told_since_ms is None:
            feed.told_since_ms = at_ms
            if self._wire.read_snapshot is not None:
                self._snapshots.ask(feed.book.symbol)

    def _feeds_of(self, symbols: Collection[str]) -> Iterator[MarketFeed]:
        """Yield the feeds of those markets that are still wanted."""
        return (feed for symbol in list(symbols) if (feed := self.feeds.get(symbol)) is not None)

    # -- books ---------------------------------------------------------------------------------

    def _take(self, feed: MarketFeed, message: BookMessage, at_ms: float) -> None:
        self._is_told(feed, at_ms)
        keeper = self._keepers[feed.book.symbol]
        verdict = keeper.take(message, received_at_ms=self._ages.wall_ms())
        if verdict is not Verdict.IGNORED:  # what is known already proves nothing
            feed.heard_at_ms = at_ms
            feed.trust()
        self._settle(feed, keeper, verdict, at_ms)

    def _settle(self, feed: MarketFeed, keeper: BookKeeper, verdict: Verdict, at_ms: float) -> None:
        """Bring the gate in line with what became of a message: open only if nothing is missing."""
        if verdict is Verdict.APPLIED:
            self._current(feed, at_ms)
        elif verdict in BREAKS or (feed.is_healthy and not keeper.is_current):
            self._broke(feed, keeper, at_ms)
        elif feed.state is FeedState.STALE:
            self._reopen(feed)

    def _current(self, feed: MarketFeed, at_ms: float) -> None:
        """A book is what the venue says it is: open its gate and tell."""
        feed.changed_at_ms = at_ms
        if feed.book.fault() is BookFault.EMPTY:
            self._gates.move(feed, FeedState.STALE, EMPTY)
        elif feed.state is FeedState.HEALTHY or self._reopen(feed):
            self._gates.tell_book(feed)

    def _reopen(self, feed: MarketFeed) -> bool:
        """Open a gate if nothing speaks against it any more."""
        keeper = self._keepers[feed.book.symbol]
        if not keeper.is_current or feed.is_suspect or feed.book.fault() is not None:
            return False
        self._gates.open(feed)
        return True

    def _broke(self, feed: MarketFeed, keeper: BookKeeper, at_ms: float) -> None:
        """Close the gate before anything else, then see to a new snapshot."""
        due_ms = feed.note_break(at_ms)
        self._gates.move(feed, FeedState.RESYNCING, keeper.reason)
        if feed.is_resting:
            self._gates.move(feed, FeedState.STALE, RESTING)
        if due_ms <= at_ms:
            self._resync(feed, at_ms)

    def _resync(self, feed: MarketFeed, now_ms: float) -> None:
        """Get a snapshot: over REST, or by subscribing anew."""
        symbol = feed.book.symbol
        feed.resync_at_ms = now_ms + self._timing.dead_after_ms
        is_told = feed.told_since_ms is not None and (not feed.is_suspect or feed.is_redialled)
        if self._wire.read_snapshot is not None and is_told:
            self._snapshots.ask(symbol)
            return
        line = self._lines.open_of(symbol)
        if line is not None:
            self._keepers[symbol].reset()
            feed.told_since_ms = None
            line.renew(symbol)

    def found_proven(self, feed: MarketFeed) -> None:
        """Tell of a quiet book that the venue shows over REST as well: its age has changed."""
        self._kit.heard_at_ns = 0
        if self.current(feed.book.symbol) is not None:
            self._gates.tell_book(feed)

    def found_doubtful(self, feed: MarketFeed) -> None:
        """Close the gate of a silent stream until there is a proof that it lives."""
        feed.suspect()
        self._gates.move(feed, FeedState.STALE, FROZEN)

    def found_frozen(self, feed: MarketFeed) -> None:
        """Close the gate of a stream that stays silent, and get the book anew."""
        self.found_doubtful(feed)
        feed.note_break(self._now_ms())
        self._keepers[feed.book.symbol].reset()
        self._resync(feed, self._now_ms())

    def found_quiet(self, feed: MarketFeed) -> None:
        """Open the gate again: the book is what the venue shows, and was so for long."""
        feed.trust()
        self._reopen(feed)

    # -- snapshots -----------------------------------------------------------------------------

    def _snapshot_depth(self) -> int:
        few, many = self._streams.facts.snapshot_depths
        return few if len(self.feeds) <= MANY_MARKETS else many

    def _snapshot_arrived(self, symbol: str, book: Book, depth: int, asked_at_ms: float) -> None:
        feed = self.feeds.get(symbol)
        if feed is None or feed.told_since_ms is None:
            return
        if asked_at_ms < feed.told_since_ms:
            # changes after it and before the stream would be missed without a sign
            self._snapshots.ask(symbol)
            return
        now_ms, keeper, self._kit.heard_at_ns = self._now_ms(), self._keepers[symbol], 0
        bids, asks, at_ms = wire_levels(book.bids), wire_levels(book.asks), book.venue_time_ms
        snapshot = BookMessage(
            symbol, BookKind.SNAPSHOT, None, book.sequence, bids, asks, at_ms, limit=depth
        )
        self._kit.tape.snapshot(self.spec.code, symbol, snapshot)
        verdict = keeper.adopt(snapshot, received_at_ms=self._ages.wall_ms())
        if verdict is Verdict.APPLIED:
            feed.checked_at_ms, feed.read_at_ms = now_ms, asked_at_ms
        elif verdict is Verdict.WAITING and not feed.is_healthy:
            feed.note_failure(now_ms)  # the snapshot was too old
        self._settle(feed, keeper, verdict, now_ms)

    def _snapshot_failed(self, symbol: str, reason: Message) -> None:
        feed = self.feeds.get(symbol)
        if feed is None or feed.is_healthy:
            return
        if feed.state is FeedState.RESYNCING:
            self._gates.move(feed, FeedState.RESYNCING, reason)
        feed.note_failure(self._now_ms())

    # -- looking after everything --------------------------------------------------------------

    def _look_at(self, feeds: Sequence[MarketFeed], now_ms: float) -> None:
        for line in list(self._lines):
            line.look(now_ms)
        if self._is_relearning_due(now_ms):
            self._prepare_soon()
        for feed in feeds:
            self._look_at_feed(feed, now_ms)
        self._silence.look(feeds, now_ms)

    def _look_at_feed(self, feed: MarketFeed, now_ms: float) -> None:
        line = self._lines.open_of(feed.book.symbol)
        if line is None:
            return
        if feed.state is FeedState.HEALTHY:
            self._refresh_if_short(feed)
        elif feed.is_suspect and self._is_redial_due(feed, now_ms):
            feed.is_redialled = True
            line.drop(FROZEN)
        elif feed.resync_at_ms is not None and now_ms >= feed.resync_at_ms:
            self._resync(feed, now_ms)
        elif feed.state is FeedState.STALE and self._is_lively(line, now_ms):
            self._reopen(feed)

    def _is_redial_due(self, feed: MarketFeed, now_ms: float) -> bool:
        return not feed.is_redialled and now_ms - feed.since_ms > self._timing.suspect_ms

    def _is_lively(self, line: Line, now_ms: float) -> bool:
        return 2 * (now_ms - line.alive_at_ms) <= self._timing.stale_after_ms

    def _refresh_if_short(self, feed: MarketFeed) -> None:
        """Read deeper levels anew while the book stays in use."""
        if self._wire.read_snapshot is None or not feed.book.is_short_of(DEPTH_WANTED):
            return
        if self._now_ms() - feed.checked_at_ms < self._timing.silence_ms:
            return
        feed.checked_at_ms = self._now_ms()
        self._keepers[feed.book.symbol].refresh()
        self._snapshots.ask(feed.book.symbol)

    def quietest_at_ms(self) -> float | None:
        """Return when that open connection gave a sign of life that was silent for longest [ms]."""
        return self._lines.quietest_at_ms

    def _proven_at_ms(self, feed: MarketFeed) -> float:
        line = self._lines.of(feed.book.symbol)
        return -inf if line is None else line.alive_at_ms

    def _is_polled(self) -> bool:
        return not (self._is_ready and self._lines.are_all_open)

    def _wants_poll(self, feed: MarketFeed) -> bool:
        is_long = self._now_ms() - feed.since_ms >= self._timing.poll_after_ms
        return feed.state is FeedState.DOWN and feed.reason is not UNKNOWN_MARKET and is_long

    async def _close(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        await self._snapshots.close()
        await self._silence.close()
        await self._lines.close()
        await self._streams.close()
