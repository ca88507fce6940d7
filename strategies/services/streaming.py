"""What an engine's threads do for its loop: read, decide, carry out, write down.

Nothing here knows of the loop. Each function runs in one thread with its own database connection
and returns what the loop needs to know; a decision never raises, since the engine goes on.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import InterfaceError, OperationalError
from django.db.models import Max

from arbplatform.core.clock import Clock, to_ms
from arbplatform.core.errors import ArbError, Conflict
from arbplatform.core.stages import Stage
from ledger.domain.moments import Moments
from ledger.models import Fill
from markets.domain.book import Book
from strategies.domain.states import ExecutionState
from strategies.errors import StrategyNotFound
from strategies.models import Execution
from strategies.sdk import Intent, MarketKey
from strategies.selectors import list_strategies, map_accounts, read_venue_stamps
from strategies.selectors.engines import map_starts
from strategies.services.claims import TickClaim
from strategies.services.deciding import (
    Basis,
    Superseded,
    Turn,
    carry_out,
    findings_of,
    read_bases,
)
from strategies.services.decisions import BookFailure, Findings
from strategies.services.endings import note_failure
from strategies.services.failures import Failure, explain
from strategies.services.left_memory import LeftMemory
from strategies.services.setups import SETUPS, Candidate, Setup
from strategies.services.shelves import SHELF, ShelfAt

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamTurn:
    """One decision that an engine has a thread make.

    Attributes:
        basis: what it rests on besides the books.
        claim: the engine's right to send orders of the strategy.
        books: the newest ones, of this moment.
        failures: books that cannot be used, and why.
        now_ms: this moment [ms since epoch].
        clock: tells the time.
        is_current: whether the books of an intent are still the newest ones.
        memory: what was written down about opportunities that were left.
        moments: filled with when the orders of an execution passed each step.
    """

    basis: Basis
    claim: TickClaim
    books: Mapping[MarketKey, Book]
    failures: Sequence[BookFailure]
    now_ms: int
    clock: Clock
    is_current: Callable[[Intent], bool]
    memory: LeftMemory
    moments: Moments = field(default_factory=Moments)


@dataclass(slots=True)
class StreamReport:
    """What came of a decision.

    Attributes:
        findings: to be described; ``None`` when there are none.
        written_count: opportunities that were written down.
        execution_count: intents that were carried out.
        intent_count: intents that there were.
        basis: read anew after an execution; ``None``: the old one is still good.
        trades: when each market was last traded on [ms since epoch, the venue's clock].
        has_fallen_short: an execution did not end as planned.
        is_superseded: a newer book came before anything was written.
        is_away: the database was.
        error: what went wrong; empty when nothing did.
        intended_at_ns: when it was known what to carry out; 0: nothing (``time.monotonic_ns``).
        moments: when the orders of the last execution passed each step.
    """

    findings: Findings | None = None
    written_count: int = 0
    execution_count: int = 0
    intent_count: int = 0
    basis: Basis | None = None
    trades: Mapping[MarketKey, int] = field(default_factory=dict)
    has_fallen_short: bool = False
    is_superseded: bool = False
    is_away: bool = False
    error: str = ""
    intended_at_ns: int = 0
    moments: Moments = field(default_factory=Moments)

    @property
    def is_left_undone(self) -> bool:
        """Whether it broke off where an execution may have been begun."""
        return bool(self.intended_at_ns and (self.error or self.is_away))

    @property
    def is_quiet(self) -> bool:
        """Whether it was decided, and there was nothing to carry out."""
        return not (self.intent_count or self.error or self.is_superseded or self.is_away)

    def durations_us(self) -> Iterator[tuple[Stage, float]]:
        """Yield how long each stage from the intent on took [µs]."""
        moments = self.moments
        if not moments.committed_ns or not self.intended_at_ns:
            return
        yield Stage.COMMIT, (moments.committed_ns - self.intended_at_ns) / 1_000
        for leg, sent_ns in moments.sent_ns.items():
            yield Stage.SEND, (sent_ns - moments.committed_ns) / 1_000
            if leg in moments.acked_ns:
                yield Stage.ACK, (moments.acked_ns[leg] - sent_ns) / 1_000
            if moments.booked_ns:
                yield Stage.FILL, (moments.booked_ns - sent_ns) / 1_000


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read for several strategies.

    Attributes:
        bases: what each decides on.
        failures: why nothing could be read for the others.
    """

    bases: dict[int, Basis] = field(default_factory=dict)
    failures: dict[int, Exception] = field(default_factory=dict)


def read_stream_basis(*, strategy_id: int, run_id: int, clock: Clock) -> Basis:
    """Return what a strategy decides on, read now.

    Args:
        strategy_id: of the strategy.
        run_id: in which it was taken.
        clock: tells the time.

    Raises:
        StrategyNotFound: it was deleted.
        Conflict: the run has ended.
        InvalidParams, UnsuitableAccounts, NotReadyToStart, SecretUnreadable: as ``read_basis``.
    """
    readings = read_stream_bases(runs={strategy_id: run_id}, clock=clock)
    for error in readings.failures.values():
        raise error
    return readings.bases[strategy_id]


def read_stream_bases(*, runs: Mapping[int, int], clock: Clock) -> Readings:
    """Return what strategies decide on, read now and for all of them together.

    One of which something cannot be read disturbs no other: those that are read with it are read
    again without it.

    Args:
        runs: the run in which each strategy was taken.
        clock: tells the time.

    Raises:
        OperationalError, InterfaceError: the database is away.
    """
    readings = Readings()
    try:
        candidates = _gather(runs, readings.failures)
        if candidates:
            readings.bases.update(read_bases(candidates, clock=clock))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  it is told of the strategy that it belongs to
        if len(runs) == 1:
            return Readings(failures=dict.fromkeys(runs, error))
        pairs, half = list(runs.items()), len(runs) // 2
        parts = [
            read_stream_bases(runs=dict(part), clock=clock) for part in (pairs[:half], pairs[half:])
        ]
        return Readings(parts[0].bases | parts[1].bases, parts[0].failures | parts[1].failures)
    return readings


def _gather(runs: Mapping[int, int], failures: dict[int, Exception]) -> list[Candidate]:
    """Return the strategies of which what they trade with is known or can be made."""
    starts, accounts = map_starts(runs.values()), map_accounts(runs)
    found = {
        pk: SETUPS.find(pk, run_id, accounts[pk]) for pk, run_id in runs.items() if run_id in starts
    }
    missing = [pk for pk in runs if found.get(pk) is None]
    if missing:
        found |= _make_setups({pk: runs[pk] for pk in missing}, starts, failures)
    return [
        Candidate(pk, runs[pk], starts[runs[pk]], accounts[pk], setup)
        for pk, setup in found.items()
        if setup is not None
    ]


def _make_setups(
    runs: Mapping[int, int], starts: Mapping[int, datetime], failures: dict[int, Exception]
) -> dict[int, Setup | None]:
    made: dict[int, Setup | None] = {}
    rows = {row.pk: row for row in list_strategies().filter(pk__in=runs).order_by()}
    listings = ShelfAt(SHELF, read_venue_stamps())
    for pk, run_id in runs.items():
        if pk not in rows:
            failures[pk] = StrategyNotFound(id=pk)
        elif run_id not in starts:
            failures[pk] = Conflict(
                "The run {run_id} of the strategy {name} has ended.",
                run_id=run_id,
                name=rows[pk].name,
            )
        else:
            try:
                made[pk] = SETUPS.get(rows[pk], run_id, listings)
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001  what a plugin raises is its own failure
                failures[pk] = error
    return made


def decide_on_stream(turn: StreamTurn) -> StreamReport:
    """Decide on the books of this moment and carry out what nothing forbids. Never raises."""
    report, failure = StreamReport(moments=turn.moments), None
    try:
        _decide(turn, report)
    except Superseded:
        report.is_superseded = True
    except (OperationalError, InterfaceError) as error:
        # nothing is decided or sent without a journal
        logger.warning("No decision of strategy %s: %s", turn.claim.strategy_id, error)
        report.is_away = True
    except ArbError as error:
        failure = explain(error)
    except Exception as error:
        logger.exception("a decision of strategy %s failed", turn.claim.strategy_id)
        failure = explain(error)
    if failure is not None:
        report.error = str(failure.message)
        note_stream_failure(claim=turn.claim, failure=failure, clock=turn.clock)
    return report


def note_stream_failure(*, claim: TickClaim, failure: Failure, clock: Clock) -> None:
    """Write down that something went wrong with a strategy, if the database can be had."""
    try:
        note_failure(claim=claim, failure=failure, clock=clock)
    except (OperationalError, InterfaceError) as away:
        logger.warning("A failure of strategy %s is not noted: %s", claim.strategy_id, away)


def note_stream_failures(*, failures: Sequence[tuple[TickClaim, Failure]], clock: Clock) -> None:
    """Write down what went wrong with strategies; what cannot be written disturbs no other.

    Args:
        failures: of different strategies: the claim and what went wrong.
        clock: tells the time.
    """
    for claim, failure in failures:
        try:
            note_stream_failure(claim=claim, failure=failure, clock=clock)
        except Exception:
            logger.exception("a failure of strategy %s is not noted", claim.strategy_id)


def _decide(turn: StreamTurn, report: StreamReport) -> None:
    basis = turn.basis
    view = basis.view(turn.books, now_ms=turn.now_ms)
    evaluation = basis.evaluate(view)
    report.intent_count = len(evaluation.intents)

    def is_current(intent: Intent) -> bool:
        report.intended_at_ns = time.monotonic_ns()
        return turn.is_current(intent)

    turn_of_all = Turn(
        basis=basis,
        claim=turn.claim,
        clock=turn.clock,
        is_current=is_current,
        memory=turn.memory,
        moments=report.moments,
    )
    deeds = carry_out(turn_of_all, view, evaluation)
    # all that is known already first: what is read below may fail
    report.findings = findings_of(view, evaluation, deeds, turn.failures)
    report.written_count = deeds.written_count
    report.execution_count = len(deeds.executions)
    if deeds.executions:
        report.has_fallen_short = any(
            execution.state != ExecutionState.COMPLETED for execution in deeds.executions
        )
        report.trades = _read_trades(deeds.executions)
        report.basis = read_stream_basis(
            strategy_id=basis.strategy_id, run_id=basis.run_id, clock=turn.clock
        )


def _read_trades(executions: Sequence[Execution]) -> dict[MarketKey, int]:
    """Return when each market was last traded on by these executions."""
    rows = (
        Fill.objects.filter(order__execution_id__in=[execution.pk for execution in executions])
        .order_by()
        .values_list("market__venue__code", "market__symbol")
        .annotate(last=Max("executed_at"))
    )
    return {MarketKey(venue, symbol): to_ms(last) for venue, symbol, last in rows}
