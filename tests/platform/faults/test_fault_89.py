"""Scheduled work that comes late is dropped, urgent work comes first, and a full queue is shown."""

from datetime import timedelta
from threading import Event, Thread

import pytest
import redis
from celery import Celery, current_app
from django.conf import settings as django_settings
from django_celery_beat.models import PeriodicTask

from arbplatform import parts
from arbplatform.background import queues
from arbplatform.background.queues import DEPTH_MAX, QUEUES, read_depths
from arbplatform.background.scheduler import LeaderScheduler
from arbplatform.background.single import alone
from tests.processes import sender, wait_until


@pytest.mark.django_db(transaction=True)
def test_the_rows_of_all_schedules_say_when_a_message_is_too_old():
    with Celery(broker="memory://", set_as_current=False) as app:
        app.conf.beat_schedule = django_settings.CELERY_BEAT_SCHEDULE
        scheduler = LeaderScheduler(app=app, lazy=True)
        scheduler.setup_schedule()

    rows = {row.name: row for row in PeriodicTask.objects.all()}
    for name, schedule in django_settings.CELERY_BEAT_SCHEDULE.items():
        assert timedelta(seconds=rows[name].expire_seconds) == schedule["schedule"], name


def test_every_scheduled_task_has_a_queue_of_its_kind():
    scheduled = {row["task"] for row in django_settings.CELERY_BEAT_SCHEDULE.values()}
    routed = django_settings.CELERY_TASK_ROUTES

    assert scheduled <= set(routed)
    current_app.loader.import_default_modules()
    assert set(routed) <= set(current_app.tasks)
    assert {route["queue"] for route in routed.values()} <= set(QUEUES)


def put(url, task, count=1, **ids):
    with sender(url) as app:
        for _ in range(count):
            app.send_task(task, kwargs=ids)


@pytest.fixture
def counted(redis_server, settings):
    settings.REDIS_URL = redis_server.url
    return redis_server.url


def test_the_depth_of_each_queue_is_shown(counted, user_api):
    put(counted, "strategies.sweep")
    put(counted, "strategies.tick", count=3, strategy_id=1)

    assert read_depths() == {"safety": 1, "trading": 3, "reconcile": 0, "reports": 0}
    data = user_api.get("/api/health").json()["data"]["parts"]["queues"]
    assert (data["is_ok"], data["figures"]["trading"]) == (True, 3)


def test_health_turns_red_when_the_worker_does_not_keep_up(counted, monkeypatch, db):
    monkeypatch.setattr(parts, "DEPTH_MAX", 2)
    put(counted, "strategies.tick", count=3, strategy_id=1)

    part = parts.check_parts()["queues"]

    assert (part.is_ok, DEPTH_MAX > 100) == (False, True)
    assert queues.QUEUES[0] == "safety"


@pytest.mark.django_db(transaction=True)
def test_the_most_urgent_queue_is_emptied_first(start_part, redis_server):
    put(redis_server.url, "ledger.take_equity_snapshot", count=20)
    put(redis_server.url, "strategies.settle_execution", execution_id=4711)

    with redis.Redis.from_url(redis_server.url) as client, client.pubsub() as takings:
        client.config_set("notify-keyspace-events", "El")
        takings.subscribe("__keyevent@0__:rpop")
        assert wait_until(takings.get_message, "Redis tells")["type"] == "subscribe"
        start_part("worker")
        first = wait_until(takings.get_message, "something is taken")

    assert first["data"] == b"safety"


def test_a_run_is_left_out_while_the_one_before_runs():
    inside, go_on = Event(), Event()
    runs = []

    @alone(longest_s=60)
    def work():
        runs.append(1)
        inside.set()
        go_on.wait(30)

    first = Thread(target=work)
    first.start()
    assert inside.wait(30)

    work()

    assert len(runs) == 1
    go_on.set()
    first.join(30)
    work()
    assert len(runs) == 2


def test_a_run_that_fails_does_not_lock_out_the_next_one():
    runs = []

    @alone(longest_s=60)
    def work():
        runs.append(1)
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            work()

    assert len(runs) == 2


def test_without_redis_tasks_run_all_the_same(monkeypatch):
    class Away:
        def add(self, *_args, **_kwargs):
            raise redis.ConnectionError("gone")

        delete = add

    monkeypatch.setattr("arbplatform.background.single.cache", Away())
    runs = []

    @alone(longest_s=60)
    def work():
        runs.append(1)

    work()

    assert runs == [1]


def test_the_depth_of_a_queue_elsewhere_is_not_known(counted, settings):
    settings.BROKER_URL = "amqp://elsewhere"

    assert read_depths() == {}
