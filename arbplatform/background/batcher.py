"""What a beat publishes in batches: many ids in one message."""

import logging
from typing import Any, Final

import redis
from celery import Celery
from django.db import DatabaseError, InterfaceError

from arbplatform.background.batched_rows import (
    ROWS_PER_WRITE,
    WRITE_BACK_S,
    Batching,
    RunCounts,
    refresh,
)
from arbplatform.background.batches import GRID_MS, Batch, BatchPlan, Bucket, make_batches
from arbplatform.background.leadership import Leadership
from arbplatform.core.clock import Clock

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""How often it is looked whether somebody has edited the schedule [s]."""
READ_S: Final = 60.0
"""Rows of batches are read that often even if no change was noticed [s]."""


class Batcher:
    """What one beat publishes in batches.

    Args:
        app: whose tasks.
        batching: of which task.
        leadership: that protects against a second beat; none where the broker is in memory.
        clock: tells the time.
    """

    def __init__(
        self, app: Celery, batching: Batching, leadership: Leadership | None, clock: Clock
    ) -> None:
        self.batching = batching
        self.plan = BatchPlan()
        self.counts = RunCounts()
        self._app = app
        self._leadership = leadership
        self._clock = clock
        self._read_ms = self._written_ms = float("-inf")
        self._is_outdated = True

    def heed_change(self) -> None:
        """Read the rows before the next batch."""
        self._is_outdated = True

    def publish(self, producer: Any) -> float:
        """Publish what is due; return when to look again [s]."""
        self._refresh()
        buckets = self._take(self.plan.take_due(self._clock.now_ms()))
        for batch in make_batches(buckets):
            self._send(batch, producer)
        self._write_back()
        due_ms = self.plan.next_due_ms()
        if due_ms is None:
            return LOOK_S
        # whatever comes due within a grid step goes out together
        wake_ms = -(-due_ms // GRID_MS) * GRID_MS
        return min(LOOK_S, max(0.001, (wake_ms - self._clock.now_ms()) / 1_000))

    def flush(self) -> None:
        """Write into all rows when they last ran."""
        try:
            self.counts.write()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("When schedules last ran is written later: %s", error)

    def forget_the_future(self) -> None:
        """Go on after the clock was set back."""
        self.plan.restart(self._clock.now_ms())

    def _refresh(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if not self._is_outdated and now_ms - self._read_ms < READ_S * 1_000:
            return
        if now_ms - self._read_ms < LOOK_S * 1_000:
            return  # while many are started, each second once
        self._read_ms = now_ms
        try:
            refresh(self.plan, self.batching, self._clock.now_ms())
            self._is_outdated = False
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The schedule stays as it was, it cannot be read: %s", error)

    def _take(self, due: list[tuple[Bucket, int]]) -> list[tuple[Bucket, int]]:
        if not due or self._leadership is None:
            return due
        try:
            return self._leadership.take_buckets(due)
        except redis.RedisError as error:
            logger.warning("No batch of %s, Redis is away: %s", self.batching.task, error)
            return []

    def _send(self, batch: Batch, producer: Any) -> None:
        kwargs = {
            self.batching.batch_argument: [entry.subject_id for entry in batch.entries],
            "due_ms": batch.due_ms,
        }
        try:
            self._app.send_task(
                self.batching.batch_task,
                kwargs=kwargs,
                expires=batch.expires_s,
                producer=producer,
            )
        except Exception:  # whatever kombu raises for a broker that is away
            logger.exception("%s of %d was not sent", self.batching.batch_task, len(batch.entries))
        else:
            self.counts.note(batch, self._clock.now_ms())

    def _write_back(self) -> None:
        """Write a part of the rows: all of them at once would delay the next batch."""
        now_ms = self._clock.monotonic_ms()
        share = ROWS_PER_WRITE / max(ROWS_PER_WRITE, len(self.plan))
        if not len(self.counts) or now_ms - self._written_ms < WRITE_BACK_S * 1_000 * share:
            return
        self._written_ms = now_ms
        try:
            self.counts.write(ROWS_PER_WRITE)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("When schedules last ran is written later: %s", error)
