"""One strategy on the loop: it nominates in floats, and has a thread decide on the newest books.

At most one decision is in flight. What changes meanwhile is not queued but remembered as one bit:
the next decision looks at the books as they are when its thread is free.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from arbplatform.core.clock import Clock
from arbplatform.core.stages import Stage, StageRecorder
from ledger.domain.moments import Moments
from markets.domain.book import Book
from markets.domain.live_book import LiveBook
from markets.models import Market
from strategies.engine.echoes import Echoes
from strategies.engine.nominating import Guarded
from strategies.engine.ports import Books, Job, Threads
from strategies.engine.reminders import Reminder
from strategies.engine.tally import Counts, Tally
from strategies.sdk import Intent, MarketKey, Nominator
from strategies.services.claims import TickClaim
from strategies.services.deciding import Basis, split_markets
from strategies.services.decisions import BookFailure
from strategies.services.explanations import Explanation
from strategies.services.left_memory import LeftMemory
from strategies.services.setups import Setup
from strategies.services.streaming import StreamReport, StreamTurn, decide_on_stream

logger = logging.getLogger(__name__)

BASIS_AGE_MS_MAX: Final = 5_000
"""On what was read longer ago nothing is decided [ms]; it is read anew every second."""
SUPERSEDED_MAX: Final = 3
"""So often in a row a decision is taken again at once because a newer book came."""
FAILURE_REST_MS: Final = 1_000
"""For so long a strategy rests after a decision that failed, or an execution that did not end as
planned: what was wrong about it, a book or a key, is wrong in the next instant as well [ms]."""
IDLE_REST_MS_MAX: Final = 10
"""For at most so long it rests after decisions that came to nothing, so that one which is
nominated again and again in vain leaves the processor to the others [ms]."""
_IDLE_FREE: Final = 2
"""Decisions that come to nothing before the first rest."""
_IDLE_MEMORY_MS: Final = 1_000
"""What came to nothing longer ago does not count [ms]."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all deciders of an engine share.

    Attributes:
        books: the newest books.
        crew: threads that decide.
        recorder: counts how long stages take.
        clock: tells the time.
        counts: what was done.
        call_later: calls something after so many seconds, on the loop.
        is_held: whether a strategy is still to be decided on.
        let_go: gives a strategy back that was left in the middle of an execution.
    """

    books: Books
    crew: Threads
    recorder: StageRecorder
    clock: Clock
    counts: Counts
    call_later: Callable[[float, Callable[[], None]], Any]
    is_held: Callable[[int], bool]
    let_go: Callable[[int], None]


@dataclass(slots=True)
class _Flight:
    """The decision that a thread makes at this moment."""

    live: Mapping[MarketKey, LiveBook]
    versions: Mapping[MarketKey, int]
    nominated_at_ns: int
    lost: set[MarketKey] = field(default_factory=set)


class Decider:
    """One strategy that an engine holds.

    Args:
        strategy_id: of the strategy.
        run_id: in which it was taken.
        claim: the engine's right to send its orders.
        around: what it shares with the others.

    Attributes:
        engagements: how often it has, or may have, begun an execution: what was read before the
            end of the last one must not be decided on.
    """

    def __init__(
        self, *, strategy_id: int, run_id: int, claim: TickClaim, around: Surroundings
    ) -> None:
        self.strategy_id = strategy_id
        self.run_id = run_id
        self.claim = claim
        self._around = around
        self._basis: Basis | None = None
        self._markets: Mapping[MarketKey, Market] = {}
        self._disabled: Sequence[BookFailure] = ()
        self._nominator: Nominator | None = None
        self._echoes = Echoes()
        self._memory = LeftMemory()
        self._tally = Tally()
        self._reminder = Reminder(strategy_id)
        self._flight: _Flight | None = None
        self._moments = Moments()
        self._is_asked = self._is_patient = self._is_due = self._is_forced = self._is_over = False
        self._nominated_at_ns = 0
        self._rests_until_ms = self._idled_at_ms = 0.0
        self._is_alarm_set = False
        self._superseded = self._idle = self.engagements = 0

    @property
    def markets(self) -> Mapping[MarketKey, Market]:
        """Markets whose books it wants."""
        return self._markets

    @property
    def is_busy(self) -> bool:
        """Whether a thread decides for it at this moment."""
        return self._flight is not None

    @property
    def is_away(self) -> bool:
        """Whether that thread carries an execution out, which takes as long as venues do."""
        return self._flight is not None and self._moments.committed_ns > 0

    @property
    def basis(self) -> Basis | None:
        """What it decides on, as it was read last."""
        return self._basis

    def close(self) -> None:
        """Decide nothing any more; what a thread does already goes on as its claim allows."""
        self._is_over = True

    # --- what happens to it -----------------------------------------------------------------

    def install(self, basis: Basis) -> bool:
        """Take what was read anew; return whether it wants other markets now."""
        before = self._basis
        is_other = before is None or before.setup is not basis.setup
        if is_other:
            self._prepare(basis.setup)
        # last: what a plugin raises must not leave it with half of what is new
        self._basis = basis
        self._reminder.read(before, basis)
        return is_other

    def _prepare(self, setup: Setup) -> None:
        """Nominate on the markets of a setup from now on."""
        made = setup.plugin.nominator(setup.rules)
        self._nominator = None if made is None else Guarded(made, self.strategy_id)
        self._markets, self._disabled = split_markets(setup)
        for key in self._markets:
            book = self._around.books.book(*key)
            if book is not None and self._nominator is not None:
                self._nominator.update(key, book.best_bid, book.best_ask)

    def remind(self) -> None:
        """Decide if it is time to, though no book may have asked for it."""
        if self._nominator is None or self._reminder.is_due(self._around.clock.monotonic_ms()):
            self.force()
        else:
            self._ask()  # what had to wait for a new reading

    def force(self) -> None:
        """Decide once in any case, when there is time: not every intent comes from a book."""
        self._is_forced = True
        self._ask()

    def book_changed(self, key: MarketKey, book: LiveBook, at_ns: int) -> None:
        """Look whether a decision on the changed book may come to something."""
        nominator = self._nominator
        self._echoes.hear(key, book)
        if nominator is not None and not nominator.update(key, book.best_bid, book.best_ask):
            return
        counts = self._around.counts
        counts.nominated += 1
        counts.conflated += self._is_due
        self._is_due = True
        self._nominated_at_ns = at_ns
        self._ask()

    def book_lost(self, key: MarketKey) -> None:
        """Forget a book that must not be decided on any more."""
        self._echoes.forget(key)
        if self._flight is not None:
            self._flight.lost.add(key)
        if self._nominator is not None:
            self._nominator.drop(key)

    def explain(self) -> Explanation | None:
        """Return what it did since it was last asked; ``None``: nothing."""
        tally, self._tally = self._tally, Tally()
        if not tally.decisions:
            return None
        return Explanation(
            claim=self.claim,
            run_id=self.run_id,
            findings=tally.findings,
            decision_count=tally.decisions,
            opportunity_count=tally.opportunities,
            execution_count=tally.executions,
            is_well=not tally.failures,
        )

    # --- an errand of the crew --------------------------------------------------------------

    def begin(self) -> Job | None:
        """Return the decision to be made on the books of this moment, if any may be made."""
        self._is_asked = False
        basis, now_ms = self._basis, self._around.clock.monotonic_ms()
        is_wanted = self._is_due or self._is_forced
        if self._is_over or basis is None or not is_wanted or self._flight is not None:
            return None
        if now_ms - basis.read_at_ms > BASIS_AGE_MS_MAX or self._must_wait(now_ms):
            return None
        books, failures = self._look(basis)
        if not self._around.is_held(self.strategy_id):
            # looked at only after the flight could be seen: whoever takes a strategy away and then
            # asks whether it is busy gets the truth
            self._flight = None
            return None
        self._moments = Moments()
        turn = StreamTurn(
            basis=basis,
            claim=self.claim,
            books=books,
            failures=failures,
            now_ms=self._around.clock.now_ms(),
            clock=self._around.clock,
            is_current=self._is_current,
            memory=self._memory,
            moments=self._moments,
        )
        self._is_due = self._is_forced = False
        self._reminder.begun()
        return partial(decide_on_stream, turn)

    def end(self, report: StreamReport) -> None:
        """Take what came of a decision, and go on with what has happened in the meantime."""
        flight, self._flight = self._flight, None
        self._count(report, flight)
        now_ms = self._around.clock.monotonic_ms()
        self._reminder.decided(is_open=not report.is_quiet, now_ms=now_ms)
        self.engagements += bool(report.execution_count or report.is_left_undone)
        if report.basis is not None:
            self._go_on_with(report.basis)
        if report.is_left_undone:
            self._around.let_go(self.strategy_id)
        if report.error or report.is_away or report.has_fallen_short:
            self._rests_until_ms = now_ms + FAILURE_REST_MS
        elif report.is_superseded:
            self._superseded += 1
            self._is_due |= self._superseded <= SUPERSEDED_MAX
        else:
            self._superseded = 0
            self._settle(report, flight, now_ms)
        self._ask()

    def fail(self, error: Exception) -> None:
        """Take note that a decision could not even be reported."""
        logger.error("a decision of strategy %s broke", self.strategy_id, exc_info=error)
        self.engagements += 1
        # how far it had come is not known: whoever takes it next looks what was begun
        self._around.let_go(self.strategy_id)
        self.end(StreamReport(is_away=True))

    def _go_on_with(self, basis: Basis) -> None:
        """Decide on what was read after an execution.

        With other markets only after the next reading: nobody tells of their books yet.
        """
        if self._basis is not None and self._basis.setup is basis.setup:
            self.install(basis)
        else:
            self._basis = None

    def _settle(self, report: StreamReport, flight: _Flight | None, now_ms: float) -> None:
        """Rest as what came of a decision demands."""
        if report.execution_count:
            # other intents may stand; they are looked at as soon as the books show this one
            self._is_due = True
            versions = flight.versions if flight else {}
            self._echoes.expect(report.trades, versions, now_ms=now_ms)
            for key, live in (flight.live if flight else {}).items():
                self._echoes.hear(key, live)
            return
        if flight is None or not flight.nominated_at_ns:
            return
        is_recent = now_ms - self._idled_at_ms < _IDLE_MEMORY_MS
        self._idle = self._idle + 1 if is_recent else 1
        self._idled_at_ms = now_ms
        if self._idle > _IDLE_FREE:
            self._rests_until_ms = now_ms + min(IDLE_REST_MS_MAX, self._idle - _IDLE_FREE)

    def _count(self, report: StreamReport, flight: _Flight | None) -> None:
        counts = self._around.counts
        counts.superseded += report.is_superseded
        counts.executed += report.execution_count
        counts.failed += bool(report.error)
        if report.execution_count or not (report.is_superseded or report.is_away):
            counts.decided += 1
            self._tally.add(report)
        if flight and flight.nominated_at_ns and report.intended_at_ns:
            took_us = (report.intended_at_ns - flight.nominated_at_ns) / 1_000
            self._around.recorder.record(Stage.DECISION, took_us)
        for stage, took_us in report.durations_us():
            self._around.recorder.record(stage, took_us)

    # --- inner workings ---------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask for a thread if there is something to decide and none has been asked for."""
        if self._is_over or self._flight is not None or self._basis is None:
            return
        if self._is_asked and not self._is_patient:
            return
        is_urgent = self._is_due and not self._is_barred()
        if not is_urgent and (self._is_asked or not self._is_forced):
            return
        if self._must_wait(self._around.clock.monotonic_ms()):
            return
        self._is_patient = not is_urgent
        if self._is_asked:
            # what a book offers must not wait behind those that only say how things stand
            self._around.crew.hurry(self)
            return
        self._is_asked = True
        if not self._around.crew.ask(self, is_urgent=is_urgent):
            self._is_asked = False

    def _is_barred(self) -> bool:
        """Return whether nothing may be carried out whatever the books say.

        Then only the decision of each second is made, which says why.
        """
        return self._basis is None or self._basis.footing.bars_everything

    def _must_wait(self, now_ms: float) -> bool:
        """Return whether it has to rest; it asks again when that is over."""
        wait_ms = max(self._rests_until_ms - now_ms, self._echoes.wait_ms(now_ms))
        if wait_ms <= 0:
            return False
        if not self._is_alarm_set:
            self._is_alarm_set = True
            self._around.call_later(wait_ms / 1_000, self._wake)
        return True

    def _wake(self) -> None:
        self._is_alarm_set = False
        # it was not to decide until now: what it waited for is no part of how fast it decides
        self._nominated_at_ns = time.monotonic_ns()
        self._ask()

    def _look(self, basis: Basis) -> tuple[dict[MarketKey, Book], list[BookFailure]]:
        """Return the exact books of this moment, and remember which they were."""
        depth = basis.setup.plugin.book_depth
        live: dict[MarketKey, LiveBook] = {}
        failures = list(self._disabled)
        for key in self._markets:
            book = self._around.books.book(*key)
            if book is None:
                failures.append(BookFailure(key, self._around.books.reason(*key)))
            else:
                live[key] = book
        exact = {key: book.to_book(depth) for key, book in live.items()}
        # last: what raised before must not leave a flight that nobody ends
        versions = {key: book.version for key, book in live.items()}
        self._flight = _Flight(live, versions, self._nominated_at_ns if self._is_due else 0)
        return exact, failures

    def _is_current(self, intent: Intent) -> bool:
        """Return whether the books of an intent are still those that it was made from.

        Called by the thread that decides: it only reads what the loop writes. The feeds are not
        asked, since they belong to the loop; it has noted whose gate was closed.
        """
        flight = self._flight
        if flight is None or self._is_over:
            return False
        for leg in intent.legs:
            key = MarketKey(leg.venue, leg.symbol)
            if key in flight.lost or key not in flight.live:
                return False
            if flight.live[key].version != flight.versions[key]:
                return False
        return True
