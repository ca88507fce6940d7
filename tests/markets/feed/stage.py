"""Feeds against a simulator over real sockets, with short times and a listener that remembers."""

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from arbplatform.core.clock import FixedClock
from markets.feed.ages import Ages
from markets.feed.hub import FeedHub
from markets.feed.timing import Timing
from markets.gateway.base import VenueSpec
from tests.markets.simulator.worlds import ASKS, BIDS

TIMEOUT_S = 30
FAST = Timing(
    look_ms=10,
    ping_after_ms=100,
    stale_after_ms=60_000,
    dead_after_ms=120_000,
    silence_ms=600_000,
    grace_ms=250,
    suspect_ms=500,
    poll_after_ms=50,
    poll_pause_ms=20,
    polled_age_ms=2_000,
    first_pause_ms=20,
    longest_pause_ms=100,
)
SYMBOL = "BTC/USDT"
NOW_MS = 1_767_225_600_000


class Clocks:
    """A clock on the wall and a steady one, both moved by hand."""

    def __init__(self):
        self.wall, self.steady_ms = FixedClock(NOW_MS), 5_000.25
        self.ages = Ages(self.wall, lambda: self.steady_ms)


class Recorder:
    """Remembers what it is told, and what could be decided upon at that moment.

    Attributes:
        states: of every feed, in turn: (venue, symbol, state, whether there was a book).
        books: of every change: (venue, symbol, best bid, best ask).
        diary: both in one, for one market at a time: states, and best bids of changes.
    """

    def __init__(self):
        self.hub: Any = None
        self.states = []
        self.books = []
        self.diary = []
        self._news = asyncio.Event()

    def book_changed(self, book):
        self.books.append((book.venue, book.symbol, book.best_bid, book.best_ask))
        self.diary.append(book.best_bid)
        assert self.hub.book(book.venue, book.symbol) is book
        self._news.set()

    def feed_changed(self, status):
        has_book = self.hub.book(status.venue, status.symbol) is not None
        self.states.append((status.venue, status.symbol, status.state.value, has_book))
        self.diary.append(status.state.value)
        self._news.set()

    def states_of(self, venue="alpha", symbol=SYMBOL):
        return [row[2] for row in self.states if row[:2] == (venue, symbol)]

    async def until(self, is_so):
        """Return when something is so; looked at whenever there is news."""
        async with asyncio.timeout(TIMEOUT_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def until_state(self, state, venue="alpha", symbol=SYMBOL):
        await self.until(lambda: self.states_of(venue, symbol)[-1:] == [state])

    async def until_bid(self, price, venue="alpha", symbol=SYMBOL):
        await self.until(lambda: self.bid(venue, symbol) == price)

    async def until_so(self, is_so):
        """Return when something is so that nobody is told of."""
        async with asyncio.timeout(TIMEOUT_S):
            while not is_so():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def until_compared(self, feed, times):
        """Return when a feed was compared with REST so often."""
        async with asyncio.timeout(TIMEOUT_S):
            for _ in range(times):
                compared_ms = feed.checked_at_ms
                while feed.checked_at_ms == compared_ms:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)  # nobody is told of a comparison that found nothing

    def bid(self, venue="alpha", symbol=SYMBOL):
        book = self.hub.book(venue, symbol)
        return None if book is None else book.best_bid

    @property
    def is_never_open_when_closed(self):
        """Whether each gate was closed when its closing was told, and open at its opening."""
        return all(has_book == (state == "healthy") for _, _, state, has_book in self.states)


@asynccontextmanager
async def followed(*specs, timing=FAST, symbols=(SYMBOL,), **more):
    """Follow markets and yield what was told so far."""
    recorder = Recorder()
    recorder.hub = FeedHub(listener=recorder, timing=timing, random=Random(1), **more)  # noqa: S311
    try:
        recorder.hub.want(dict.fromkeys(specs, symbols))
        yield recorder
    finally:
        await recorder.hub.close()


def spec_of(simulator, code="alpha", ccxt_id="binance"):
    return VenueSpec(code, ccxt_id, f"{simulator.url}/{code}", f"{simulator.ws_url}/{code}")


def move(simulator, price, code="alpha"):
    """Put one more bid in front."""
    simulator.control.set_book(code, SYMBOL, [(str(price), "1"), *BIDS], ASKS)


async def struck(simulator, kind, times=1, code="alpha"):
    """Return when a fault has struck: that happens in the simulator's thread."""
    async with asyncio.timeout(TIMEOUT_S):
        while simulator.control.count_strikes(code).get(kind, 0) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def streams(simulator, code="alpha"):
    """Return the names of the streams that somebody listens to."""
    listeners = simulator.control.world.venues[code].listener.markets._listeners
    return {name for name, connections in listeners.items() if connections}


def reason_of(told, symbol=SYMBOL):
    """Return why a feed is as it is, as a person reads it."""
    [status] = [one for one in told.hub.statuses() if one.symbol == symbol]
    return str(status.reason)
