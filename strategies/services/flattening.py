"""Bring back what executions left unhedged, at a person's wish: the last part of the kill switch.

Only what a strategy bought or sold itself is touched, by the repair that every execution has: on
fresh books, within the strategy's own limit of loss, by orders that reduce exposure. A held
execution is opened again with a new deadline and a new fencing number; from then on it is one like
any other, and the sweep goes on with it should this process die. What a person has acknowledged is
left alone: they traded it away by hand, or keep it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING

from django.db import transaction
from django.utils.translation import gettext_noop as _

from arbplatform.authors import keep_author, tell_author
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import BPS_PER_UNIT, SMALLEST_STORED, ZERO, Amount, Bps
from arbplatform.core.errors import ArbError, Message
from arbplatform.core.sentences import message_to_json
from arbplatform.persistence.retries import retried
from ledger.domain.halts import EVERYTHING, TradingState
from ledger.models import LogLevel
from ledger.selectors import execution_movements
from ledger.selectors.halts import list_halts
from ledger.services.halts import (
    Person,
    Wish,
    checked_reason,
    name_of,
    read_denials,
    require_trading,
)
from ledger.services.logs import write_log
from markets.models import Market
from strategies.domain.repair import Action, Exposure, Verdict, find_exposures
from strategies.domain.repricing import decide
from strategies.domain.states import ExecutionEvent, ExecutionState
from strategies.errors import FlattenHalted, NotFlattened
from strategies.models import Execution
from strategies.selectors import list_exposed_executions, list_legs, lock_execution
from strategies.services.repairs import STEP_ROWS_MAX
from strategies.services.settlement import REPAIR_TIME, apply_event, is_leased
from strategies.services.situations import max_loss_bps, read_means, read_scene

ROWS_MAX = 50
"""Executions that one call looks at, the oldest first: books are fetched for each."""

_NOT_ENDED = Message(
    "An order has not ended, or its end is not known: nothing is sent before it is. Look again."
)
_IN_REPAIR = Message("It is being repaired at this moment.")
_UNSEEN = Message("The list that was confirmed did not offer it. Look again.")
_ENDS = frozenset({Action.PROCEED, Action.REVERSE, Action.DUST, Action.DONE})


@dataclass(frozen=True, slots=True)
class Flattening:
    """What would be done, or was begun, about one execution.

    Attributes:
        execution: whose.
        exposures: what it has too much or too little of.
        verdict: the first order, or why there is none.
        max_loss_bps: what the strategy allows to lose of what the exposure cost [bps].
        market: of the order.
        account_id: whose order it would be.
        obstacle: why nothing can be done although the books allow it.
    """

    execution: Execution
    exposures: Sequence[Exposure]
    verdict: Verdict
    max_loss_bps: Bps
    market: Market | None = None
    account_id: int | None = None
    obstacle: Message | None = None

    @property
    def is_possible(self) -> bool:
        """Whether the repair can be begun now; of the answer to an act: whether it was."""
        return self.obstacle is None and self.verdict.action in _ENDS

    @property
    def reason(self) -> Message:
        """Why, or why not."""
        return self.obstacle or self.verdict.reason

    @property
    def wishes(self) -> list[Wish]:
        """The first order, as the trading states are asked about it."""
        if self.account_id is None:
            return []
        return [Wish(self.account_id, self.execution.strategy_id, is_reducing=True)]

    @property
    def estimated_loss(self) -> Amount | None:
        """What is lost if all of it goes as the first order [profit asset]; ``None``: no order."""
        if self.verdict.loss_bps is None:
            return None
        cost = sum((abs(row.amount) * row.unit_value for row in self.exposures), ZERO)
        loss = cost * self.verdict.loss_bps / BPS_PER_UNIT
        return loss.quantize(SMALLEST_STORED, rounding=ROUND_CEILING)


def list_flattenings(*, clock: Clock = SYSTEM_CLOCK) -> list[Flattening]:
    """Return what would be sold and bought where, and what cannot be; nothing is sent."""
    rows = list_exposed_executions(limit=ROWS_MAX)
    return [_look_at(execution, clock) for execution in rows]


def flatten(
    *,
    reason: str,
    user: Person | None = None,
    only: Collection[int] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Flattening]:
    """Begin the repair anew of everything that can be brought back within its limit of loss.

    Workers carry it out; the sweep does should their messages be lost. May be called any number of
    times: what is flat already is not in the list.

    Args:
        reason: why, for people.
        user: who asks; ``None``: the command line.
        only: ids of the executions whose orders a person has seen; ``None``: whatever is possible.
        clock: tells the time.

    Returns:
        The list that was acted on. Those that are not possible were left as they are.

    Raises:
        InvalidInput: there is no reason, or it is too long.
        FlattenHalted: nothing at all may be sent.
    """
    reason = checked_reason(reason)
    _require_reducing()
    seen = [_keep_to(only, row) for row in list_flattenings(clock=clock)]
    return [_begin(row, reason, user, clock) if row.is_possible else row for row in seen]


def _keep_to(only: Collection[int] | None, row: Flattening) -> Flattening:
    """Leave alone what has become exposed, or possible, since the list was shown."""
    if only is None or row.execution.pk in only or not row.is_possible:
        return row
    return replace(row, obstacle=_UNSEEN)


def _require_reducing() -> None:
    """Refuse a halt of everything: a list of refusals one by one would hide the one cause."""
    for halt in list_halts():
        if halt.key == EVERYTHING.key and halt.state == TradingState.HALTED:
            raise FlattenHalted(scope=name_of(halt), reason=halt.to_reason())


def _look_at(execution: Execution, clock: Clock) -> Flattening:
    scene = read_scene(execution)
    row = Flattening(
        execution,
        exposures=find_exposures(scene.situation),
        verdict=Verdict(Action.WAIT, _NOT_ENDED),
        max_loss_bps=max_loss_bps(execution),
    )
    repairable = (ExecutionState.INCOMPLETE, ExecutionState.HELD)
    if execution.state not in repairable or scene.situation.is_live:
        return row
    if is_leased(execution, clock):
        return replace(row, verdict=Verdict(Action.WAIT, _IN_REPAIR))
    verdict = decide(scene.situation, read_means(execution, scene, is_anew=True))
    if verdict.order is None:
        return replace(row, verdict=verdict)
    market = scene.markets[verdict.order.leg_index]
    account_id = scene.account_ids[market.venue.code]
    row = replace(row, verdict=verdict, market=market, account_id=account_id)
    return replace(row, obstacle=_find_denial(row.wishes))


@transaction.atomic
def _find_denial(wishes: Sequence[Wish]) -> Message | None:
    return next((denial.message for denial in read_denials(wishes) if denial is not None), None)


def _begin(row: Flattening, reason: str, user: Person | None, clock: Clock) -> Flattening:
    """Begin one; that one cannot be begun does not keep the others from it."""
    try:
        execution = _reopen(row, reason, user, clock)
    except ArbError as error:
        return replace(row, obstacle=error.message)
    return replace(row, execution=execution)


@retried
@transaction.atomic
def _reopen(row: Flattening, reason: str, user: Person | None, clock: Clock) -> Execution:
    """Give a repair its time and its orders anew, and write down who wanted that and why.

    Raises:
        TradingHalted: the first order may not be sent.
        NotFlattened: the execution is not what it was when the list was made.
    """
    require_trading(row.wishes)  # takes the trading lock, before any row, as everywhere
    execution_id = row.execution.pk
    execution = lock_execution(execution_id)
    is_held = execution.state == ExecutionState.HELD and execution.acknowledged_at is None
    is_waiting = execution.state == ExecutionState.INCOMPLETE and not is_leased(execution, clock)
    if not is_held and not is_waiting:
        raise NotFlattened(id=execution_id)
    now = clock.now()
    name = tell_author(keep_author(user))
    execution.fence += 1
    step = {
        "at": now.isoformat(),
        "owner": execution.fence,
        "action": Action.REOPEN.value,
        "message": message_to_json(
            Message("{user} had the repair begun anew: {reason}", {"user": name, "reason": reason})
        ),
        "loss_bps": None,
        "order_id": None,
        "after_order_id": max((order.pk for order in list_legs(execution_id)), default=0),
    }
    execution.steps = [*execution.steps, step][-STEP_ROWS_MAX:]
    execution.deadline_at, execution.lease_expires_at = now + REPAIR_TIME, None
    execution.save(
        update_fields=["steps", "fence", "deadline_at", "lease_expires_at", "updated_at"]
    )
    if is_held:
        apply_event(
            execution,
            ExecutionEvent.REOPEN,
            cause=Message(""),
            clock=clock,
            movements=execution_movements(execution.pk),
        )
    write_log(
        strategy_id=execution.strategy_id,
        level=LogLevel.WARNING,
        event="exposure_flattened",
        template=_(
            "{user} has what is left over of execution {execution_id} brought back "
            "({residuals}): {reason}"
        ),
        execution_id=execution_id,
        user=name,
        residuals=", ".join(f"{amount} {code}" for code, amount in execution.residuals.items()),
        reason=reason,
    )
    enqueue_on_commit("strategies.settle_execution", execution_id=execution_id)
    return execution
