"""Signs of life of worker, beat and scanner, left where the web process can see them.

They write the time into the cache (Redis), at most once every ``BEAT_EVERY_MS``: the worker from
the timer of its event loop and after every task, beat whenever it publishes a task, the scanner
after every scan. What hangs, hangs visibly.
"""

import logging
from typing import Any, Final

from celery import signals
from django.core.cache import cache
from redis.exceptions import RedisError

from arbplatform.core.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger(__name__)

BEAT_EVERY_MS: Final = 3_000
KEPT_S: Final = 86_400
WORKER: Final = "worker"
BEAT: Final = "beat"
SCANNER: Final = "scanner"


class Pulse:
    """One process's sign of life.

    Args:
        part: ``WORKER``, ``BEAT`` or ``SCANNER``.
        clock: where the time comes from.
    """

    def __init__(self, part: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._part = part
        self._clock = clock
        self._last_ms = float("-inf")

    def show(self, **_: Any) -> None:
        """Leave a sign, unless one was left a moment ago; Celery calls this often."""
        elapsed_ms = self._clock.monotonic_ms() - self._last_ms
        if elapsed_ms < BEAT_EVERY_MS:
            return
        self._last_ms = self._clock.monotonic_ms()
        try:
            cache.set(_key(self._part), self._clock.now_ms(), timeout=KEPT_S)
        except (RedisError, OSError) as error:
            logger.warning("No sign of life could be left, Redis does not answer: %s", error)

    def withdraw(self) -> None:
        """Leave nothing behind: the process ends because it was told to."""
        try:
            cache.delete(_key(self._part))
        except (RedisError, OSError) as error:
            logger.warning("A sign of life stays behind, Redis does not answer: %s", error)


def read_age_ms(part: str, clock: Clock = SYSTEM_CLOCK) -> int | None:
    """Return how long ago ``part`` last showed itself [ms], or None if it never did.

    Raises:
        RedisError: the cache cannot be asked.
    """
    seen_ms = cache.get(_key(part))
    return None if seen_ms is None else clock.now_ms() - int(seen_ms)


def install() -> None:
    """Listen to Celery; only the process that is a worker or beat will ever show anything."""
    signals.worker_ready.connect(_start_worker, weak=False, dispatch_uid="arb.heartbeat.ready")
    signals.task_postrun.connect(_WORKER.show, weak=False, dispatch_uid="arb.heartbeat.task")
    signals.beat_init.connect(_start_beat, weak=False, dispatch_uid="arb.heartbeat.beat")


def _start_worker(sender: Any = None, **_: Any) -> None:
    _WORKER.show()
    timer = getattr(sender, "timer", None)
    if timer is not None:
        timer.call_repeatedly(BEAT_EVERY_MS / 1_000, _WORKER.show)


def _start_beat(**_: Any) -> None:
    _BEAT.show()
    signals.before_task_publish.connect(
        _BEAT.show, weak=False, dispatch_uid="arb.heartbeat.publish"
    )


def _key(part: str) -> str:
    return f"heartbeat:{part}"


_WORKER = Pulse(WORKER)
_BEAT = Pulse(BEAT)
