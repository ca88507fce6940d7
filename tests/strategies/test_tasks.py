"""Tasks are thin, idempotent and quiet about what is gone."""

import pytest

from ledger.models import Order
from strategies import tasks
from strategies.models import Execution, Strategy

pytestmark = pytest.mark.django_db


def test_a_tick_task_runs_one_tick_and_a_second_delivery_is_dropped(cross, edge):
    Strategy.objects.update(interval_ms=3_600_000)  # too soon however late it is
    assert tasks.tick(cross.pk) == "executed"
    assert tasks.tick(cross.pk) == "dropped"
    assert Order.objects.count() == 2


def test_tasks_about_rows_that_are_gone_end_quietly(db):
    assert tasks.tick(4711) == "gone"
    assert tasks.settle_execution(4711) == "gone"


def test_a_settle_task_may_be_delivered_twice(cross, edge):
    tasks.tick(cross.pk)
    execution = Execution.objects.get()

    assert tasks.settle_execution(execution.pk) == "completed"
    assert tasks.settle_execution(execution.pk) == "completed"


def test_a_sweep_task_reports_how_many_rows_failed(cross, calm):
    assert tasks.sweep() == 0


def test_tasks_have_the_names_that_the_schedule_and_other_apps_use():
    named = (
        tasks.tick,
        tasks.settle_execution,
        tasks.sweep,
        tasks.audit_results,
        tasks.read_own_fees,
    )
    assert {task.name for task in named} == {
        "strategies.tick",
        "strategies.settle_execution",
        "strategies.sweep",
        "strategies.audit_results",
        "strategies.read_own_fees",
    }
