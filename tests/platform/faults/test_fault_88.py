"""When beat is dead, health and console turn red, and the worker runs what keeps money safe."""

from datetime import timedelta

import pytest
from django.utils import timezone

from arbplatform.background.heartbeat import BEAT, WORKER, Pulse
from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from arbplatform.parts import HEARTBEAT_AGE_MS_MAX
from arbplatform.watch import SAFETY_TASKS, SafetyTimer
from ledger.domain.orders import OrderState
from ledger.models import Order
from tests.processes import wait_until


class Runs(list[str]):
    def task(self, name):
        return lambda: self.append(name)


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture
def timer(runs, clock, settings):
    settings.SAFETY_LATE_MS = 15_000
    return SafetyTimer({name: runs.task(name) for name in SAFETY_TASKS}, clock)


def test_nothing_is_run_while_it_is_asked_for_in_time(timer, clock, runs):
    for _ in range(20):
        clock.advance_ms(2_000)
        for name in SAFETY_TASKS:
            timer.note(sender=type("Task", (), {"name": name}))
        timer.look()

    assert runs == []


def test_what_nobody_asks_for_is_run_by_the_worker_itself(timer, clock, runs):
    clock.advance_ms(14_999)
    assert timer.look() == []

    clock.advance_ms(1)

    assert timer.look() == list(SAFETY_TASKS) == runs
    assert timer.look() == []


def test_one_that_fails_does_not_keep_the_others_from_running(clock, runs, settings, caplog):
    settings.SAFETY_LATE_MS = 0

    def fail():
        raise ValueError("broken")

    timer = SafetyTimer({"first": fail, "second": runs.task("second")}, clock)

    assert timer.look() == ["first", "second"]
    assert runs == ["second"]
    assert "ValueError: broken" in caplog.text


@pytest.mark.django_db
def test_health_and_console_turn_red(user_api, console):
    Pulse(WORKER).show()
    Pulse(BEAT, FixedClock(SYSTEM_CLOCK.now_ms() - HEARTBEAT_AGE_MS_MAX - 1_000)).show()

    health = user_api.get("/api/health")
    page = console.get("/admin/").content.decode()

    assert (health.status_code, health.json()["data"]["parts"]["beat"]["is_ok"]) == (503, False)
    assert "Not working: Scheduler" in page
    assert "Not working: Worker" not in page


@pytest.mark.django_db(transaction=True)
def test_a_worker_without_a_beat_finds_out_what_became_of_an_order(start_part, stuck_order):
    start_part("worker", SAFETY_LATE_MS="1000")

    wait_until(
        lambda: Order.objects.get(pk=stuck_order.pk).state != OrderState.SUBMITTING,
        "the order is taken over",
    )


@pytest.fixture
def stuck_order(cross, edge):
    """An order whose sender was killed a minute ago."""
    from strategies.services.ticks import run_tick  # noqa: PLC0415

    run_tick(strategy_id=cross.pk)
    order = Order.objects.first()
    assert order is not None
    past = timezone.now() - timedelta(minutes=1)
    Order.objects.filter(pk=order.pk).update(
        state=OrderState.SUBMITTING, submitted_at=past, next_lookup_at=past
    )
    return order
