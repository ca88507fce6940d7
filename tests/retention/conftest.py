"""A time far enough away that everything is old, and rows of every kind."""

from datetime import UTC, datetime, timedelta

import pytest

from arbplatform.core.clock import FixedClock, to_ms
from ledger.models import LogEntry, LogLevel

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    """A clock at noon of a day in summer; reading it takes no time."""
    return FixedClock(at_ms=to_ms(NOW))


@pytest.fixture
def write_logs(db):
    """Write log entries of a level at a given age [days]; return their keys."""

    def write(count, *, days, level=LogLevel.INFO):
        rows = LogEntry.objects.bulk_create(
            [LogEntry(event="seen", template="Seen.", level=level) for _ in range(count)]
        )
        pks = [row.pk for row in rows]
        LogEntry.objects.filter(pk__in=pks).update(created_at=NOW - timedelta(days=days))
        return pks

    return write
