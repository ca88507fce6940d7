"""What the feeds of every venue have in common, however its books reach us."""

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from arbplatform.core.errors import Message
from markets.domain.book import Book
from markets.domain.feeds import FeedState
from markets.domain.live_book import DEPTH_MAX, LiveBook
from markets.feed.ages import Ages
from markets.feed.gates import Gates
from markets.feed.market import MarketFeed
from markets.feed.pace import Backoff
from markets.feed.polling import Polling
from markets.feed.reader import RestReader
from markets.feed.reasons import CLOSED, NO_PROOF, POLLED_TOO_OLD
from markets.feed.tape import NO_TAPE, Tape
from markets.feed.timing import Timing
from markets.gateway.base import VenueSpec

logger = logging.getLogger(__name__)

SLICES = 4
"""One look sees every such part of the markets, so that no look takes long."""


@dataclass(slots=True)
class FeedKit:
    """What the feeds of all venues of a process share.

    Attributes:
        reader: reads over REST.
        ages: the clocks of the feeds.
        timing: how long to wait for what.
        random: source of chance for pauses.
        timeout_ms: for connecting and for REST requests of streams [ms].
        tape: is told what was heard.
        heard_at_ns: when the last message came; 0: a snapshot was read (``time.monotonic_ns``).
    """

    reader: RestReader
    ages: Ages
    timing: Timing
    random: Random
    timeout_ms: int
    tape: Tape = NO_TAPE
    heard_at_ns: int = 0

    def backoff(self) -> Backoff:
        """Return the pauses of one thing that is tried again and again."""
        timing = self.timing
        return Backoff(
            self.random, first_ms=timing.first_pause_ms, longest_ms=timing.longest_pause_ms
        )


class VenueFeed(ABC):
    """The feeds of one venue's markets.

    Args:
        spec: how to reach the venue.
        gates: before the books.
        kit: what the feeds of all venues share.

    Attributes:
        feeds: by symbol, exactly those that are wanted.
    """

    def __init__(self, spec: VenueSpec, gates: Gates, kit: FeedKit) -> None:
        self.spec = spec
        self.feeds: dict[str, MarketFeed] = {}
        self._gates = gates
        self._kit = kit
        self._timing = kit.timing
        self._ages, self._now_ms = kit.ages, kit.ages.now_ms
        self._slice = 0
        self._turns: deque[str] = deque()
        self._polling = Polling(
            spec,
            kit.reader,
            timing=kit.timing,
            next_symbol=self._next_polled,
            arrived=self._polled,
            now_ms=self._now_ms,
        )

    def want(self, symbols: Collection[str], decided_on: Collection[str] = ()) -> None:
        """Watch exactly these markets from now on.

        Args:
            symbols: of the markets.
            decided_on: those of them that strategies decide on.
        """
        wanted = set(symbols)
        gone = [symbol for symbol in self.feeds if symbol not in wanted]
        for symbol in gone:
            feed = self.feeds.pop(symbol)
            feed.is_decided_on = False
            self._removed(feed)
        now_ms = self._now_ms()
        added = sorted(wanted - self.feeds.keys())
        for symbol in added:
            self.feeds[symbol] = MarketFeed(self._new_book(symbol), now_ms)
        for symbol, feed in self.feeds.items():
            feed.is_decided_on = symbol in decided_on
        self._added(added)

    def current(self, symbol: str) -> LiveBook | None:
        """Return the book of a market if it may be decided upon at this very moment."""
        feed = self.feeds.get(symbol)
        if feed is None or feed.state is not FeedState.HEALTHY:
            return None
        now_ms = self._now_ms()
        proven_ms = self._proven_at_ms(feed)
        if now_ms - proven_ms > self._proof_age_ms(feed):
            self._gates.move(feed, FeedState.STALE, self._no_proof(feed))
            return None
        feed.date_book(proven_ms, now_ms, self._ages.wall_ms())
        return feed.book

    def look(self, now_ms: float) -> None:
        """Look after what may be overdue; called every ``timing.look_ms``."""
        self._slice = (self._slice + 1) % SLICES
        feeds = list(self.feeds.values())
        part = feeds[self._slice :: SLICES]
        for feed in part:
            if feed.state is FeedState.HEALTHY:
                self.current(feed.book.symbol)
        self._look_at(part, now_ms)
        if self._is_polled():
            self._polling.start()

    async def close(self) -> None:
        """End everything; no gate opens any more."""
        feeds, self.feeds = self.feeds, {}
        for feed in feeds.values():
            self._gates.move(feed, FeedState.DOWN, CLOSED)
        await self._polling.close()
        await self._close()

    def _new_book(self, symbol: str) -> LiveBook:
        return LiveBook(self.spec.code, symbol, depth_max=DEPTH_MAX)

    def quietest_at_ms(self) -> float | None:
        """Return when that connection gave a sign of life that was silent for longest [ms].

        ``None``: no sign of life says anything about books here.
        """
        return None

    @abstractmethod
    def _added(self, symbols: Sequence[str]) -> None:
        """Begin to watch markets."""

    @abstractmethod
    def _removed(self, feed: MarketFeed) -> None:
        """Watch a market no more."""

    @abstractmethod
    def _look_at(self, feeds: Sequence[MarketFeed], now_ms: float) -> None:
        """Look after connections and after these markets."""

    @abstractmethod
    async def _close(self) -> None:
        """End connections and tasks."""

    @abstractmethod
    def _proven_at_ms(self, feed: MarketFeed) -> float:
        """Return when something last proved that the book is current [ms, the steady clock]."""

    def _proof_age_ms(self, feed: MarketFeed) -> int:
        """Return how old that proof may be [ms]."""
        del feed
        return self._timing.stale_after_ms

    def _no_proof(self, feed: MarketFeed) -> Message:
        return POLLED_TOO_OLD if feed.is_polled else NO_PROOF

    def _is_polled(self) -> bool:
        """Return whether there is something to read over REST now."""
        return False

    def _wants_poll(self, feed: MarketFeed) -> bool:
        """Return whether a market is to be read over REST now."""
        del feed
        return False

    def _next_polled(self) -> str | None:
        """Return the market that was not read for longest."""
        for _ in range(len(self._turns)):
            symbol = self._turns.popleft()
            feed = self.feeds.get(symbol)
            if feed is None:
                continue
            self._turns.append(symbol)
            if self._wants_poll(feed):
                return symbol
        self._turns = deque(self.feeds)
        return next(
            (symbol for symbol in self._turns if self._wants_poll(self.feeds[symbol])), None
        )

    def _polled(self, symbol: str, book: Book, asked_at_ms: float) -> None:
        """Take a book that was read over REST, if there is still nothing better."""
        feed = self.feeds.get(symbol)
        if feed is None or not self._wants_poll(feed):
            return
        is_first, feed.is_polled = not feed.is_polled, True
        feed.heard_at_ms = feed.changed_at_ms = asked_at_ms
        live = feed.book
        live.replace(
            wire_levels(book.bids),
            wire_levels(book.asks),
            received_at_ms=self._ages.to_wall_ms(asked_at_ms),
            venue_time_ms=book.venue_time_ms,
            sequence=book.sequence,
        )
        self._settle_polled(feed)
        if is_first:
            self._gates.tell_state(feed)

    def _settle_polled(self, feed: MarketFeed) -> None:
        """Decide what a book that was read over REST is good for: to be looked at, no more."""
        del feed


def wire_levels(levels: Sequence[tuple[object, object]]) -> list[tuple[str, str]]:
    """Return levels as digits, as a venue would write them."""
    return [(f"{price:f}", f"{quantity:f}") for price, quantity in levels]
