"""Rows of django-celery-beat whose tasks are published in batches: reading and writing back.

``BEAT_BATCHES`` in the settings names the tasks. A row is taken into batches when it is the plain
case: an interval, one argument, no queue or priority of its own, no start or end. Any other row of
the same task is left to django-celery-beat, which publishes it alone.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Q
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from arbplatform.background.batches import Batch, BatchPlan, Entry

logger = logging.getLogger(__name__)

ROWS_PER_WRITE = 500
WRITE_BACK_S = 30.0
"""When a schedule last ran is written into its row at most so often [s]."""
_PERIOD_MS: Mapping[str, float] = {
    IntervalSchedule.DAYS: 86_400_000,
    IntervalSchedule.HOURS: 3_600_000,
    IntervalSchedule.MINUTES: 60_000,
    IntervalSchedule.SECONDS: 1_000,
    IntervalSchedule.MICROSECONDS: 0.001,
}


@dataclass(frozen=True, slots=True)
class Batching:
    """How one task is published in batches.

    Attributes:
        task: name of the task that takes one id.
        argument: name of its only argument.
        batch_task: name of the task that takes many ids.
        batch_argument: name of its argument for them.
    """

    task: str
    argument: str
    batch_task: str
    batch_argument: str


def plain_rows(batching: Batching) -> Q:
    """Return the condition that a row can be published together with others."""
    return Q(
        task=batching.task,
        interval__isnull=False,
        kwargs__startswith=f'{{"{batching.argument}": ',
        args="[]",
        headers="{}",
        one_off=False,
        **dict.fromkeys(
            (
                *("queue__isnull", "exchange__isnull", "routing_key__isnull"),
                *("priority__isnull", "start_time__isnull", "expires__isnull"),
            ),
            True,
        ),
    )


def read_entries(batching: Batching) -> Iterator[Entry]:
    """Yield the entries of all rows that are switched on.

    Raises:
        DatabaseError: they cannot be read.
    """
    rows = PeriodicTask.objects.filter(plain_rows(batching), enabled=True).order_by()
    columns = ("pk", "kwargs", "interval__every", "interval__period", "expire_seconds")
    for pk, kwargs, every, period, expire_s in rows.values_list(*columns):
        interval_ms = max(1, round(every * _PERIOD_MS[period]))
        subject_id = _subject(batching, kwargs)
        if subject_id is None:
            logger.error("The schedule %s has arguments that cannot be read: %s", pk, kwargs)
            continue
        yield Entry(pk, subject_id, interval_ms, expire_s or max(1, -(-interval_ms // 1_000)))


def _subject(batching: Batching, kwargs: str) -> int | None:
    try:
        found: Any = json.loads(kwargs)
        is_plain = found.keys() == {batching.argument}
        return int(found[batching.argument]) if is_plain else None
    except (ValueError, TypeError):
        return None


def refresh(plan: BatchPlan, batching: Batching, now_ms: int) -> None:
    """Bring a plan up to date; only what has changed is planned anew.

    Raises:
        DatabaseError: the rows cannot be read; the plan stays as it was.
    """
    entries = list(read_entries(batching))
    plan.keep_only(entry.pk for entry in entries)
    for entry in entries:
        plan.put(entry, now_ms)


class RunCounts:
    """When schedules last ran and how often, until it is written into their rows.

    Only these two columns are written: an edit of the same row is never undone.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._last_ms: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def note(self, batch: Batch, now_ms: int) -> None:
        """Count a batch that was published."""
        counts = self._counts
        for entry in batch.entries:
            counts[entry.pk] = counts.get(entry.pk, 0) + 1
            self._last_ms[entry.pk] = now_ms

    def write(self, rows_max: int | None = None) -> None:
        """Write what was noted first.

        Args:
            rows_max: at most about so many rows; default: all.

        Raises:
            DatabaseError: what could not be written stays noted.
        """
        chosen = list(self._counts)[:rows_max]
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for pk in chosen:
            groups[self._counts[pk], self._last_ms[pk]].append(pk)
        for (count, last_ms), pks in groups.items():
            last_run_at = datetime.fromtimestamp(last_ms / 1_000, UTC)
            for start in range(0, len(pks), ROWS_PER_WRITE):
                chunk = pks[start : start + ROWS_PER_WRITE]
                PeriodicTask.objects.filter(pk__in=chunk).update(
                    last_run_at=last_run_at, total_run_count=F("total_run_count") + count
                )
                for pk in chunk:
                    del self._counts[pk], self._last_ms[pk]
