"""The end of a worker: nothing new at once, handing over after a while, the time in the log."""

import pytest
from celery import signals

from arbplatform.background import draining
from arbplatform.background.draining import Drain


@pytest.fixture
def drain(clock, settings):
    settings.WORKER_DRAIN_MS = 10_000
    return Drain(clock)


def test_a_process_that_does_not_end_drains_nothing(drain, clock, caplog):
    clock.advance_ms(60_000)
    drain.report()

    assert (drain.has_begun, drain.is_over, drain.elapsed_ms) == (False, False, 0)
    assert caplog.text == ""


def test_what_runs_has_some_time_before_it_is_handed_over(drain, clock):
    drain.begin()
    clock.advance_ms(9_999)
    assert (drain.has_begun, drain.is_over) == (True, False)

    clock.advance_ms(1)

    assert drain.is_over is True


def test_a_second_request_does_not_give_more_time(drain, clock):
    drain.begin()
    clock.advance_ms(10_000)

    drain.begin()

    assert drain.is_over is True


def test_the_log_says_how_long_it_took(drain, clock, caplog):
    drain.begin()
    clock.advance_ms(1_840)

    drain.report()

    assert "The process has drained: it took 1.8 s." in caplog.text


def test_celery_tells_when_a_worker_ends(monkeypatch):
    monkeypatch.setattr(draining.DRAIN, "_began_ms", None)

    signals.worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)

    assert draining.DRAIN.has_begun
