"""The queues of background work, the most urgent first, and how long they are."""

from typing import Any, Final

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUES: Final = ("safety", "trading", "reconcile", "reports")
"""A worker takes from the first of them that is not empty."""
DEPTH_MAX: Final = 500
"""Messages that wait; more of them than this mean that the worker does not keep up."""
TIMEOUT_S: Final = 2.0


def connect() -> Any:
    """Return a client of the Redis that carries the messages, which gives up soon."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def read_depths() -> dict[str, int]:
    """Return how many messages wait in each queue; nothing where the broker is not our Redis.

    Raises:
        RedisError: it cannot be asked.
    """
    if settings.REDIS_URL.startswith("memory:") or settings.BROKER_URL:
        return {}
    with connect() as client:
        pipe = client.pipeline(transaction=False)
        for name in QUEUES:
            pipe.llen(name)
        return dict(zip(QUEUES, pipe.execute(), strict=True))
