"""Bring an execution that fell short to an end: complete it, reverse it, or hold it.

Whoever repairs an execution holds a lease on it with a fencing number: each new owner counts it
up, and a decision is only written while the number is still one's own. So any process can take
over after the lease, and one that slept through its lease can write nothing more. Every order of
a repair is written to the journal first, under the next attempt number of its leg.

A repair takes at most ``STEPS_MAX`` orders and ends at the execution's deadline: what is exposed
then is held, and the strategy trades no more until a person has acknowledged it.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop as _

from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.crashpoints import reached
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ArbError
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_document
from ledger.domain.orders import PLANNED_MAX
from ledger.models import LogLevel, Order
from ledger.selectors import execution_movements
from ledger.services.halts import share_trading_lock
from ledger.services.journal import OrderPlan, submit_orders, write_orders
from ledger.services.logs import write_log
from markets.domain.orders import OrderKind, TimeInForce
from strategies.domain.repair import Action, RepairOrder, Verdict
from strategies.domain.repricing import decide
from strategies.domain.states import EXECUTION_TRANSITIONS, ExecutionEvent, ExecutionState
from strategies.models import Execution
from strategies.selectors import get_execution, lock_execution
from strategies.services.claims import lease
from strategies.services.crashpoints import CrashPoint
from strategies.services.settlement import REPAIR_TIME, apply_event, settle_execution
from strategies.services.situations import Scene, count_repairs, read_means, read_scene

STEPS_MAX = 6
"""Orders of one execution's repairs, all together."""
TAKEOVERS_MAX = 10
"""Owners after the first that may extend the deadline: a repair that kills its process must end."""
STEP_ROWS_MAX = 40
"""Decisions that are kept on the row of an execution."""


@dataclass(slots=True)
class RepairClaim:
    """A won right to repair.

    Attributes:
        execution_id: of the execution.
        fence: the number that is ours.
    """

    execution_id: int
    fence: int


class _Overtaken(Exception):
    """What a decision rests on has changed since: it must not be written down."""


def repair_execution(*, execution_id: int, clock: Clock = SYSTEM_CLOCK) -> Execution:
    """Repair an execution that fell short, as far as that is possible now.

    Safe to call at any time from any process: one that has ended, whose orders are not all known,
    or that somebody else repairs is left alone.

    Args:
        execution_id: of the execution.
        clock: tells the time.

    Returns:
        The execution as it stands now. INCOMPLETE means that books or prices are waited for; the
        sweep comes back until the deadline.

    Raises:
        NotFound: there is no such execution.
    """
    claim = _claim(execution_id, clock)
    if claim is None:
        return get_execution(execution_id)
    reached(CrashPoint.REPAIR_CLAIMED)
    for _step_number in range(STEPS_MAX + 1):
        # a process that ends gives the lease back between two steps: another one goes on at once
        if DRAIN.is_over or not _step(claim, clock):
            break
    _release(claim)
    return get_execution(execution_id)


def go_on(*, execution_id: int, clock: Clock = DATABASE_CLOCK) -> Execution:
    """Settle an execution, and repair it if it turns out to have fallen short.

    Raises:
        NotFound: there is no such execution.
    """
    settled = settle_execution(execution_id=execution_id, clock=clock)
    if settled.state != ExecutionState.INCOMPLETE or DRAIN.has_begun:
        return settled
    return repair_execution(execution_id=execution_id, clock=clock)


def _claim(execution_id: int, clock: Clock) -> RepairClaim | None:
    """Take the lease by one conditional UPDATE that also counts the fence up.

    Whoever takes over from one that died gets the time to repair anew: the lease alone is longer.
    """
    now = clock.now()
    before = get_execution(execution_id)
    far = now + PLANNED_MAX  # what is further off was put off by a clock that was ahead
    is_over = Q(lease_expires_at__lte=now) | Q(lease_expires_at__gt=far)
    rows = Execution.objects.filter(
        is_over | Q(lease_expires_at__isnull=True),
        pk=execution_id,
        state=ExecutionState.INCOMPLETE,
        fence=before.fence,
    )
    changes: dict[str, Any] = {"fence": before.fence + 1, "lease_expires_at": now + lease()}
    is_put_off = before.deadline_at is not None and before.deadline_at > far
    if is_put_off or (before.lease_expires_at is not None and before.fence <= TAKEOVERS_MAX):
        changes["deadline_at"] = now + REPAIR_TIME
    return RepairClaim(execution_id, before.fence + 1) if rows.update(**changes) == 1 else None


def _release(claim: RepairClaim) -> None:
    mine = Execution.objects.filter(pk=claim.execution_id, fence=claim.fence)
    mine.update(lease_expires_at=None)


def _step(claim: RepairClaim, clock: Clock) -> bool:
    """Decide once and act on it; return whether another look is worth while now."""
    execution = get_execution(claim.execution_id)
    if execution.state != ExecutionState.INCOMPLETE or execution.fence != claim.fence:
        return False
    scene = read_scene(execution)
    means, decided_ms = read_means(execution, scene), clock.monotonic_ms()
    verdict = decide(scene.situation, means)
    reached(CrashPoint.REPAIR_DECIDED)
    try:
        order = _write(claim, scene, verdict, clock)
    except _Overtaken:
        return True
    if order is None:
        return False
    reached(CrashPoint.REPAIR_WRITTEN)
    submit_orders(order_ids=[order.pk], decided_ms=decided_ms, clock=clock)
    reached(CrashPoint.REPAIR_SENT)
    after = settle_execution(execution_id=claim.execution_id, fence=claim.fence, clock=clock)
    reached(CrashPoint.REPAIR_SETTLED)
    return after.state == ExecutionState.INCOMPLETE


@retried
@transaction.atomic
def _write(claim: RepairClaim, scene: Scene, verdict: Verdict, clock: Clock) -> Order | None:
    """Write a decision down, and its order if it has one; nothing when the claim was lost.

    Raises:
        _Overtaken: more was learned about its orders while the books were fetched.
    """
    share_trading_lock()  # before any row, as everywhere
    execution = lock_execution(claim.execution_id)
    if execution.state != ExecutionState.INCOMPLETE or execution.fence != claim.fence:
        return None
    if read_scene(execution).situation != scene.situation:
        raise _Overtaken  # what was missing may have been filled: it would be sent twice
    now = clock.now()
    sent_count = count_repairs(execution, scene.orders)
    is_over = sent_count >= STEPS_MAX or (
        execution.deadline_at is not None and now >= execution.deadline_at
    )
    order: Order | None = None
    if verdict.order is not None and not is_over:
        try:
            order = _write_order(execution, scene, verdict.order, clock)
        except ArbError as error:
            # the journal takes no orders now, for instance because trading is halted
            verdict = Verdict(Action.HOLD, error.message)
    event = _event_of(verdict, scene, is_over=is_over)
    _note(execution, verdict, order, now.isoformat(), is_held=event is ExecutionEvent.HOLD)
    execution.lease_expires_at = now + lease()
    execution.save(update_fields=["steps", "lease_expires_at", "updated_at"])
    if event is not None and EXECUTION_TRANSITIONS.can(ExecutionState(execution.state), event):
        movements = execution_movements(execution.pk)
        apply_event(execution, event, cause=verdict.reason, clock=clock, movements=movements)
    return order


def _event_of(verdict: Verdict, scene: Scene, *, is_over: bool) -> ExecutionEvent | None:
    if verdict.action in (Action.DONE, Action.DUST):
        return ExecutionEvent.UNWIND if scene.situation.is_reversed else ExecutionEvent.COMPLETE
    return ExecutionEvent.HOLD if is_over and verdict.action is not Action.WAIT else None


def _write_order(execution: Execution, scene: Scene, repair: RepairOrder, clock: Clock) -> Order:
    market = scene.markets[repair.leg_index]
    attempts = sum(row.leg_index == repair.leg_index for row in scene.orders)
    plan = OrderPlan(
        account_id=scene.account_ids[market.venue.code],
        market_id=market.pk,
        strategy_id=execution.strategy_id,
        execution_id=execution.pk,
        leg_index=repair.leg_index,
        side=repair.side,
        quantity=repair.quantity,
        price=repair.limit_price,
        kind=OrderKind.LIMIT,
        time_in_force=TimeInForce.IOC,
        attempt=attempts,
        is_reducing=True,
    )
    return write_orders(plans=[plan], clock=clock)[0]


def _note(
    execution: Execution, verdict: Verdict, order: Order | None, at: str, *, is_held: bool
) -> None:
    """Add a decision to the row, unless it only repeats the last one."""
    action = Action.HOLD if is_held else verdict.action
    step: dict[str, Any] = {
        "action": (action if order or is_held or verdict.order is None else Action.WAIT).value,
        "message": keep_document(verdict.reason),
        "loss_bps": None if verdict.loss_bps is None else f"{verdict.loss_bps:.4f}",
        "order_id": None,
    }
    if order is not None:
        step |= {
            "order_id": order.pk,
            "leg_index": order.leg_index,
            "side": str(order.side),
            "quantity": to_plain(order.quantity),
            "limit_price": to_plain(verdict.order.limit_price) if verdict.order else None,
        }
    last = execution.steps[-1] if execution.steps else {}
    if order is None and all(last.get(name) == value for name, value in step.items()):
        return
    execution.steps = [*execution.steps, {"at": at, "owner": execution.fence, **step}]
    execution.steps = execution.steps[-STEP_ROWS_MAX:]
    if order is not None:
        write_log(
            strategy_id=execution.strategy_id,
            level=LogLevel.WARNING,
            event=f"repair_{verdict.action.value}",
            template=_("Execution {execution_id} fell short. {reason}"),
            execution_id=execution.pk,
            order_id=order.pk,
            reason=verdict.reason,
        )
