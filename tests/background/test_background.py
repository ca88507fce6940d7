"""Work after a commit, signs of life, and ids in log lines."""

import uuid

import pytest
from celery import current_app, signals
from django.db import transaction

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.background.heartbeat import BEAT, WORKER, read_age_ms
from arbplatform.logs import task_id


@pytest.fixture
def sent(monkeypatch):
    """What was handed to the broker."""
    tasks = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, kwargs=None: tasks.append((name, kwargs))
    )
    return tasks


@pytest.mark.django_db(transaction=True)
def test_a_task_is_sent_after_the_commit_not_before(sent):
    with transaction.atomic():
        enqueue_on_commit("app.do_it", thing_id=7)
        assert sent == []

    assert sent == [("app.do_it", {"thing_id": 7})]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_announces_nothing(sent):
    with transaction.atomic():
        enqueue_on_commit("app.do_it", thing_id=7)
        transaction.set_rollback(True)

    assert sent == []


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_does_not_undo_the_commit(monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr(current_app, "send_task", refuse)
    with transaction.atomic():
        enqueue_on_commit("app.do_it", thing_id=7)

    assert "no broker" in caplog.text


def is_fresh(part):
    age_ms = read_age_ms(part)
    return age_ms is not None and age_ms < 10_000


class Timer:
    """The timer of a worker's event loop."""

    def __init__(self):
        self.calls = []

    def call_repeatedly(self, every_s, function):
        self.calls.append((every_s, function))


class Consumer:
    def __init__(self):
        self.timer = Timer()


@pytest.fixture
def fresh_pulses(monkeypatch):
    from arbplatform.background import heartbeat  # noqa: PLC0415  its pulses are per process

    for pulse in (heartbeat._WORKER, heartbeat._BEAT):
        monkeypatch.setattr(pulse, "_last_ms", float("-inf"))


def test_a_worker_that_is_ready_shows_itself_and_goes_on_doing_so(fresh_pulses):
    consumer = Consumer()

    signals.worker_ready.send(sender=consumer)

    assert is_fresh(WORKER)
    ((every_s, again),) = consumer.timer.calls
    assert 1 <= every_s <= 5
    again()


def test_a_worker_without_an_event_loop_shows_itself_after_tasks(fresh_pulses):
    signals.worker_ready.send(sender=object())

    assert is_fresh(WORKER)


def test_beat_shows_itself_when_it_starts_and_whenever_it_sends(fresh_pulses):
    signals.beat_init.send(sender=None)
    try:
        assert is_fresh(BEAT)
        signals.before_task_publish.send(sender="app.do_it")
    finally:
        signals.before_task_publish.disconnect(dispatch_uid="arb.heartbeat.publish")


def test_log_lines_of_a_task_carry_its_id():
    name = str(uuid.uuid4())

    signals.task_prerun.send(sender=None, task_id=name)
    assert task_id.get() == name

    signals.task_postrun.send(sender=None, task_id=name)
    assert task_id.get() == ""


def test_celery_leaves_logging_to_us():
    assert signals.setup_logging.send(sender=None) != []
