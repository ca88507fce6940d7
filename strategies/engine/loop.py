"""The loop of an engine: feeds come in, strategies decide, and everything that blocks is elsewhere.

The loop keeps the books, tells deciders of changes and hands out errands. Threads of one crew make
decisions and carry them out; those of a second one, the helpers, read what decisions rest on and
write down what was found, so that no decision ever waits behind a report.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import cache, partial
from random import uniform
from typing import Final

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Message
from arbplatform.core.stages import Stage, StageRecorder
from arbplatform.wording import untranslated
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.live_book import LiveBook
from markets.feed.gates import BookListener
from markets.feed.reasons import NOT_YET
from markets.models import Venue
from markets.services.feeds import FeedStateChoice
from markets.services.shared_pulses import PulseSharing
from strategies.domain.engine_stats import EngineStats
from strategies.engine.accounts import AccountStreams, OpenStream
from strategies.engine.board import Board
from strategies.engine.crew import Crew
from strategies.engine.decider import Decider, Surroundings
from strategies.engine.ports import Feeds, Held, Keeper
from strategies.engine.process import read_rss_mb
from strategies.engine.refreshing import Refresher
from strategies.engine.tally import Counts
from strategies.errors import BookNotLive
from strategies.services.deciding import Basis
from strategies.services.engine_stats import publish_stats, withdraw_stats
from strategies.services.explanations import Explanation, join, write_explanations

logger = logging.getLogger(__name__)

DECIDERS: Final = 8
"""Threads that decide and carry out; one that repairs an execution is taken for seconds."""
SPARES: Final = 16
"""More of them, while as many others wait for venues that hang: one that does gets eight at most
before the gate knows it, and then one at a time (``ledger.services.waits``)."""
RESERVE: Final = 4
"""Of these, the ones that are kept for decisions that a book has nominated."""
HELPERS: Final = 2
EARS: Final = 8
"""Threads that look up what venues tell of orders."""
EARS_RESERVE: Final = 4
"""Of these, the ones that no venue gets that was slow: many that hang hold up nobody else's."""
REPORT_S: Final = 1.0
"""How often findings and figures are passed on [s]."""
WANT_S: Final = 0.02
"""Changes of what is wanted are collected for so long [s]."""
CLOSE_S: Final = 5.0


class EngineLoop:
    """One engine at work.

    Args:
        keeper: keeps its leases.
        open_feeds: opens the feeds for a listener; called on the loop.
        recorder: counts how long stages take.
        clock: tells the time.
        open_account: opens the private streams of an account; ``None``: they are not heard.

    Attributes:
        counts: what its strategies did.
    """

    def __init__(
        self,
        *,
        keeper: Keeper,
        open_feeds: Callable[[BookListener], Feeds],
        recorder: StageRecorder | None = None,
        clock: Clock = SYSTEM_CLOCK,
        open_account: OpenStream | None = None,
    ) -> None:
        self.counts = Counts()
        self.recorder = recorder or StageRecorder(clock)
        self._keeper = keeper
        self._open_feeds = open_feeds
        self._open_account = open_account
        self._accounts: AccountStreams | None = None
        self._clock = clock
        self._pulses = PulseSharing(keeper.engine.name, clock=clock)
        self._board = Board()
        self._deciders: dict[int, Decider] = {}
        self._leaving: tuple[Decider, ...] = ()
        self._reporting: asyncio.Task[None] | None = None
        self._untold: Sequence[Explanation] = ()
        self._held: frozenset[int] = frozenset()
        self._statuses: dict[tuple[str, str], FeedStatus] = {}
        self._offsets_ms: dict[str, int] = {}
        self._is_want_due = self._is_closing = False

    async def run(self) -> None:
        """Work until cancelled; by then the keeper has given back what could be given back."""
        self._loop = asyncio.get_running_loop()
        self._crew = Crew(DECIDERS, name="decider", reserve=RESERVE, spares=SPARES)
        self._helpers = Crew(HELPERS, name="helper")
        self._ears = Crew(EARS, name="ear", reserve=EARS_RESERVE)
        self._feeds = self._open_feeds(self)
        self._around = Surroundings(
            books=self,
            crew=self._crew,
            recorder=self.recorder,
            clock=self._clock,
            counts=self.counts,
            call_later=self._loop.call_later,
            is_held=self._is_held,
            let_go=self._keeper.let_go,
        )
        self._refresher = Refresher(
            deciders=self._deciders,
            run=self._helpers.run,
            install=self._install,
            clock=self._clock,
        )
        if self._open_account is not None:
            self._accounts = AccountStreams(
                held=lambda: self._held,
                run=self._ears.run,
                open_stream=self._open_account,
                clock=self._clock,
            )
        self._keeper.is_busy = self.is_busy
        self._keeper.on_change = self._told
        self._told(frozenset(self._keeper.held()))
        try:
            while True:
                # by chance, lest it come together with every renewal of the leases
                await asyncio.sleep(REPORT_S * uniform(0.8, 1.2))  # noqa: S311
                self._refresher.check()
                self._reporting = asyncio.create_task(self._report())
                await asyncio.shield(self._reporting)
        finally:
            await self._close()

    # --- for the keeper, from its threads ---------------------------------------------------

    def is_busy(self, strategy_id: int) -> bool:
        """Return whether a thread decides for a strategy at this moment."""
        decider = self._deciders.get(strategy_id)
        if decider is not None and decider.is_busy:
            return True
        return any(each.strategy_id == strategy_id and each.is_busy for each in self._leaving)

    def _told(self, held: frozenset[int]) -> None:
        """Take note that something else is held; no decision begins on what is not."""
        self._held = held
        self._loop.call_soon_threadsafe(self._follow)

    def _is_held(self, strategy_id: int) -> bool:
        return strategy_id in self._held

    # --- the feeds' listener ----------------------------------------------------------------

    def book_changed(self, book: LiveBook) -> None:
        """Let those decide whom a changed book concerns."""
        at_ns, heard_at_ns = time.monotonic_ns(), self._feeds.heard_at_ns
        self._board.book_changed(book, at_ns)
        if not heard_at_ns:
            return  # no message of this moment has brought it
        self.recorder.record(Stage.BOOK, (at_ns - heard_at_ns) / 1_000)
        offset_ms = self._offsets_ms.get(book.venue)
        if offset_ms is not None and book.venue_time_ms is not None:
            late_ms = book.received_at_ms - book.venue_time_ms - offset_ms
            self.recorder.record(Stage.SOCKET, late_ms * 1_000)

    def feed_changed(self, status: FeedStatus) -> None:
        """Close or open the gate of a market."""
        self._statuses[status.venue, status.symbol] = status
        if status.state is not FeedState.HEALTHY:
            self._board.book_lost(status.venue, status.symbol)
            return
        book = self._feeds.book(status.venue, status.symbol)
        if book is not None:
            self._board.book_changed(book, time.monotonic_ns())

    # --- where deciders get their books -----------------------------------------------------

    def book(self, venue: str, symbol: str) -> LiveBook | None:
        """Return the book of a market if it may be decided on, else ``None``."""
        return self._feeds.book(venue, symbol)

    def reason(self, venue: str, symbol: str) -> BookNotLive:
        """Return why the book of a market may not be decided on."""
        status = self._statuses.get((venue, symbol))
        return BookNotLive(
            venue=venue,
            symbol=symbol,
            state=_state_name(status.state if status else FeedState.CONNECTING),
            reason=(status.reason if status else None) or NOT_YET,
        )

    # --- strategies come and go -------------------------------------------------------------

    def _follow(self) -> None:
        """Make the deciders those of the strategies that are held."""
        if self._is_closing:
            return
        held = self._keeper.held()
        for pk, decider in list(self._deciders.items()):
            item = held.get(pk)
            if item is None or item.claim is not decider.claim:
                self._dismiss(decider)
        for pk, item in held.items():
            if pk not in self._deciders:
                self._employ(item)

    def _employ(self, held: Held) -> None:
        decider = Decider(
            strategy_id=held.strategy_id,
            run_id=held.run_id,
            claim=held.claim,
            around=self._around,
        )
        self._deciders[held.strategy_id] = decider
        self._refresher.hurry()

    def _dismiss(self, decider: Decider) -> None:
        decider.close()
        # before it is no decider any more: a thread of the keeper that asks in between whether the
        # strategy is busy must find it in one place or the other
        self._leaving = (*self._leaving, decider)
        del self._deciders[decider.strategy_id]
        self._board.remove(decider)
        self._want_soon()

    def _install(self, decider: Decider, basis: Basis, before: int) -> None:
        """Let a strategy decide on what was read, unless it has traded since that was asked for."""
        if decider.engagements == before:
            if decider.install(basis):
                self._board.place(decider, decider.markets)
                self._want_soon()
            self._offsets_ms |= basis.footing.risk.grounds.clock_offsets_ms
        decider.remind()

    # --- what is fed ------------------------------------------------------------------------

    def _want_soon(self) -> None:
        if not self._is_want_due:
            self._is_want_due = True
            self._loop.call_later(WANT_S, self._want)

    def _want(self) -> None:
        """Tell the feeds what is wanted, by venue as it was read last."""
        self._is_want_due = False
        venues: dict[str, Venue] = {}
        symbols: dict[str, set[str]] = {}
        for decider in self._deciders.values():
            for key, market in decider.markets.items():
                known = venues.get(key.venue)
                if known is None or known.updated_at < market.venue.updated_at:
                    venues[key.venue] = market.venue
                symbols.setdefault(key.venue, set()).add(key.symbol)
        self._feeds.want({venues[code].to_spec(): symbols[code] for code in venues})
        wanted = {(code, symbol) for code, names in symbols.items() for symbol in names}
        self._statuses = {key: each for key, each in self._statuses.items() if key in wanted}

    # --- reports ----------------------------------------------------------------------------

    async def _report(self) -> None:
        """Pass on figures and findings; trading does not depend on it."""
        gone = [each for each in self._leaving if not each.is_busy]
        self._leaving = tuple(each for each in self._leaving if each not in gone)
        deciders = [*self._deciders.values(), *gone]
        found = [item for each in deciders if (item := each.explain())]
        # what cannot be written is told later: nothing may come between taking it and writing it
        self._untold = join([*self._untold, *found])
        try:
            await self._helpers.run(partial(publish_stats, self.stats(), clock=self._clock))
            await self._helpers.run(self._pulses.share)
        except Exception:
            logger.exception("the figures of this second could not be published")
        untold, self._untold = self._untold, ()
        write = partial(write_explanations, explanations=untold, clock=self._clock)
        try:
            if untold:
                self._untold = await self._helpers.run(write)
        except Exception:
            logger.exception("what was found in this second could not be written down")

    def stats(self) -> EngineStats:
        """Return the state of this engine."""
        figures = self.recorder.read()
        states = Counter(status.state.value for status in self._feeds.statuses())
        return EngineStats(
            name=self._keeper.engine.name,
            machine=self._keeper.engine.machine,
            pid=self._keeper.engine.pid,
            at_ms=self._clock.now_ms(),
            stages=figures.total,
            recent=figures.recent,
            queues={
                "decisions": self._crew.waiting,
                "deciding": self._crew.busy,
                "helpers": self._helpers.waiting,
            },
            drops={
                "decisions": self._crew.dropped,
                "helpers": self._helpers.dropped,
                "superseded": self.counts.superseded,
            },
            conflated=self.counts.conflated,
            feeds=dict(states),
            strategies=tuple(sorted(self._deciders)),
            rss_bytes=round(read_rss_mb() * 2**20),
        )

    # --- the end ----------------------------------------------------------------------------

    async def _close(self) -> None:
        """Write down what was found last, and end feeds and threads; each, whatever fails."""
        self._is_closing = True
        for pk in list(self._deciders):
            self._dismiss(self._deciders[pk])
        steps: list[Callable[[], Awaitable[object]]] = [
            self._refresher.close,
            self._report_last,
            partial(self._helpers.run, partial(withdraw_stats, self._keeper.engine.name)),
            self._feeds.close,
            partial(self._crew.close, timeout_s=CLOSE_S),
            partial(self._ears.close, timeout_s=CLOSE_S),
            partial(self._helpers.close, timeout_s=CLOSE_S),
        ]
        if self._accounts is not None:
            steps.insert(3, self._accounts.close)
        for step in steps:
            try:
                await step()
            except Exception:
                logger.exception("a part of the engine did not end in order")

    async def _report_last(self) -> None:
        if self._reporting is not None:
            # what it has taken from the deciders must not be lost
            await asyncio.wait([self._reporting])
        await self._report()


@cache
def _state_name(state: FeedState) -> Message:
    """Return what a state of feeds is called, in words of the catalogue; asked for often."""
    return untranslated(FeedStateChoice(state.value).label)
