"""Without Redis nothing new is begun and nothing is lost; all goes on by itself when it is back."""

import pytest
from django.core.cache import caches
from django.test import override_settings

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.watch import REDIS_MISSES_MAX, RedisGuard, guard_name
from ledger.models import Order, TradingChange
from ledger.services import guards
from strategies.domain.states import StrategyState
from strategies.models import Opportunity, Reason, Strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.processes import send, wait_until

NAME = guard_name("redis")


@pytest.fixture
def redis():
    """Whether Redis answers, to be set by the test."""
    return {"answers": True}


@pytest.fixture
def guard(db, redis):
    return RedisGuard(lambda: redis["answers"])


def test_one_missed_answer_restricts_nothing(guard, redis):
    for answers in (True, False, True) * 5:
        redis["answers"] = answers
        guard.look()

    assert not TradingChange.objects.exists()


def test_strategies_are_denied_while_redis_is_away_and_go_on_after(guard, redis, cross, edge):
    redis["answers"] = False
    for _ in range(REDIS_MISSES_MAX):
        guard.look()

    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert (report.outcome, Order.objects.count()) == (TickOutcome.LEFT, 0)
    assert edge["alpha"].requests == edge["beta"].requests == []
    assert Opportunity.objects.get().reason == Reason.TRADING_HALTED
    assert str(TradingChange.objects.get().to_reason()) == "Redis does not answer."

    redis["answers"] = True
    guard.look()
    assert not guards.is_holding(NAME)
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.EXECUTED


def test_what_a_worker_that_died_left_restricted_is_given_back(guard, redis):
    redis["answers"] = False
    for _ in range(REDIS_MISSES_MAX):
        guard.look()

    RedisGuard(lambda: True).look()

    assert not guards.is_holding(NAME)


DEAD_CACHE = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "unix:///nowhere/redis.sock",
    }
}


@pytest.fixture
def no_redis():
    with override_settings(CACHES=DEAD_CACHE):
        yield
    caches["default"].clear()


@pytest.mark.django_db
def test_api_and_console_say_what_does_not_work(console, user_api, no_redis):
    health = user_api.get("/api/health")
    assert (health.status_code, health.json()["data"]["parts"]["redis"]["is_ok"]) == (503, False)
    assert health.json()["data"]["parts"]["database"]["is_ok"]

    page = console.get("/admin/")
    assert (page.status_code, "Not working: Redis" in page.content.decode()) == (200, True)
    assert user_api.get("/api/orders").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_row_is_kept_although_its_message_is_lost(cross, monkeypatch, settings):
    settings.CELERY_BROKER_URL = "redis+socket:///nowhere/redis.sock"

    enqueue_on_commit("strategies.settle_execution", execution_id=1)

    assert Strategy.objects.get(pk=cross.pk).state == StrategyState.RUNNING


@pytest.mark.django_db(transaction=True)
def test_a_worker_connects_again_and_restricts_in_between(start_part, redis_server):
    worker = start_part("worker")
    wait_until(lambda: is_working(redis_server.url), "the worker works")

    redis_server.stop()
    wait_until(lambda: guards.is_holding(NAME), lambda: "restricted: " + worker.output)
    redis_server.start()
    wait_until(lambda: not guards.is_holding(NAME), "trading goes on")

    wait_until(lambda: is_working(redis_server.url), "the worker works again")
    assert worker.process.poll() is None


def is_working(url):
    """Return whether the worker takes a message within a moment."""
    import redis as client  # noqa: PLC0415  the name is a fixture here

    with client.Redis.from_url(url) as connection:
        send(url, "strategies.tick", strategy_id=4711)
        for _ in range(20):
            if not connection.llen("trading"):
                return True
    return False
