"""Liveness asks nobody; readiness says which part does not work."""

import pytest
from django.core.cache import cache
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisDown

from arbplatform import health, parts
from arbplatform.background.heartbeat import (
    BEAT,
    BEAT_EVERY_MS,
    SCANNER,
    WORKER,
    Pulse,
    read_age_ms,
)
from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from strategies.models import Strategy
from strategies.services.leases import Engine, renew_leases


@pytest.fixture
def living():
    """Worker and beat have just shown themselves."""
    for part in (WORKER, BEAT):
        Pulse(part).show()


def test_the_web_process_says_that_it_lives_without_asking_anybody(client):
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (
        200,
        {"code": 0, "msg": "success", "data": {"status": "ok"}},
    )


def test_everything_works(anonymous_api, db, living):
    response = anonymous_api.get("/api/health")

    assert response.status_code == 200
    data = response.json()["data"]
    assert {name: part["is_ok"] for name, part in data.items()} == {
        "database": True,
        "redis": True,
        "worker": True,
        "beat": True,
        "engines": True,
        "scanner": True,
        "venues": True,
        "queues": True,
        "disk": True,
        "spool": True,
    }
    assert 0 <= data["worker"]["age_ms"] < 10_000
    assert data["database"] == {"is_ok": True, "detail": "", "age_ms": None, "figures": None}


def test_a_part_that_never_showed_itself_is_down(anonymous_api, db):
    response = anonymous_api.get("/api/health")

    assert (response.status_code, response.json()["code"]) == (503, health.PartDown.code)
    assert "worker, beat" in response.json()["msg"]
    assert response.json()["data"]["beat"] == {
        "is_ok": False,
        "detail": "It has never shown itself.",
        "age_ms": None,
        "figures": None,
    }


def test_a_part_that_has_not_shown_itself_lately_is_down(anonymous_api, db, living):
    long_ago = FixedClock(SYSTEM_CLOCK.now_ms() - parts.HEARTBEAT_AGE_MS_MAX - 1_000)
    Pulse(BEAT, long_ago).show()

    data = anonymous_api.get("/api/health").json()["data"]

    assert data["worker"]["is_ok"]
    assert not data["beat"]["is_ok"]
    assert data["beat"]["age_ms"] > parts.HEARTBEAT_AGE_MS_MAX


def test_strategies_on_streams_that_no_engine_runs_are_a_failure(anonymous_api, db, living):
    strategy = Strategy.objects.create(
        name="stream", type="cross-venue", state="running", driver="stream"
    )

    data = anonymous_api.get("/api/health").json()["data"]["engines"]

    assert (data["is_ok"], data["age_ms"]) == (False, None)
    assert data["detail"] == "No engine runs the strategies that are driven by streams."
    assert data["figures"] == {"engines": 0, "running": 1, "waiting": 1}
    engine = Engine("here:1:aa", "here", 1)
    renew_leases(engine=engine, tokens={})  # one has just begun, or takes over
    assert anonymous_api.get("/api/health").json()["data"]["engines"]["is_ok"]
    strategy.delete()


def test_a_scanner_is_a_part_only_while_one_is_to_run(anonymous_api, db, living):
    def scanner():
        return anonymous_api.get("/api/health").json()["data"]["scanner"]

    assert (scanner()["is_ok"], scanner()["age_ms"]) == (True, None)

    long_ago = FixedClock(SYSTEM_CLOCK.now_ms() - parts.HEARTBEAT_AGE_MS_MAX - 1_000)
    Pulse(SCANNER, long_ago).show()  # and was killed
    assert (scanner()["is_ok"], scanner()["detail"]) == (False, "It has not shown itself lately.")

    pulse = Pulse(SCANNER)
    pulse.show()
    assert scanner()["is_ok"]
    assert 0 <= scanner()["age_ms"] < 10_000

    pulse.withdraw()
    assert (scanner()["is_ok"], scanner()["age_ms"]) == (True, None)


class Away:
    """A server that does not answer."""

    def get(self, *args):
        raise RedisDown("redis://:password@host")

    def set(self, *args, **kwargs):
        raise RedisDown("redis://:password@host")

    def delete(self, *args):
        raise RedisDown("redis://:password@host")

    def cursor(self):
        raise OperationalError("no database")


def test_without_redis_the_answer_is_still_an_answer(anonymous_api, db, monkeypatch):
    monkeypatch.setattr(parts, "cache", Away())
    monkeypatch.setattr("arbplatform.background.heartbeat.cache", Away())
    Pulse(SCANNER).withdraw()  # says so in the log, and goes on

    response = anonymous_api.get("/api/health")

    assert response.status_code == 503
    assert response.json()["data"]["redis"]["detail"] == "ConnectionError"
    assert "password" not in response.content.decode()


def test_without_a_database_the_answer_is_still_an_answer(anonymous_api, db, living, monkeypatch):
    monkeypatch.setattr(parts, "connection", Away())

    response = anonymous_api.get("/api/health")

    assert response.status_code == 503
    assert not response.json()["data"]["database"]["is_ok"]


def test_a_store_that_forgets_at_once_is_down(anonymous_api, db, living, monkeypatch):
    class Forgetful:
        def set(self, *args, **kwargs):
            pass

        def get(self, *args):
            return None

    monkeypatch.setattr(parts, "cache", Forgetful())

    data = anonymous_api.get("/api/health").json()["data"]
    assert data["redis"]["detail"] == "It does not keep what it is given."


def test_a_pulse_writes_seldom_however_often_it_is_felt(clock):
    pulse = Pulse(WORKER, clock)

    pulse.show()
    clock.advance_ms(BEAT_EVERY_MS - 1)
    pulse.show()
    assert read_age_ms(WORKER, clock) == BEAT_EVERY_MS - 1

    clock.advance_ms(1)
    pulse.show(sender="celery", anything="else")
    assert read_age_ms(WORKER, clock) == 0


def test_a_pulse_without_redis_does_not_stop_the_worker(monkeypatch, caplog):
    monkeypatch.setattr("arbplatform.background.heartbeat.cache", Away())

    Pulse(WORKER).show()

    assert "Redis does not answer" in caplog.text


def test_nothing_has_an_age_before_it_showed_itself():
    cache.clear()

    assert read_age_ms(BEAT) is None
