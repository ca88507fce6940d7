"""The celery-beat schedule of each strategy.

Beat learns of a change from the ``PeriodicTasks`` row. It is stamped when the schedule is saved
and once more after the commit: without the second stamp a change that commits late could carry a
time that beat has already passed, and would be noticed only at its next full read.
"""

import json
import math

from django.db import transaction
from django.utils.translation import gettext_noop
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Strategy

TICK_TASK = "strategies.tick"
TICK_NAME = gettext_noop("strategies: tick #{number}")
_EVERY_MAX = 2**31 - 1
"""The largest number that the schedule's integer column holds."""


def enable_schedule(strategy: Strategy) -> None:
    """Create or switch on the schedule of ``strategy`` and save the link to it.

    One that is driven by a stream needs none: engines find it by its state.
    """
    if strategy.driver != StrategyDriver.SCHEDULE:
        disable_schedule(strategy)
        return
    name = schedule_name(strategy)
    task = strategy.periodic_task or PeriodicTask.objects.filter(name=name).first()
    task = task or PeriodicTask()
    task.name = name
    task.task = TICK_TASK
    task.interval = _interval(strategy.interval_ms)
    task.kwargs = json.dumps({"strategy_id": strategy.pk})
    task.description = strategy.name
    # a tick that a worker gets to only after the next one was due is dropped by the worker
    task.expire_seconds = max(1, math.ceil(strategy.interval_ms / 1000))
    task.enabled = True
    task.save()
    if strategy.periodic_task_id != task.pk:
        strategy.periodic_task = task
        strategy.save(update_fields=["periodic_task", "updated_at"])
    _announce()


def disable_schedule(strategy: Strategy) -> None:
    """Switch off the schedule of ``strategy``, if it has one."""
    task = strategy.periodic_task
    if task is not None and task.enabled:
        task.enabled = False
        task.save()
        _announce()


def delete_schedule(strategy: Strategy) -> None:
    """Delete the schedule of ``strategy``, if it has one."""
    task = strategy.periodic_task
    if task is not None:
        task.delete()
        _announce()


def align_schedule(strategy: Strategy) -> bool:
    """Make the schedule agree with the strategy's state; return whether it did not.

    Beat writes back whole rows when it saves when a schedule last ran, and can so undo a change
    that was made in the same instant; a person can also switch the schedule by hand.
    """
    task = strategy.periodic_task
    is_wanted = (strategy.state, strategy.driver) == (
        StrategyState.RUNNING,
        StrategyDriver.SCHEDULE,
    )
    if is_wanted == (task is not None and task.enabled):
        return False
    if is_wanted:
        enable_schedule(strategy)
    else:
        disable_schedule(strategy)
    return True


def schedule_name(strategy: Strategy) -> str:
    """Return the unique name of the schedule: never the strategy's, which may change."""
    return TICK_NAME.format(number=strategy.pk)


def _interval(interval_ms: int) -> IntervalSchedule:
    """Return the shared interval row; intervals beyond the column's range get whole seconds."""
    every, period = interval_ms * 1000, IntervalSchedule.MICROSECONDS
    if interval_ms % 1000 == 0 or every > _EVERY_MAX:
        every, period = math.ceil(interval_ms / 1000), IntervalSchedule.SECONDS
    found = IntervalSchedule.objects.filter(every=every, period=period).first()
    return found or IntervalSchedule.objects.create(every=every, period=period)


def _announce() -> None:
    transaction.on_commit(PeriodicTasks.update_changed)
