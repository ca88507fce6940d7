"""Say how an execution ended, from its orders and the ledger."""

from django.db import transaction
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Quantity, to_plain
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import LogLevel
from ledger.selectors import execution_movements
from ledger.services.logs import write_log
from strategies.domain.legs import LegOutcome, judge
from strategies.domain.states import EXECUTION_TRANSITIONS, FINISHED_STATES, ExecutionState
from strategies.models import Execution
from strategies.selectors import list_outcomes, lock_execution
from strategies.services.claims import TickClaim
from strategies.services.runs import is_ticking

_LOG_LINES = {
    ExecutionState.COMPLETED: (
        LogLevel.INFO,
        _("Executed {summary}: {profit} {asset} made, {expected} {asset} expected."),
    ),
    ExecutionState.INCOMPLETE: (
        LogLevel.WARNING,
        _(
            "{summary} fell short: some leg was not wholly filled. {asset} moved by {profit}, "
            "and these are left over: {residuals}."
        ),
    ),
    ExecutionState.FAILED: (
        LogLevel.WARNING,
        _("{summary} failed: nothing was filled. {errors}"),
    ),
    ExecutionState.UNKNOWN: (
        LogLevel.ERROR,
        _(
            "{summary}: the outcome of an order is not known. It is being looked up by its "
            "client id and never sent again; the strategy does not trade until it is found. "
            "{errors}"
        ),
    ),
}


@transaction.atomic
def settle_execution(
    *, execution_id: int, claim: TickClaim | None = None, clock: Clock = SYSTEM_CLOCK
) -> Execution:
    """Bring state and figures of an execution up to what its orders and the ledger say.

    May be called any number of times. An execution whose own tick is still sending legs is left
    alone, unless the tick itself calls.

    Args:
        execution_id: of the execution.
        claim: the claim of the tick that carries it out, when that is the caller.
        clock: tells the time.

    Raises:
        NotFound: there is no such execution.
    """
    execution = lock_execution(execution_id)
    if claim is None and _is_in_progress(execution, clock):
        return execution
    orders = list_outcomes(execution_id)
    outcomes = [_outcome(state, filled) for state, filled, _error in orders]
    event = judge(outcomes, leg_count=execution.leg_count)
    before = ExecutionState(execution.state)
    movements = execution_movements(execution_id)
    asset = execution.profit_asset.code
    execution.realised_profit = movements.get(asset, ZERO)
    execution.residuals = {
        code: to_plain(amount)
        for code, amount in sorted(movements.items())
        if code != asset and amount
    }
    if EXECUTION_TRANSITIONS.can(before, event):
        execution.state = EXECUTION_TRANSITIONS.next_state(before, event)
    after = ExecutionState(execution.state)
    if after in FINISHED_STATES and execution.finished_at is None:
        execution.finished_at = clock.now()
    execution.save(
        update_fields=["state", "realised_profit", "residuals", "finished_at", "updated_at"]
    )
    if after is not before:
        _log(execution, [error for _state, _filled, error in orders if error])
    return execution


def _is_in_progress(execution: Execution, clock: Clock) -> bool:
    if execution.state != ExecutionState.EXECUTING:
        return False
    last_tick_at = execution.strategy.last_tick_at
    return is_ticking(execution.strategy, clock.now()) and (
        last_tick_at is None or execution.created_at >= last_tick_at
    )


def _outcome(text: str, filled_quantity: Quantity) -> LegOutcome:
    state = OrderState(text)
    return LegOutcome(
        is_live=state in LIVE_STATES,
        is_filled=state is OrderState.FILLED,
        filled_quantity=filled_quantity,
    )


def _log(execution: Execution, errors: list[str]) -> None:
    level, template = _LOG_LINES[ExecutionState(execution.state)]
    residuals = ", ".join(f"{amount} {code}" for code, amount in execution.residuals.items())
    write_log(
        strategy_id=execution.strategy_id,
        level=level,
        event=f"execution_{execution.state}",
        template=template,
        execution_id=execution.pk,
        summary=execution.opportunity.summary,
        profit=to_plain(execution.realised_profit or ZERO),
        expected=to_plain(execution.expected_profit),
        asset=execution.profit_asset.code,
        residuals=residuals or "–",
        errors=" ".join(errors),
    )
