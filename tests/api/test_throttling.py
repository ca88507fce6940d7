"""Rate limits, also while Redis is away."""

import logging

import pytest
from redis.exceptions import ConnectionError as RedisDown

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
    request.user = None

    with caplog.at_level(logging.WARNING):
        assert throttle.allow_request(request, None)

    assert "Redis does not answer" in caplog.text


def test_with_a_counter_the_limit_holds(rf):
    throttle_class = type("Tight", (AnonymousThrottle,), {"rate": "2/min"})
    request = rf.get("/api/x")
    request.user = None

    assert [throttle_class().allow_request(request, None) for _ in range(3)] == [True, True, False]
