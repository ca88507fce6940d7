"""Celery's way in: an id, one service."""

import logging

from celery import shared_task
from django.db import InterfaceError, OperationalError

from arbplatform.background.single import alone
from arbplatform.core.errors import NotFound
from strategies.errors import StrategyNotFound
from strategies.services import batch_ticks, own_fees, pegs, repairs, result_audits, sweeps, ticks

logger = logging.getLogger(__name__)

TICK_SOFT_LIMIT_S = 110
TICK_HARD_LIMIT_S = 120
"""A tick's own steps are bounded by the venues' time-outs; these stop one that hangs elsewhere."""
SWEEP_EXPIRES_S = 5
AUDIT_LONGEST_S = 600
FEES_LONGEST_S = 1800


@shared_task(
    name="strategies.tick",
    soft_time_limit=TICK_SOFT_LIMIT_S,
    time_limit=TICK_HARD_LIMIT_S,
    ignore_result=True,
)
def tick(strategy_id: int) -> str:
    """Run one tick. Safe to deliver twice: one of the two wins the claim, the other is dropped."""
    try:
        return ticks.run_tick(strategy_id=strategy_id).outcome.value
    except (OperationalError, InterfaceError) as error:
        # nothing is decided or sent without a journal; a stack each second would say no more
        logger.warning("No tick of strategy %s: the database is away: %s", strategy_id, error)
        return "database_away"
    except StrategyNotFound:
        # deleted after the message was sent: nothing is left to do
        return "gone"


@shared_task(
    name="strategies.tick_batch",
    soft_time_limit=TICK_SOFT_LIMIT_S,
    time_limit=TICK_HARD_LIMIT_S,
    ignore_result=True,
)
def tick_batch(strategy_ids: list[int], due_ms: int | None = None) -> str:
    """Run ticks of many strategies. Safe to deliver twice, as ``tick`` is."""
    try:
        report = batch_ticks.run_batch(strategy_ids=strategy_ids, due_ms=due_ms)
    except (OperationalError, InterfaceError) as error:
        logger.warning("No ticks of a batch: the database is away: %s", error)
        return "database_away"
    return f"quiet {len(report.quiet)}, alone {len(report.alone)}, dropped {report.dropped}"


@shared_task(name="strategies.settle_execution", ignore_result=True)
def settle_execution(execution_id: int) -> str:
    """Go on with an execution after one of its orders ended. Safe to deliver twice."""
    try:
        return repairs.go_on(execution_id=execution_id).state
    except NotFound:
        return "gone"


@shared_task(name="strategies.sweep", expires=SWEEP_EXPIRES_S, ignore_result=True)
def sweep() -> int:
    """Settle whatever a lost worker or message left undone; return how many rows failed."""
    return sweeps.sweep()


@shared_task(name="strategies.measure_pegs", ignore_result=True)
def measure_pegs() -> int:
    """Look at the reference markets of pegged assets; return how many showed a price."""
    return len(pegs.measure_pegs())


@shared_task(name="strategies.audit_results", ignore_result=True)
@alone(longest_s=AUDIT_LONGEST_S)
def audit_results() -> None:
    """Compare totals of results with what they add up, of those strategies whose turn it is."""
    result_audits.audit_results()


@shared_task(name="strategies.read_own_fees", ignore_result=True)
@alone(longest_s=FEES_LONGEST_S)
def read_own_fees() -> None:
    """Ask venues what our accounts pay on the markets of running strategies."""
    own_fees.read_all_own_fees()
