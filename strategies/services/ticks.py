"""One tick of a strategy: look, decide, act, and say what was decided and why."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from accounts.errors import FundsReserved
from arbplatform.core.clock import SYSTEM_CLOCK, Clock, from_ms
from arbplatform.core.decimals import Amount
from arbplatform.core.errors import ArbError, Conflict
from ledger.errors import TradingHalted
from ledger.selectors import spendable_balances
from ledger.services.batches import Unmet
from markets.domain.book import Book
from markets.errors import VenueDisabled
from markets.services.data import fetch_books
from strategies.domain.dust import carry_dust
from strategies.models import Decision, Execution, Reason, Run, Strategy
from strategies.sdk import AssetKey, Evaluation, Intent, MarketKey, MarketView
from strategies.selectors import get_open_run, get_strategy
from strategies.services.claims import TickClaim, claim_tick, extend_claim
from strategies.services.decisions import BookFailure, Findings, describe_findings
from strategies.services.dust import read_dust
from strategies.services.endings import TickEnding, end_tick, warn_of_books
from strategies.services.execution import Engagement, execute_intent
from strategies.services.gates import Footing, read_footing, read_gate
from strategies.services.opportunities import LeftIntent, Sighting, record_left, route_of
from strategies.services.setups import SETUPS, Setup

logger = logging.getLogger(__name__)

EXECUTIONS_PER_TICK = 1
"""One at a time: the second would be decided on balances and books that the first has changed."""


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
    """

    outcome: TickOutcome
    execution_ids: list[int] = field(default_factory=list)
    opportunity_count: int = 0
    error: str = ""
    durations_ms: dict[str, float] = field(default_factory=dict)


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
        ending = TickEnding(error=str(error))
    except Exception as error:
        logger.exception("tick of strategy %s failed", strategy_id)
        ending = TickEnding(error=f"{type(error).__name__}: {error}")
    report.error = ending.error
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
    setup = SETUPS.get(tick.strategy, tick.run.pk)
    free = _read_free(setup)
    dust = read_dust(tick.strategy.pk)
    # before the books: what is read after them makes them older
    footing = read_footing(strategy=tick.strategy, run=tick.run, setup=setup, clock=tick.clock)
    tick.watch.lap("read")
    books, failures = _fetch(setup)
    tick.watch.lap("fetch")
    warn_of_books(tick.strategy.pk, failures, now=tick.clock.now())
    view = MarketView(
        now_ms=tick.clock.now_ms(), books=books, rules=setup.rules, free=free, dust=dust
    )
    evaluation = carry_dust(setup.plugin.evaluate(view), view)
    tick.watch.lap("evaluate")
    executions, left, opportunity_count = _act(tick, footing, view, evaluation)
    findings = Findings(
        at=from_ms(view.now_ms),
        evaluation=evaluation,
        failures=failures,
        executions=executions,
        left=left,
    )
    ending = TickEnding(
        decision=describe_findings(findings),
        opportunity_count=opportunity_count,
        execution_count=len(executions),
    )
    report = TickReport(
        outcome=_outcome(executions, left),
        execution_ids=[execution.pk for execution in executions],
        opportunity_count=opportunity_count,
    )
    return report, ending


def _read_free(setup: Setup) -> dict[AssetKey, Amount]:
    """Return what nobody has set aside, by our own books: exact to the last booked fill."""
    return {
        AssetKey(venue, asset): amount
        for venue, account in setup.accounts.items()
        for asset, amount in spendable_balances(account.pk).items()
    }


def _fetch(setup: Setup) -> tuple[dict[MarketKey, Book], list[BookFailure]]:
    """Return every book that can be had, and why the others cannot."""
    enabled = {key: market for key, market in setup.markets.items() if market.venue.is_enabled}
    report = fetch_books(
        [(market.venue, key.symbol) for key, market in enabled.items()],
        depth=setup.plugin.book_depth,
    )
    books = {MarketKey(*key): book for key, book in report.books.items()}
    failures = [BookFailure(MarketKey(*key), error) for key, error in report.errors.items()]
    failures += [
        BookFailure(key, VenueDisabled(venue=key.venue))
        for key in setup.markets
        if key not in enabled
    ]
    return books, failures


def _act(
    tick: _Tick, footing: Footing, view: MarketView, evaluation: Evaluation
) -> tuple[list[Execution], list[LeftIntent], int]:
    """Carry out the best intent that nothing forbids, and write down the others."""
    if not evaluation.intents:
        return [], [], 0
    setup = footing.setup
    sighting = Sighting(
        strategy_id=tick.strategy.pk,
        run_id=tick.run.pk,
        detected_at=tick.clock.now(),
        view=view,
        params=setup.plugin.params,
        depth=setup.plugin.book_depth,
        markets=setup.markets,
    )
    footing = footing.seeing(view)
    chosen, left = _choose(tick, footing, evaluation.intents)
    executions = [
        execution
        for intent in chosen
        if (execution := _carry_out(tick, footing, sighting, intent, left)) is not None
    ]
    tick.watch.lap("execute")
    written = record_left(sighting=sighting, left=left)
    return executions, left, len(executions) + len(written)


def _carry_out(
    tick: _Tick, footing: Footing, sighting: Sighting, intent: Intent, left: list[LeftIntent]
) -> Execution | None:
    """Carry out an intent; if its funds were taken in the meantime, what they still allow of it.

    Funds are looked at again once, and the same books are decided on anew: what is too small then
    is not traded.
    """
    try:
        return _try(tick, footing, sighting, intent, left)
    except FundsReserved as denial:
        left.append(LeftIntent(intent, Decision.DENIED, Reason.FUNDS_RESERVED, denial.message))
    view = replace(sighting.view, free=_read_free(footing.setup))
    for smaller in carry_dust(footing.setup.plugin.evaluate(view), view).intents:
        if route_of(smaller) != route_of(intent) or smaller.notional >= intent.notional:
            continue
        chosen, _left = _choose(tick, footing.seeing(view), [smaller])
        fresh = replace(sighting, view=view)
        try:
            return _try(tick, footing, fresh, smaller, left) if chosen else None
        except FundsReserved:
            return None
    return None


def _try(
    tick: _Tick, footing: Footing, sighting: Sighting, intent: Intent, left: list[LeftIntent]
) -> Execution | None:
    engagement = Engagement(tick.claim, footing.setup, sighting, footing.accounts, tick.clock)
    try:
        return execute_intent(engagement=engagement, intent=intent)
    except TradingHalted:
        reason: Reason | None = Reason.TRADING_HALTED
    except Unmet:
        # something has changed since the gate was read: say what
        venues = frozenset(footing.setup.accounts)
        gate = read_gate(strategy_id=tick.strategy.pk, venues=venues)
        reason = gate.reason_against(intent)
    left.append(LeftIntent(intent, Decision.DENIED, reason or Reason.TICK_LOST))
    return None


def _choose(
    tick: _Tick, footing: Footing, intents: Sequence[Intent]
) -> tuple[list[Intent], list[LeftIntent]]:
    chosen: list[Intent] = []
    left: list[LeftIntent] = []
    for intent in intents:
        reason = footing.reason_against(intent)
        if reason is not None:
            left.append(LeftIntent(intent, Decision.DENIED, reason))
        elif len(chosen) >= EXECUTIONS_PER_TICK:
            left.append(LeftIntent(intent, Decision.SKIPPED, Reason.ONE_PER_TICK))
        elif (denial := footing.risk.denial_of(intent)) is not None:
            reason = Reason(denial.code)
            left.append(LeftIntent(intent, Decision.DENIED, reason, denial.message))
        elif not extend_claim(tick.claim, clock=tick.clock):
            left.append(LeftIntent(intent, Decision.DENIED, Reason.TICK_LOST))
        else:
            chosen.append(intent)
    return chosen, left


def _outcome(executions: Sequence[Execution], left: Sequence[LeftIntent]) -> TickOutcome:
    if executions:
        return TickOutcome.EXECUTED
    return TickOutcome.LEFT if left else TickOutcome.NOTHING
