"""What engines say about themselves, passed through Redis: gone ten seconds after the last word.

Nothing depends on it: an engine goes on without Redis, and who reads says that it is away.
"""

import logging
from functools import lru_cache
from typing import Any, Final

import orjson
from django.conf import settings
from redis.exceptions import RedisError

from arbplatform.background.queues import connect
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Unavailable
from strategies.domain.engine_stats import EngineStats

logger = logging.getLogger(__name__)

KEPT_MS: Final = 10_000
"""An engine that has said nothing for so long is not listed any more [ms]."""
ENGINES_MAX: Final = 256
"""Engines that are listed at most."""
INDEX_KEY: Final = "arb:engines"

_here: dict[str, EngineStats] = {}
"""Where the broker is in memory there is only this process."""


def publish_stats(stats: EngineStats, *, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Let everybody read the state of an engine; return whether Redis took it. Never raises.

    Args:
        stats: the state.
        clock: where the time comes from.
    """
    now_ms = clock.now_ms()
    if _is_in_memory():
        _here[stats.name] = stats
        _forget_old(now_ms)
        return True
    try:
        pipe = _client().pipeline(transaction=False)
        pipe.set(_key(stats.name), orjson.dumps(stats.to_dict()), px=KEPT_MS)
        pipe.zadd(INDEX_KEY, {stats.name: now_ms})
        pipe.zremrangebyscore(INDEX_KEY, "-inf", now_ms - KEPT_MS)
        pipe.execute()
    except (RedisError, OSError) as error:
        logger.warning("The figures of %s could not be published: %s", stats.name, error)
        return False
    return True


def withdraw_stats(name: str) -> None:
    """Let nobody read the state of an engine that ends. Never raises."""
    _here.pop(name, None)
    if _is_in_memory():
        return
    try:
        pipe = _client().pipeline(transaction=False)
        pipe.delete(_key(name))
        pipe.zrem(INDEX_KEY, name)
        pipe.execute()
    except (RedisError, OSError) as error:
        logger.info("The figures of %s go by themselves: %s", name, error)


def list_stats(*, clock: Clock = SYSTEM_CLOCK) -> list[EngineStats]:
    """Return what every engine said last, by name.

    Raises:
        Unavailable: Redis does not answer.
    """
    now_ms = clock.now_ms()
    if _is_in_memory():
        _forget_old(now_ms)
        return sorted(_here.values(), key=lambda stats: stats.name)[:ENGINES_MAX]
    try:
        client = _client()
        names = client.zrangebyscore(INDEX_KEY, now_ms - KEPT_MS, "+inf", start=0, num=ENGINES_MAX)
        found = client.mget([_key(name.decode()) for name in names]) if names else []
    except (RedisError, OSError) as error:
        raise Unavailable(
            "Redis does not answer, so what the engines say about themselves cannot be read. "
            "They may well run: look at the processes, and start Redis again."
        ) from error
    read = [_parse(text) for text in found if text is not None]
    return sorted((stats for stats in read if stats), key=lambda stats: stats.name)


def _parse(text: bytes) -> EngineStats | None:
    try:
        return EngineStats.from_dict(orjson.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        logger.warning("The figures of an engine of another version cannot be read: %r", error)
        return None


def _forget_old(now_ms: int) -> None:
    for name in [name for name, stats in _here.items() if stats.at_ms <= now_ms - KEPT_MS]:
        del _here[name]


def _is_in_memory() -> bool:
    return bool(settings.REDIS_URL.startswith("memory:"))


def _client() -> Any:
    return _connected(settings.REDIS_URL)


@lru_cache(maxsize=2)
def _connected(_url: str) -> Any:
    return connect()


def _key(name: str) -> str:
    return f"arb:engine:{name}"
