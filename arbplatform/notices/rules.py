"""When a notice is told, tried again and given to somebody else. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import IntEnum
from typing import Final

from arbplatform.core.errors import Message

END_AFTER: Final = timedelta(minutes=3)
"""So long what was wrong must be gone before an alarm is over: one that flaps is told once."""
REPEAT_AFTER: Final = timedelta(hours=1)
"""So long the same thing that happens again is not told again."""
GAP: Final = timedelta(seconds=30)
"""Between two messages of a channel; what comes up meanwhile goes together."""
RETRY_FIRST: Final = timedelta(seconds=30)
RETRY_MAX: Final = timedelta(minutes=30)
FAILURES_MAX: Final = 2
"""Failures in a row after which a channel counts as failing and others stand in for it."""
_DOUBLINGS_MAX: Final = 10


class Severity(IntEnum):
    """How much something needs a person."""

    NOTE = 10
    WARNING = 20
    CRITICAL = 30
    """Told at any hour."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now, and will be right again.

    Attributes:
        key: the same one as long as it is the same thing.
        severity: how much it needs a person.
        message: what is wrong, for people.
        delay: so long it must last before it is told.
    """

    key: str
    severity: Severity
    message: Message
    delay: timedelta = timedelta(0)


def kind_of(key: str) -> str:
    """Return what kind of thing a key is of.

    >>> kind_of("execution:5:held"), kind_of("addresses")
    ('execution', 'addresses')
    """
    return key.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that has happened, and is not undone by time.

    Attributes:
        key: of all that are the same kind of thing.
        severity: how much it needs a person.
        message: what happened, for people.
        mark: grows with every one of the kind.
        at: when.
    """

    key: str
    severity: Severity
    message: Message
    mark: int
    at: datetime


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A span of each day in which only what is critical is told.

    Attributes:
        since, until: times of the day; without both, or if they are equal, there is no such span.
        zone: whose times they are.
    """

    since: time | None
    until: time | None
    zone: tzinfo

    def find_end(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end in which ``now`` lies, None if it lies in none."""
        if self.since is None or self.until is None or self.since == self.until:
            return None
        moment = now.astimezone(self.zone).time()
        if self.since < self.until:
            is_quiet = self.since <= moment < self.until
        else:
            is_quiet = moment >= self.since or moment < self.until
        return find_next(now, self.until, self.zone) if is_quiet else None


def find_next(now: datetime, at: time, zone: tzinfo) -> datetime:
    """Return the next moment, later than ``now``, at which clocks in ``zone`` show ``at``.

    >>> find_next(datetime(2026, 1, 1, 9, tzinfo=UTC), time(9), UTC).isoformat()
    '2026-01-02T09:00:00+00:00'
    """
    local = now.astimezone(zone)
    found = datetime.combine(local.date(), at, zone)
    if found.astimezone(UTC) <= now:
        found = datetime.combine(local.date() + timedelta(days=1), at, zone)
    return found.astimezone(UTC)


def find_pause(failure_count: int) -> timedelta:
    """Return how long to wait before the next attempt.

    >>> [find_pause(count).seconds for count in (1, 2, 3, 7, 8, 10_000)]
    [30, 60, 120, 1800, 1800, 1800]
    """
    doublings = min(failure_count - 1, _DOUBLINGS_MAX)
    return min(RETRY_FIRST * (1 << doublings), RETRY_MAX)
