"""Say how an execution ended, from its orders and the ledger."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import Clock
from arbplatform.core.decimals import ZERO, Amount, to_decimal, to_plain
from arbplatform.core.errors import Message
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.persistence.retries import retried
from ledger.domain.orders import has_come
from ledger.models import LogLevel
from ledger.selectors import count_entries, execution_movements
from ledger.services.logs import write_log
from strategies.domain.outcomes import Outcome, are_as_planned, is_other_exposure, is_short
from strategies.domain.repair import judge
from strategies.domain.states import (
    EXECUTION_TRANSITIONS,
    FINISHED_STATES,
    ExecutionEvent,
    ExecutionState,
)
from strategies.models import Execution
from strategies.sdk import MarketKey
from strategies.selectors import list_markets_of, list_outcomes, lock_execution
from strategies.services.announcements import announce_execution
from strategies.services.attributions import derive_attribution
from strategies.services.claims import TickClaim
from strategies.services.dust import book_dust, dust_of
from strategies.services.reloads import reload_refusing_venues
from strategies.services.results import add_to_results, changes_of_state
from strategies.services.runs import is_under_way
from strategies.services.situations import read_scene

REPAIR_TIME = timedelta(seconds=30)
"""For so long an execution that fell short is repaired; what is exposed then is held."""

_LOG_LINES = {
    ExecutionState.COMPLETED: (
        LogLevel.INFO,
        _("Executed {summary}: {profit} {asset} made, {expected} {asset} expected."),
    ),
    ExecutionState.INCOMPLETE: (
        LogLevel.WARNING,
        _(
            "{summary} fell short: some leg was not wholly filled, or cost a higher fee than was "
            "planned. {asset} moved by {profit}, and these are left over: {residuals}. What is "
            "missing is sent, or the rest reversed."
        ),
    ),
    ExecutionState.UNWOUND: (
        LogLevel.WARNING,
        _("{summary} was reversed: {asset} moved by {profit}. {residuals} is left over as dust."),
    ),
    ExecutionState.HELD: (
        LogLevel.ERROR,
        _(
            "{summary} is held with an exposure of {residuals}: it could not be repaired. The "
            "strategy does not trade until a person has acknowledged it. {errors}"
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


@retried
@transaction.atomic
def settle_execution(
    *,
    execution_id: int,
    claim: TickClaim | None = None,
    fence: int | None = None,
    clock: Clock = DATABASE_CLOCK,
) -> Execution:
    """Bring state and figures of an execution up to what its orders and the ledger say.

    May be called any number of times. An execution whose own tick is still sending legs, or that
    somebody repairs, is left alone, unless the one who does so calls.

    Args:
        execution_id: of the execution.
        claim: the claim of the tick that carries it out, when that is the caller.
        fence: the fencing number of the one who repairs it, when that is the caller.
        clock: tells the time.

    Raises:
        NotFound: there is no such execution.
    """
    execution = lock_execution(execution_id)
    if claim is None and is_under_way(execution, clock.now()):
        return execution
    if execution.fence != fence and is_leased(execution, clock):
        return execution
    # counted before anything is read: what is booked meanwhile is seen to be missing by the sweep
    execution.entries_seen = count_entries([execution_id]).get(execution_id, 0)
    orders, movements = list_outcomes(execution_id), execution_movements(execution_id)
    apply_event(
        execution,
        _judge(execution, orders, movements),
        cause=_causes(orders),
        clock=clock,
        movements=movements,
    )
    return execution


def apply_event(
    execution: Execution,
    event: ExecutionEvent,
    *,
    cause: Message,
    clock: Clock,
    movements: Mapping[str, Amount],
) -> None:
    """Write down what became of an execution, whose row the caller has locked.

    Args:
        execution: its figures are brought up to the ledger in any case.
        event: changes the state unless it says nothing new.
        cause: what its orders or its repair say about it, for the log.
        clock: tells the time.
        movements: what it moved, by asset, read in this transaction.
    """
    now = clock.now()
    before = ExecutionState(execution.state)
    residuals_before = execution.residuals
    dust_before = dust_of(before, residuals_before)
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
    is_news = after is not before
    if after is ExecutionState.HELD and execution.acknowledged_at is not None:
        is_news = _review_note(execution, residuals_before, is_news=is_news)
    if after not in FINISHED_STATES:
        execution.finished_at = None
    else:
        execution.finished_at = execution.finished_at or now
        execution.lease_expires_at = None
    if after is ExecutionState.INCOMPLETE and after is not before:
        execution.deadline_at = now + REPAIR_TIME
    execution.save(
        update_fields=[
            "state",
            "realised_profit",
            "residuals",
            "entries_seen",
            "deadline_at",
            "lease_expires_at",
            "finished_at",
            "acknowledged_at",
            "acknowledged_by",
            "acknowledged_residuals",
            "updated_at",
        ]
    )
    dust_after = dust_of(after, execution.residuals)
    book_dust(execution=execution, before=dust_before, after=dust_after)
    changes = changes_of_state(before, after)
    if after in FINISHED_STATES:
        found = derive_attribution(execution=execution, movements=movements, clock=clock)
        changes = {**changes, **found}
    add_to_results(execution=execution, changes=changes)
    if is_news:
        announce_execution(execution)
        reload_refusing_venues(execution_id=execution.pk, clock=clock)
        _log(execution, cause)


def _review_note(execution: Execution, before: Mapping[str, str], *, is_news: bool) -> bool:
    """Return whether there is news about an exposure; a person's note of another one is void then.

    Whoever took note of an exposure took note of no other one, be it one of many small fees.
    """
    if execution.acknowledged_residuals is None:  # noted before that was kept
        execution.acknowledged_residuals = before
    if not is_news and not _is_other_exposure(execution, execution.acknowledged_residuals):
        return False
    execution.acknowledged_at, execution.acknowledged_by_id = None, None
    execution.acknowledged_residuals = None
    return True


def _is_other_exposure(execution: Execution, before: Mapping[str, str]) -> bool:
    """Return whether an execution has another exposure than was noted, by more than small fees.

    Args:
        execution: as it is now.
        before: what was left over when a person took note of it, by asset.
    """
    after = execution.residuals
    if after == before:
        return False
    changes = {
        code: to_decimal(after.get(code, "0")) - to_decimal(before.get(code, "0"))
        for code in after.keys() | before.keys()
    }
    keys = [MarketKey(leg["venue"], leg["symbol"]) for leg in execution.plan]
    found = list_markets_of(keys)
    if len(found) < len(set(keys)):
        return True  # a market that is gone cannot say what is little
    return is_other_exposure(changes, execution.plan, [found[key].to_rules() for key in keys])


def is_leased(execution: Execution, clock: Clock) -> bool:
    """Return whether somebody repairs an execution at this moment."""
    expires_at = execution.lease_expires_at
    return expires_at is not None and not has_come(expires_at, clock.now())


def _judge(
    execution: Execution, orders: Sequence[Outcome], movements: Mapping[str, Amount]
) -> ExecutionEvent:
    """Return what the orders say; the leg table is only asked when they do not say it plainly."""
    if any(order.is_open for order in orders):
        return ExecutionEvent.LOSE_TRACK
    if not any(order.filled for order in orders):
        return ExecutionEvent.FAIL
    if are_as_planned(orders, execution.plan) and not is_short(
        movements, execution.profit_asset.code
    ):
        return ExecutionEvent.COMPLETE
    return judge(read_scene(execution).situation)


def _causes(orders: Sequence[Outcome]) -> Message:
    """Return what the orders say went wrong, one sentence after the other."""
    said = {
        f"order_{number}": order.error
        for number, order in enumerate(orders, 1)
        if order.error.template
    }
    return Message(" ".join(f"{{{name}}}" for name in said), said)


def _log(execution: Execution, cause: Message) -> None:
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
        errors=cause,
    )
