"""Rate limits, also while Redis is away."""

import logging

import pytest
from django.contrib.auth.models import AnonymousUser, User
from redis.exceptions import ConnectionError as RedisDown
from rest_framework.views import APIView

from arbplatform.api.throttling import (
    AnonymousThrottle,
    HealthThrottle,
    LoginThrottle,
    UserThrottle,
)


class Away:
    """A cache whose server does not answer."""

    def get(self, *args, **kwargs):
        raise RedisDown("no server")


@pytest.mark.parametrize(
    "throttle_class", [AnonymousThrottle, HealthThrottle, UserThrottle, LoginThrottle]
)
def test_without_redis_requests_pass_and_the_log_says_so(rf, caplog, throttle_class):
    throttle = throttle_class()
    throttle.cache = Away()
    request = rf.get("/api/x")
    request.user = User(pk=1) if throttle_class is UserThrottle else None

    with caplog.at_level(logging.WARNING):
        assert throttle.allow_request(request, None)

    assert "Redis does not answer" in caplog.text


def test_with_a_counter_the_limit_holds(rf):
    throttle_class = type("Tight", (AnonymousThrottle,), {"rate": "2/min"})
    request = rf.get("/api/x")
    request.user = None

    assert [throttle_class().allow_request(request, APIView()) for _ in range(3)] == [
        True,
        True,
        False,
    ]


@pytest.fixture
def tight(monkeypatch):
    """Two requests a minute of one person."""
    monkeypatch.setattr(UserThrottle, "rate", "2/min", raising=False)


def test_strangers_use_up_nothing_of_a_persons_rate(client, rf, tight, settings):
    """Not even by an address that is made up to look like a person's number."""
    request = rf.get("/api/x")
    request.user = User(pk=7)
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for _ask in range(3):
        client.get("/api/health", headers={"X-Forwarded-For": "7"})

    allowed = [UserThrottle().allow_request(request, APIView()) for _ask in range(3)]

    assert allowed == [True, True, False]


def test_strangers_keep_nobody_behind_their_address_from_asking_for_health(
    client, rf, tight, settings
):
    settings.METRICS_TOKEN = "t" * 32
    for _ask in range(3):
        client.get("/api/health")

    answer = client.get("/api/health", headers={"Authorization": "Bearer " + "t" * 32})

    assert answer.status_code != 429


def test_nobody_is_no_person(rf, tight):
    request = rf.get("/api/x")
    request.user = AnonymousUser()

    assert [UserThrottle().allow_request(request, APIView()) for _ask in range(3)] == [True] * 3
