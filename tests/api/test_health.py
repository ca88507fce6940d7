"""Liveness asks nobody; readiness says which part does not work."""

import re

import pytest
from django.core.cache import cache
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisDown

from arbplatform import health, parts
from arbplatform.api.authentication import TokenAuthentication
from arbplatform.api.throttling import HealthThrottle
from arbplatform.background.heartbeat import (
    BEAT,
    BEAT_EVERY_MS,
    SCANNER,
    WORKER,
    Pulse,
    read_age_ms,
)
from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from arbplatform.core.errors import RateLimited
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


def test_everything_works(user_api, db, living):
    response = user_api.get("/api/health")

    assert response.status_code == 200
    data = response.json()["data"]["parts"]
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
        "notices": True,
    }
    assert 0 <= data["worker"]["age_ms"] < 10_000
    assert data["database"] == {"is_ok": True, "detail": "", "age_ms": None, "figures": None}


@pytest.fixture
def tight(monkeypatch):
    """Who is not known may look twice a minute."""
    cache.clear()
    monkeypatch.setattr(HealthThrottle, "rate", "2/min", raising=False)


def test_a_stranger_who_asks_too_often_is_told_when_to_come_again(anonymous_api, db, tight):
    for _ in range(2):
        assert anonymous_api.get("/api/health").status_code == 503  # nothing else runs here

    answer = anonymous_api.get("/api/health")

    assert (answer.status_code, answer.json()["code"]) == (429, RateLimited.code)
    assert answer.json()["data"] is None
    assert 0 < int(answer["Retry-After"]) <= 60
    # others are answered all the same
    assert anonymous_api.get("/api/health", REMOTE_ADDR="10.0.0.9").status_code == 503
    assert anonymous_api.get("/healthz").status_code == 200


def test_who_is_known_is_not_counted_among_strangers(anonymous_api, user_api, db, tight, settings):
    settings.METRICS_TOKEN = "for-prometheus"
    for _ in range(3):
        assert anonymous_api.get("/api/health", headers=TOLD).status_code == 503
        assert user_api.get("/api/health").status_code == 503

    assert anonymous_api.get("/api/health").status_code == 503


TOLD = {"authorization": "Bearer for-prometheus"}


@pytest.mark.parametrize("is_well", [True, False])
def test_a_stranger_learns_only_whether_everything_works(
    anonymous_api, db, is_well, living, settings
):
    settings.METRICS_TOKEN = "for-prometheus"
    if not is_well:
        cache.clear()

    for headers in ({}, {"authorization": "Bearer guess"}):
        response = anonymous_api.get(
            "/api/health", headers={**headers, "accept-language": "en"}, REMOTE_ADDR="127.0.0.1"
        )

        assert response.status_code == (200 if is_well else 503)
        assert response.json()["data"] == {"is_ok": is_well, "parts": None}
        assert not {"worker", "beat", "disk"} & set(re.findall(r"\w+", response.content.decode()))


def test_staff_and_readers_and_the_bearer_of_the_token_are_told_more(
    anonymous_api, user_api, staff_api, living, settings
):
    settings.METRICS_TOKEN = "for-prometheus"

    answers = [
        anonymous_api.get("/api/health", headers=TOLD),
        user_api.get("/api/health"),
        staff_api.get("/api/health"),
    ]

    assert [answer.json()["data"]["is_ok"] for answer in answers] == [True] * 3
    assert [len(answer.json()["data"]["parts"]) for answer in answers] == [11] * 3


def test_a_token_that_is_none_is_refused(anonymous_api, db, living, refusal):
    answer = anonymous_api.get("/api/health", headers={"authorization": "Token nonsense"})

    assert refusal(answer) == (401, 1017, [])


def test_who_cannot_be_known_without_a_database_is_a_stranger(
    anonymous_api, db, living, monkeypatch
):
    def away(*_args):
        raise OperationalError("no database")

    monkeypatch.setattr(parts, "connection", Away())
    monkeypatch.setattr(TokenAuthentication, "authenticate", away)

    answer = anonymous_api.get("/api/health", headers={"authorization": "Token somebody"})

    assert (answer.status_code, answer.json()["code"]) == (503, health.PartDown.code)
    assert answer.json()["data"] == {"is_ok": False, "parts": None}


def test_a_part_that_never_showed_itself_is_down(user_api, db):
    response = user_api.get("/api/health")

    assert (response.status_code, response.json()["code"]) == (503, health.PartDown.code)
    assert "worker, beat" in response.json()["msg"]
    assert response.json()["data"]["parts"]["beat"] == {
        "is_ok": False,
        "detail": "It has never shown itself.",
        "age_ms": None,
        "figures": None,
    }


def test_a_part_that_has_not_shown_itself_lately_is_down(user_api, db, living):
    long_ago = FixedClock(SYSTEM_CLOCK.now_ms() - parts.HEARTBEAT_AGE_MS_MAX - 1_000)
    Pulse(BEAT, long_ago).show()

    data = user_api.get("/api/health").json()["data"]["parts"]

    assert data["worker"]["is_ok"]
    assert not data["beat"]["is_ok"]
    assert data["beat"]["age_ms"] > parts.HEARTBEAT_AGE_MS_MAX


def test_strategies_on_streams_that_no_engine_runs_are_a_failure(user_api, db, living):
    strategy = Strategy.objects.create(
        name="stream", type="cross-venue", state="running", driver="stream"
    )

    data = user_api.get("/api/health").json()["data"]["parts"]["engines"]

    assert (data["is_ok"], data["age_ms"]) == (False, None)
    assert data["detail"] == "No engine runs the strategies that are driven by streams."
    assert data["figures"] == {"engines": 0, "running": 1, "waiting": 1}
    engine = Engine("here:1:aa", "here", 1)
    renew_leases(engine=engine, tokens={})  # one has just begun, or takes over
    assert user_api.get("/api/health").json()["data"]["parts"]["engines"]["is_ok"]
    strategy.delete()


def test_a_scanner_is_a_part_only_while_one_is_to_run(user_api, db, living):
    def scanner():
        return user_api.get("/api/health").json()["data"]["parts"]["scanner"]

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


def test_without_redis_the_answer_is_still_an_answer(user_api, db, monkeypatch):
    monkeypatch.setattr(parts, "cache", Away())
    monkeypatch.setattr("arbplatform.background.heartbeat.cache", Away())
    Pulse(SCANNER).withdraw()  # says so in the log, and goes on

    response = user_api.get("/api/health")

    assert response.status_code == 503
    assert response.json()["data"]["parts"]["redis"]["detail"] == "ConnectionError"
    assert "password" not in response.content.decode()


def test_without_a_database_the_answer_is_still_an_answer(user_api, db, living, monkeypatch):
    monkeypatch.setattr(parts, "connection", Away())

    response = user_api.get("/api/health")

    assert response.status_code == 503
    assert not response.json()["data"]["parts"]["database"]["is_ok"]


def test_a_store_that_forgets_at_once_is_down(user_api, db, living, monkeypatch):
    class Forgetful:
        def set(self, *args, **kwargs):
            pass

        def get(self, *args):
            return None

    monkeypatch.setattr(parts, "cache", Forgetful())

    data = user_api.get("/api/health").json()["data"]["parts"]
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
