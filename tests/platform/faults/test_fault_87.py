"""Of two beats one leads, what both publish is sent once, and the other takes over."""

import json
import signal
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from arbplatform.background import scheduler as module
from arbplatform.background.leadership import LEASE_MS, SLOT_SHARE, Leadership
from arbplatform.background.scheduler import LeaderScheduler
from tests.processes import wait_until


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as connection:
        yield connection


def test_one_of_two_leads_until_it_leaves(client):
    first, second = Leadership(client), Leadership(client)
    assert (first.hold(), second.hold(), first.hold()) == (True, False, True)

    second.leave()
    assert first.hold(), "who does not lead cannot end the lease"
    first.leave()

    assert (second.hold(), first.hold()) == (True, False)


def test_a_lease_ends_with_its_time(client):
    first, second = Leadership(client), Leadership(client)
    first.hold()
    assert 0 < client.pttl("arb:beat:leader") <= LEASE_MS

    client.pexpire("arb:beat:leader", 1)

    assert wait_until(second.hold, "the lease is over")


def test_a_schedule_is_published_once_in_its_interval(client):
    first, second = Leadership(client), Leadership(client)
    began_s = time.monotonic()

    assert first.take_slot("sweep", timedelta(seconds=500))
    assert not second.take_slot("sweep", timedelta(seconds=500))
    assert second.take_slot("another", timedelta(seconds=500))
    left_ms = client.pttl("arb:beat:slot:sweep")
    assert left_ms <= 400_000 <= left_ms + (time.monotonic() - began_s) * 1_000 + 1


def make_schedule(task, **kwargs):
    interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    return PeriodicTask.objects.create(
        name="mine", task=task, interval=interval, kwargs=json.dumps(kwargs)
    )


@pytest.fixture
def every_second(transactional_db):
    """A schedule of a task that nobody knows, each second."""
    return make_schedule("tests.nothing")


@pytest.mark.parametrize("task", ["tests.nothing", "strategies.tick"])
@pytest.mark.django_db(transaction=True)
def test_two_beats_publish_like_one_and_one_is_enough(start_part, client, task):
    make_schedule(task, strategy_id=4711)  # of ticks, beat makes batches
    beats = [start_part("beat"), start_part("beat")]
    wait_until(lambda: client.llen("trading") >= 3, "something was published")
    started_s, before = time.monotonic(), client.llen("trading")
    wait_until(lambda: client.llen("trading") >= before + 4, "more was published")
    span_s = time.monotonic() - started_s
    assert span_s >= 3 * SLOT_SHARE, "of two beats each published as often as one alone"

    holder = client.get("arb:beat:leader")
    for beat in beats:
        beat.process.send_signal(signal.SIGKILL)
        beat.process.wait()
        before = client.llen("trading")
        if beat is beats[0]:
            wait_until(lambda n=before: client.llen("trading") > n + 1, "the other goes on")
    assert holder is not None


@pytest.fixture
def scheduler(transactional_db, every_second, monkeypatch):
    """A scheduler of this process without a Redis."""
    monkeypatch.setattr(module, "make_leadership", lambda: None)
    with Celery(broker="memory://", set_as_current=False) as app:
        yield LeaderScheduler(app=app, lazy=True)


def test_a_beat_that_does_not_lead_publishes_nothing(scheduler, monkeypatch):
    scheduler._leadership = SimpleNamespace(hold=lambda: False)

    assert scheduler.tick() == module.STANDBY_S


def test_a_beat_without_redis_waits_for_it(scheduler, caplog):
    def fail():
        raise redis.ConnectionError("gone")

    scheduler._leadership = SimpleNamespace(hold=fail)

    assert scheduler.tick() == module.STANDBY_S
    assert "Beat waits for Redis" in caplog.text


def test_schedules_go_on_after_the_clock_was_set_back(scheduler):
    entry = scheduler.schedule["mine"]
    entry.last_run_at = entry.model.last_run_at = timezone.now() + timedelta(hours=1)
    assert not scheduler.is_due(entry)[0]
    scheduler._clocks = SimpleNamespace(look=lambda: -3_600_000)

    scheduler._forget_the_future()

    assert entry.last_run_at <= timezone.now()
