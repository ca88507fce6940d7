"""One tick of a strategy: look, decide, act, and say what was decided and why."""

import logging
from dataclasses import dataclass, field
from enum import StrEnum

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError, Conflict
from ledger.domain.moments import Moments
from markets.domain.book import Book
from markets.services.data import fetch_books
from strategies.models import Run, Strategy
from strategies.sdk import MarketKey
from strategies.selectors import get_open_run, get_strategy
from strategies.services.claims import TickClaim, claim_tick
from strategies.services.deciding import (
    Deeds,
    Turn,
    carry_out,
    findings_of,
    read_basis,
    split_markets,
)
from strategies.services.decisions import BookFailure, describe_findings
from strategies.services.endings import TickEnding, end_tick, warn_of_books
from strategies.services.failures import explain
from strategies.services.setups import Setup

logger = logging.getLogger(__name__)


class TickOutcome(StrEnum):
    """What a tick came to."""

    DROPPED = "dropped"
    """It did not run: another one runs, it came too late or too soon, or the strategy rests."""
    NOTHING = "nothing"
    """There was nothing worth trading."""
    LEFT = "left"
    """There was something, but it was not allowed."""
    EXECUTED = "executed"
    FAILED = "failed"
    """Something unexpected happened; it is in the log."""


@dataclass(slots=True)
class TickReport:
    """What a tick did, for its caller and for measurements.

    Attributes:
        outcome: in one word.
        execution_ids: what was carried out.
        opportunity_count: how many opportunities were written down.
        error: of a failed tick.
        durations_ms: how long each stage took, by name [ms].
        moments: when the orders of the last execution passed each step.
    """

    outcome: TickOutcome
    execution_ids: list[int] = field(default_factory=list)
    opportunity_count: int = 0
    error: str = ""
    durations_ms: dict[str, float] = field(default_factory=dict)
    moments: Moments = field(default_factory=Moments)


class _Stopwatch:
    """Measures stages one after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_ms = clock.monotonic_ms()
        self.durations_ms: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """End the stage that runs and call it ``stage``."""
        now_ms = self._clock.monotonic_ms()
        self.durations_ms[stage] = round(now_ms - self._started_ms, 3)
        self._started_ms = now_ms


@dataclass(slots=True)
class _Tick:
    """A tick that runs."""

    strategy: Strategy
    run: Run
    claim: TickClaim
    clock: Clock
    watch: _Stopwatch


def run_tick(
    *, strategy_id: int, clock: Clock = SYSTEM_CLOCK, is_spacing_kept: bool = True
) -> TickReport:
    """Run one tick of a strategy, unless another one runs or it came at the wrong time.

    Books are fetched from all venues at once; one that cannot be had is left out. Whatever goes
    wrong is logged and written on the strategy, and after several failures in a row the strategy
    is stopped as faulted.

    Args:
        strategy_id: of the strategy.
        clock: tells the time.
        is_spacing_kept: whether a tick that comes too soon after the last one is dropped.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    watch = _Stopwatch(clock)
    strategy = get_strategy(strategy_id)
    claim = claim_tick(strategy, clock=clock, is_spacing_kept=is_spacing_kept)
    if claim is None:
        return TickReport(TickOutcome.DROPPED)
    report = TickReport(TickOutcome.FAILED)
    ending = TickEnding()
    try:
        report, ending = _work(_Tick(strategy, _open_run_of(strategy), claim, clock, watch))
    except ArbError as error:
        # a known cause, such as parameters that the plugin no longer accepts: no stack needed
        ending = TickEnding(failure=explain(error))
    except Exception as error:
        logger.exception("tick of strategy %s failed", strategy_id)
        ending = TickEnding(failure=explain(error))
    report.error = "" if ending.failure is None else str(ending.failure.message)
    end_tick(claim=claim, ending=ending, clock=clock)
    watch.lap("finish")
    report.durations_ms = watch.durations_ms
    return report


def _open_run_of(strategy: Strategy) -> Run:
    run = get_open_run(strategy.pk)
    if run is None:
        raise Conflict(
            "The strategy {name} has no open run. Stop it and start it again.", name=strategy.name
        )
    return run


def _work(tick: _Tick) -> tuple[TickReport, TickEnding]:
    basis = read_basis(strategy=tick.strategy, run=tick.run, clock=tick.clock)
    tick.watch.lap("read")
    books, failures = _fetch(basis.setup)
    tick.watch.lap("fetch")
    warn_of_books({tick.strategy.pk: failures}, now=tick.clock.now())
    view = basis.view(books, now_ms=tick.clock.now_ms())
    evaluation = basis.evaluate(view)
    tick.watch.lap("evaluate")
    turn = Turn(basis, tick.claim, tick.clock)
    deeds = carry_out(turn, view, evaluation)
    tick.watch.lap("execute")
    ending = TickEnding(
        decision=describe_findings(findings_of(view, evaluation, deeds, failures)),
        opportunity_count=deeds.written_count,
        execution_count=len(deeds.executions),
    )
    report = TickReport(
        outcome=_outcome(deeds),
        execution_ids=[execution.pk for execution in deeds.executions],
        opportunity_count=deeds.written_count,
        moments=turn.moments,
    )
    return report, ending


def _fetch(setup: Setup) -> tuple[dict[MarketKey, Book], list[BookFailure]]:
    """Return every book that can be had, and why the others cannot."""
    markets, disabled = split_markets(setup)
    report = fetch_books(
        [(market.venue, key.symbol) for key, market in markets.items()],
        depth=setup.plugin.book_depth,
        late_ms=setup.plugin.book_wait_ms,
    )
    books = {MarketKey(*key): book for key, book in report.books.items()}
    failures = [BookFailure(MarketKey(*key), error) for key, error in report.errors.items()]
    return books, failures + disabled


def _outcome(deeds: Deeds) -> TickOutcome:
    if deeds.executions:
        return TickOutcome.EXECUTED
    return TickOutcome.LEFT if deeds.left else TickOutcome.NOTHING
