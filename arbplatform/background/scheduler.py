"""Beat, of which any number may run: one leads, and what two publish all the same is sent once.

The lease and the slots are kept in Redis, where the messages go: who cannot reach it can publish
nothing either. The lease ends after ten seconds, so a second beat takes over from one that died; a
beat that was paused and wakes up beside its successor meets the slots: of one schedule, nobody
publishes twice within most of its interval.
"""

import logging
from typing import Any, Final

import redis
from celery import Celery
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from arbplatform.background.batched_rows import Batching, plain_rows
from arbplatform.background.batcher import LOOK_S, Batcher
from arbplatform.background.clockwatch import ClockWatch
from arbplatform.background.leadership import make_leadership
from arbplatform.core.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger(__name__)

STANDBY_S: Final = 2.0
"""How often a beat that does not lead looks whether it should [s]."""


class LeaderScheduler(DatabaseScheduler):  # type: ignore[misc]  # ships no types
    """The schedule from the database, published by the beat that leads."""

    def __init__(self, app: Celery, *args: Any, clock: Clock = SYSTEM_CLOCK, **kwargs: Any) -> None:
        self._clock = clock
        self._leadership = make_leadership()
        self._clocks = ClockWatch(limit_ms=settings.CLOCK_JUMP_MAX_MS)
        self._leads = True
        self._looked_ms = self._plain_ms = float("-inf")
        self._batchers = [
            Batcher(app, Batching(**names), self._leadership, clock)
            for names in settings.BEAT_BATCHES
        ]
        super().__init__(app, *args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Publish what is due, if this beat leads; return when to look again [s]."""
        if not self._lead():
            return STANDBY_S
        if self._clocks.look() < 0:
            self._forget_the_future()
        wait_s = min((batcher.publish(self.producer) for batcher in self._batchers), default=LOOK_S)
        now_ms = self._clock.monotonic_ms()
        if now_ms >= self._plain_ms:
            plain_s = min(LOOK_S, float(super().tick(*args, **kwargs)))
            self._plain_ms = now_ms + plain_s * 1_000
        return max(0.0, min(wait_s, (self._plain_ms - self._clock.monotonic_ms()) / 1_000))

    def enabled_models_qs(self) -> "QuerySet[PeriodicTask]":
        """Return the rows that are published one by one."""
        rows: QuerySet[PeriodicTask] = super().enabled_models_qs()
        for batcher in self._batchers:
            rows = rows.exclude(plain_rows(batcher.batching))
        return rows

    def schedule_changed(self) -> bool:
        """Return whether somebody has edited the schedule; asked each second, not each batch."""
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._looked_ms < LOOK_S * 1_000:
            return False
        self._looked_ms = now_ms
        is_first = self._last_timestamp is None  # nothing to compare with: rows may have changed
        is_changed = bool(super().schedule_changed())
        if is_changed or is_first:
            for batcher in self._batchers:
                batcher.heed_change()
        return is_changed

    def sync(self) -> None:
        """Write into all rows when they last ran."""
        super().sync()
        for batcher in self._batchers:
            batcher.flush()

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
        for batcher in self._batchers:
            batcher.forget_the_future()
        now = timezone.now()
        for entry in self.schedule.values():
            if entry.last_run_at > now:
                entry.last_run_at = entry.model.last_run_at = now
        self._heap = None
