"""A decider without threads and sockets: books by hand, errands done when the test says so."""

from collections import deque
from datetime import timedelta
from typing import Any

from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from arbplatform.core.errors import Message
from arbplatform.core.stages import StageRecorder
from markets.domain.live_book import LiveBook
from strategies.engine.board import Board
from strategies.engine.decider import Decider, Surroundings
from strategies.engine.tally import Counts
from strategies.errors import BookNotLive
from strategies.models import Run, Strategy
from strategies.sdk import MarketKey
from strategies.services.claims import TickClaim
from strategies.services.streaming import read_stream_basis

TOKEN = "held-by-this-engine"


class HandBooks:
    """Live books that a test changes; whoever watches is told as by the feeds.

    They show what the venues in memory show, and know how to change both at once.
    """

    def __init__(self, venues, clock):
        self.venues = venues
        self.clock = clock
        self.board = Board()
        self.live = {}
        self.closed = set()
        self.at_ns = 0

    def book(self, venue, symbol):
        return None if (venue, symbol) in self.closed else self.live.get((venue, symbol))

    def reason(self, venue, symbol):
        cause = Message("a change was missed")
        return BookNotLive(venue=venue, symbol=symbol, state="resyncing", reason=cause)

    def show(self, venue, symbol="BTC/USDT"):
        """Take the book that a venue in memory has now."""
        key = (venue, symbol)
        live = self.live.setdefault(key, LiveBook(*key))
        bids, asks = (
            [[str(price), str(quantity)] for price, quantity in side]
            for side in self.venues[venue].books[symbol]
        )
        now_ms = self.clock.now_ms()
        live.replace(bids, asks, received_at_ms=now_ms, venue_time_ms=now_ms)
        if key not in self.closed:
            self.at_ns += 1
            self.board.book_changed(live, self.at_ns)

    def set(self, venue, *, bids, asks, symbol="BTC/USDT"):
        """Change the book of a venue, and let the feed say so."""
        self.venues[venue].set_book(symbol, bids=bids, asks=asks)
        self.show(venue, symbol)

    def close_gate(self, venue, symbol="BTC/USDT"):
        self.closed.add((venue, symbol))
        self.board.book_lost(venue, symbol)


class HandCrew:
    """Takes errands as a crew does; ``work`` does what has been asked for, in this thread."""

    def __init__(self):
        self.asked: deque[Any] = deque()
        self.dropped = 0

    def ask(self, errand, *, is_urgent=True):
        self.asked.append((errand, is_urgent))
        return True

    def hurry(self, errand):
        self.asked.remove((errand, False))
        self.asked.append((errand, True))

    def work(self, times_max=20):
        """Do errands until there are none; return how many jobs were done."""
        done = 0
        for _ in range(times_max):
            if not self.asked:
                break
            errand, _is_urgent = self.asked.popleft()
            job = errand.begin()
            if job is not None:
                done += 1
                errand.end(job())
        return done


class Stage:
    """One strategy on a loop that a test plays, at a time that only the test lets pass.

    The venues go by the same clock: what they say of a trade is compared with what books say.
    """

    def __init__(self, venues):
        self.clock = FixedClock(at_ms=SYSTEM_CLOCK.now_ms())
        venues.go_by(self.clock)
        self.books = HandBooks(venues, self.clock)
        self.crew = HandCrew()
        self.counts = Counts()
        self.alarms: list[Any] = []
        self.let_go: list[int] = []
        self.is_held = True
        self.recorder = StageRecorder(self.clock)
        self.around = Surroundings(
            books=self.books,
            crew=self.crew,
            recorder=self.recorder,
            clock=self.clock,
            counts=self.counts,
            call_later=lambda seconds, call: self.alarms.append((seconds, call)),
            is_held=lambda _strategy_id: self.is_held,
            let_go=self.let_go.append,
        )

    def employ(self, strategy):
        """Hold a strategy and read what it decides on, as the engine does at first."""
        claim = hold(strategy)
        self.decider = Decider(
            strategy_id=strategy.pk,
            run_id=Run.objects.get(strategy=strategy).pk,
            claim=claim,
            around=self.around,
        )
        self.refresh()
        self.books.board.place(self.decider, self.decider.markets)
        return self.decider

    def read(self):
        """Return what it decides on, read anew."""
        return read_stream_basis(
            strategy_id=self.decider.strategy_id,
            run_id=self.decider.run_id,
            clock=self.clock,
        )

    def refresh(self):
        """Let it decide on what is read anew."""
        self.decider.install(self.read())

    def pass_ms(self, duration_ms):
        """Let time pass and alarms ring."""
        self.clock.advance_ms(duration_ms)
        alarms, self.alarms = self.alarms, []
        for _seconds, call in alarms:
            call()


def hold(strategy):
    """Let the strategy be held by an engine, and return its claim."""
    now = SYSTEM_CLOCK.now()
    until = now + timedelta(minutes=5)
    Strategy.objects.filter(pk=strategy.pk).update(
        tick_token=TOKEN, tick_expires_at=until, last_tick_at=now
    )
    return TickClaim(strategy.pk, TOKEN, claimed_at=now, expires_at=until)


def offer(stage, *, quantity="1"):
    """Make BTC cheap on alpha and dear on beta."""
    stage.books.set("alpha", bids=[("49990", "1")], asks=[("50000", quantity)])
    stage.books.set("beta", bids=[("50500", quantity)], asks=[("50510", "1")])


ALPHA, BETA = MarketKey("alpha", "BTC/USDT"), MarketKey("beta", "BTC/USDT")
