"""One run of a task at a time: a sweep that takes long is not joined by the next one.

For tasks that only ask venues and would ask them twice. What keeps money safe does without: it may
run any number of times at once, and must not wait for the lock of a process that was killed.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")


def alone(*, longest_s: int) -> Callable[[Callable[_P, None]], Callable[_P, None]]:
    """Return a decorator that leaves a task out while the one before it runs.

    Args:
        longest_s: after so long the one before counts as dead [s].
    """

    def decorate(task: Callable[_P, None]) -> Callable[_P, None]:
        key = f"running:{task.__module__}.{task.__name__}"

        @wraps(task)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
            try:
                if not cache.add(key, 1, timeout=longest_s):
                    logger.info("%s is left out: the run before it has not ended", key)
                    return
            except (RedisError, OSError):
                logger.warning("%s runs without a lock: Redis is away", key)
            try:
                task(*args, **kwargs)
            finally:
                _unlock(key)

        return run

    return decorate


def _unlock(key: str) -> None:
    try:
        cache.delete(key)
    except (RedisError, OSError):
        logger.info("the lock %s ends by itself", key)
