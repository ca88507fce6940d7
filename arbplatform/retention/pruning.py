"""The removal of rows that have been kept long enough.

Small batches, each in a transaction of its own together with the note of how far it got, and a
pause after each that is many times as long as the batch took: whoever writes orders meets a lock
seldom, and then for milliseconds. A process that dies in between has removed whole batches, and
the next run goes on behind them.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.db import transaction
from django.db.models import F, Q

from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import Clock
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.persistence.retries import retried
from arbplatform.retention.kinds import Kind, list_kinds
from arbplatform.retention.measuring import measure
from arbplatform.retention.models import Retention

logger = logging.getLogger(__name__)

BATCH_ROWS: Final = 100
LEASE: Final = timedelta(minutes=1)
"""How long a run that has died keeps others from its kind."""
PAUSE_SHARE: Final = 9
"""A pause is so many times as long as the batch before it took: a tenth of the time is work."""
PAUSE_MAX_S: Final = 0.5
MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may do.

    Attributes:
        rows: that it removes of each kind; None: no limit.
        duration_ms: that it takes for all kinds together [ms]; None: no limit.
    """

    rows: int | None = 100_000
    duration_ms: int | None = 30_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one run did to one kind.

    Attributes:
        kind: which.
        removed_count: rows.
        is_done: whether nothing is left that might go.
    """

    kind: Kind
    removed_count: int
    is_done: bool


SCHEDULED: Final = Limits()
Progress = Callable[[Kind, int], None]


def _say_nothing(_kind: Kind, _count: int) -> None:
    """Tell nobody."""


class _LeaseLostError(Exception):
    """Somebody else removes the same rows by now."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What is the same for all kinds of one run."""

    limits: Limits
    from_start: bool
    progress: Progress
    clock: Clock
    pause: Callable[[float], None]
    began_ms: float

    def has_time(self) -> bool:
        """Return whether another batch may begin."""
        limit_ms = self.limits.duration_ms
        took_ms = self.clock.monotonic_ms() - self.began_ms
        return not DRAIN.has_begun and (limit_ms is None or took_ms < limit_ms)


def prune(
    *,
    kinds: Sequence[Kind] | None = None,
    limits: Limits = SCHEDULED,
    from_start: bool = False,
    progress: Progress = _say_nothing,
    clock: Clock = DATABASE_CLOCK,
    pause: Callable[[float], None] = time.sleep,
) -> list[Pruned]:
    """Remove rows that have been kept long enough.

    Kinds take turns: those whose last run is longest ago come first. A kind that somebody else is
    at is left out.

    Args:
        kinds: which; None: all.
        limits: what the run may do.
        from_start: look at everything again, not only at what has grown old since the last run.
        progress: is told of every batch.
        clock: tells the time.
        pause: waits for so many seconds.

    Returns:
        What was done, by kind.
    """
    run = _Run(limits, from_start, progress, clock, pause, clock.monotonic_ms())
    ensure_rows()
    chosen = list_kinds() if kinds is None else kinds
    return [done for kind in _by_turn(chosen) if (done := _prune_kind(kind, run)) is not None]


def count_removable(kind: Kind, *, clock: Clock = DATABASE_CLOCK) -> int:
    """Return how many rows of a kind have been kept long enough."""
    cutoff = kind.cutoff(clock.now())
    return 0 if cutoff is None else kind.list_removable(since=None, until=cutoff).count()


def ensure_rows() -> None:
    """Have a row for every kind that there is, and none for others."""
    names = {kind.name for kind in list_kinds()}
    known = set(Retention.objects.values_list("kind", flat=True))
    if known - names:
        Retention.objects.exclude(kind__in=names).delete()
    if names - known:
        missing = [Retention(kind=name) for name in sorted(names - known)]
        Retention.objects.bulk_create(missing, ignore_conflicts=True)


def _by_turn(kinds: Sequence[Kind]) -> list[Kind]:
    never = datetime.min.replace(tzinfo=UTC)
    runs = dict(Retention.objects.values_list("kind", "last_run_at"))
    return sorted(kinds, key=lambda kind: runs.get(kind.name) or never)


def _prune_kind(kind: Kind, run: _Run) -> Pruned | None:
    token = uuid4().hex
    if not run.has_time() or not _claim(kind, token, run.clock.now()):
        return None
    removed, is_done = 0, False
    try:
        for count, is_last in _remove_batches(kind, token, run):
            removed += count
            is_done = is_last
            run.progress(kind, count)
    except _LeaseLostError:
        logger.warning("Another process removes %s by now; this run leaves it to it.", kind.name)
        return Pruned(kind, removed, is_done=False)
    Retention.objects.filter(kind=kind.name, token=token).update(
        token="", lease_until=None, is_behind=not is_done
    )
    measure(kind, clock=run.clock)
    if removed:
        rest = "nothing else is old enough" if is_done else "the next run goes on"
        logger.info("Removed %d rows of the kind %s; %s.", removed, kind.name, rest)
    return Pruned(kind, removed, is_done)


@retried
def _claim(kind: Kind, token: str, now: datetime) -> bool:
    """Take a kind for this run; what died without giving it back loses it after a minute."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    taken = Retention.objects.filter(free, kind=kind.name).update(
        token=token, lease_until=now + LEASE, last_run_at=now, last_removed_count=0
    )
    return taken == 1


def _remove_batches(kind: Kind, token: str, run: _Run) -> Iterator[tuple[int, bool]]:
    """Remove batch after batch; yield of each how many rows it had and whether it was the last."""
    cutoff = kind.cutoff(run.clock.now())
    if cutoff is None:
        yield 0, True
        return
    since = None if run.from_start else Retention.objects.get(kind=kind.name).reached_at
    left = run.limits.rows
    while run.has_time() and left != 0:
        began_ms = run.clock.monotonic_ms()
        size = BATCH_ROWS if left is None else min(BATCH_ROWS, left)
        rows = kind.list_removable(since=since, until=cutoff)
        found = list(rows.values_list("pk", kind.moment)[:size])
        is_last = len(found) < size
        since = cutoff if is_last else found[-1][1]
        _remove(kind, token, [pk for pk, _moment in found], since, run.clock.now())
        yield len(found), is_last
        if is_last:
            return
        left = None if left is None else left - len(found)
        took_s = (run.clock.monotonic_ms() - began_ms) / MS_PER_S
        run.pause(min(took_s * PAUSE_SHARE, PAUSE_MAX_S))


@retried
@transaction.atomic
def _remove(kind: Kind, token: str, pks: list[Any], reached_at: datetime, now: datetime) -> None:
    """Remove these rows and note how far that is, both or neither.

    Raises:
        _LeaseLostError: the kind was not this run's any more.
    """
    held = Retention.objects.filter(kind=kind.name, token=token).update(
        lease_until=now + LEASE,
        reached_at=reached_at,
        last_removed_count=F("last_removed_count") + len(pks),
        removed_count=F("removed_count") + len(pks),
    )
    if not held:
        raise _LeaseLostError
    # keys alone are read: Django looks for rows that protect these, and those may be long
    kind.model._base_manager.filter(pk__in=pks).only("pk").delete()  # noqa: SLF001
