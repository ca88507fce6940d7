"""Finish what a worker that died, or a message that was lost, has left undone."""

import logging
from collections.abc import Callable, Collection
from functools import partial

from django.db import transaction
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import Clock
from arbplatform.persistence.clock import DATABASE_CLOCK
from ledger.domain.orders import OrderState
from ledger.models import LogLevel
from ledger.services.journal import cancel_order
from ledger.services.logs import write_log
from strategies.models import Execution, SweepPlace
from strategies.selectors import (
    Place,
    find_late_news,
    list_expired_ticks,
    list_legs,
    list_misaligned,
    list_stopping,
    list_unsettled_executions,
    lock_strategy,
)
from strategies.selectors.engines import list_begun_executions, list_stuck_leases
from strategies.services.claims import lease
from strategies.services.leases import revoke_lease
from strategies.services.repairs import go_on
from strategies.services.runs import is_ticking, is_under_way, settle_stopping
from strategies.services.schedules import align_schedule
from strategies.services.settlement import is_leased

logger = logging.getLogger(__name__)

BATCH_MAX = 200
"""Rows of each kind that one sweep looks at; the next sweep takes the rest."""
SLOW_MS = 5_000
"""An execution that takes longer has waited for a venue that does not answer [ms]."""


def sweep(*, clock: Clock = DATABASE_CLOCK) -> int:
    """Settle what is stuck; return how many rows could not be settled because of an error.

    One row that fails does not keep the others from being settled.
    """
    failed = 0
    for row in list_expired_ticks(now=clock.now(), limit=BATCH_MAX):
        failed += _try(partial(release_expired_tick, strategy_id=row.pk, clock=clock))
    for pk, token in list_stuck_leases(before=clock.now() - lease(), limit=BATCH_MAX):
        failed += _try(partial(revoke_lease, strategy_id=pk, token=token, clock=clock))
    failed += _recover_unsettled(clock)
    failed += _settle_late_news(clock)
    for pk in list_stopping(limit=BATCH_MAX):
        failed += _try(partial(settle_stopping, strategy_id=pk, clock=clock))
    for pk in list_misaligned(limit=BATCH_MAX):
        failed += _try(partial(realign, strategy_id=pk))
    return failed


def _settle_late_news(clock: Clock) -> int:
    """Settle ended executions again that the books know more about; return how many failed."""
    news = find_late_news()
    batch = news.execution_ids[:BATCH_MAX]
    failed = sum(_try(partial(go_on, execution_id=pk, clock=clock)) for pk in batch)
    # where some are left the next sweep comes back; those that only ever fail must not hold it up
    if batch == news.execution_ids or failed == len(batch):
        keep_place(news.place)
    return failed


def keep_place(place: Place) -> None:
    """Let the next sweep look for late news from here on."""
    rows = SweepPlace.objects.filter(pk=SweepPlace.ONLY)
    kept = rows.values_list("entry_id", "execution_id").first()
    if kept is None:
        SweepPlace.objects.get_or_create(pk=SweepPlace.ONLY, defaults=place._asdict())
    elif kept != place:
        rows.update(**place._asdict())


def _recover_unsettled(clock: Clock) -> int:
    """Recover executions; return how many could not be because of an error.

    A repair waits for its venues. Once it has waited long, others at the same ones are left to the
    next sweep: a venue that hangs must not take all threads of a worker.
    """
    failed = 0
    slow: list[frozenset[str]] = []
    for execution in list_unsettled_executions(limit=BATCH_MAX):
        venues = frozenset(str(leg.get("venue")) for leg in execution.plan)
        if any(waited_for <= venues for waited_for in slow):
            continue
        began_ms = clock.monotonic_ms()
        failed += _try(partial(recover_execution, execution=execution, clock=clock))
        if clock.monotonic_ms() - began_ms > SLOW_MS:
            slow.append(venues)
    return failed


@transaction.atomic
def release_expired_tick(*, strategy_id: int, clock: Clock = DATABASE_CLOCK) -> bool:
    """Take the claim from a tick that did not end in time; return whether there was one.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    strategy = lock_strategy(strategy_id)
    if not strategy.tick_token or is_ticking(strategy, clock.now()):
        return False
    strategy.tick_token, strategy.tick_expires_at = "", None
    strategy.save(update_fields=["tick_token", "tick_expires_at", "updated_at"])
    write_log(
        strategy_id=strategy_id,
        level=LogLevel.WARNING,
        event="tick_lost",
        template=_(
            "A tick began and never ended; its worker was probably killed. What it had sent is "
            "looked up, what it had not sent is given up."
        ),
    )
    return True


def recover_execution(*, execution: Execution, clock: Clock = DATABASE_CLOCK) -> Execution:
    """Give up the unsent orders of an execution that nobody works on, settle and repair it.

    An order that is pending was never sent; by now its price is out of date. One that may have
    been sent is looked up by the ledger's own sweep and settled when that is done.
    """
    if is_leased(execution, clock) or is_under_way(execution, clock.now()):
        return execution
    for order in list_legs(execution.pk):
        if order.state == OrderState.PENDING:
            cancel_order(order_id=order.pk)
    return go_on(execution_id=execution.pk, clock=clock)


def recover_strategies(*, strategy_ids: Collection[int], clock: Clock = DATABASE_CLOCK) -> int:
    """Recover at once what those who held some strategies before have left undone.

    Returns:
        How many executions could not be recovered because of an error; the sweep comes back.
    """
    return sum(
        _try(partial(recover_execution, execution=execution, clock=clock))
        for execution in list_begun_executions(strategy_ids)[:BATCH_MAX]
    )


@transaction.atomic
def realign(*, strategy_id: int) -> bool:
    """Make a strategy's schedule agree with its state; return whether it did not.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    return align_schedule(lock_strategy(strategy_id))


def _try(command: Callable[[], object]) -> int:
    try:
        command()
    except Exception:
        logger.exception("a row could not be settled; it is tried again with the next sweep")
        return 1
    return 0
