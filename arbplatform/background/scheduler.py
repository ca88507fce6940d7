"""Beat, of which any number may run: one leads, and what two publish all the same is sent once.

The lease and the slots are kept in Redis, where the messages go: who cannot reach it can publish
nothing either. The lease ends after ten seconds, so a second beat takes over from one that died; a
beat that was paused and wakes up beside its successor meets the slots: of one schedule, nobody
publishes twice within most of its interval.
"""

import logging
import secrets
from datetime import timedelta
from typing import Any, Final

import redis
from django.conf import settings
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

from arbplatform.background.clockwatch import ClockWatch
from arbplatform.background.queues import connect

logger = logging.getLogger(__name__)

LEASE_MS: Final = 10_000
STANDBY_S: Final = 2.0
"""How often a beat that does not lead looks whether it should [s]."""
SLOT_SHARE: Final = 0.8
"""The part of its interval in which a schedule is published once."""
_LEASE_KEY: Final = "arb:beat:leader"

_LEAD: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_LEAVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class Leadership:
    """The right to publish, of one beat among several.

    Args:
        client: of the Redis that carries the messages.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._token = secrets.token_hex(16)

    def hold(self) -> bool:
        """Take or renew the lease; return whether it is ours.

        Raises:
            RedisError: it cannot be asked.
        """
        return bool(self._client.eval(_LEAD, 1, _LEASE_KEY, self._token, LEASE_MS))

    def take_slot(self, name: str, interval: timedelta) -> bool:
        """Return whether a schedule may be published now: nobody did a moment ago.

        Args:
            name: of the schedule.
            interval: from one time to the next.

        Raises:
            RedisError: it cannot be asked.
        """
        kept_ms = max(1, int(interval.total_seconds() * 1_000 * SLOT_SHARE))
        return bool(self._client.set(f"arb:beat:slot:{name}", self._token, nx=True, px=kept_ms))

    def leave(self) -> None:
        """Give the lease back, so that another beat need not wait for its end."""
        self._client.eval(_LEAVE, 1, _LEASE_KEY, self._token)


class LeaderScheduler(DatabaseScheduler):  # type: ignore[misc]  # ships no types
    """The schedule from the database, published by the beat that leads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._leadership = _leadership()
        self._clocks = ClockWatch(limit_ms=settings.CLOCK_JUMP_MAX_MS)
        self._leads = True
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Publish what is due, if this beat leads; return when to look again [s]."""
        if not self._lead():
            return STANDBY_S
        if self._clocks.look() < 0:
            self._forget_the_future()
        return float(super().tick(*args, **kwargs))

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        """Publish a schedule's task, unless another beat just did."""
        interval = getattr(entry.schedule, "run_every", None)
        if self._leadership is not None and interval is not None:
            try:
                if not self._leadership.take_slot(entry.name, interval):
                    logger.warning("%s was published by another beat just now", entry.name)
                    return None
            except redis.RedisError as error:
                logger.warning("No slot of %s, Redis is away: %s", entry.name, error)
                return None
        return super().apply_async(entry, *args, **kwargs)

    def close(self) -> None:
        """Save the schedule and give the lease back."""
        super().close()
        if self._leadership is not None:
            try:
                self._leadership.leave()
            except redis.RedisError:
                logger.info("The lease of this beat ends by itself")

    def _lead(self) -> bool:
        if self._leadership is None:
            return True
        try:
            leads = self._leadership.hold()
        except redis.RedisError as error:
            logger.warning("Beat waits for Redis: %s", error)
            return False
        if leads != self._leads:
            logger.warning(
                "This beat leads now." if leads else "Another beat leads, this one waits."
            )
            self._leads = leads
        return leads

    def _forget_the_future(self) -> None:
        """Let schedules go on after the clock was set back: they ran last at a time to come."""
        now = timezone.now()
        for entry in self.schedule.values():
            if entry.last_run_at > now:
                entry.last_run_at = entry.model.last_run_at = now
        self._heap = None


def _leadership() -> Leadership | None:
    """Return the leadership to compete for; none where the broker is in memory."""
    if settings.REDIS_URL.startswith("memory:"):
        return None
    return Leadership(connect())
