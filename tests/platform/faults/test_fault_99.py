"""Times are stored and answered as instants, shown in a set zone; risk days are UTC days."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from ledger.models import LogEntry, LogLevel
from ledger.selectors import start_of_utc_day
from ledger.services.logs import write_log

BERLIN = "Europe/Berlin"
SUMMER = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
WINTER = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
"""An hour apart, and 02:30 in Berlin both: clocks are set back there in that night."""


@pytest.fixture
def berlin(settings):
    """The whole platform shows the time of Berlin."""
    settings.TIME_ZONE = BERLIN
    with timezone.override(ZoneInfo(BERLIN)):
        yield


@pytest.fixture
def lines(db, berlin):
    rows = []
    for moment in (SUMMER, WINTER):
        row = write_log(strategy_id=None, level=LogLevel.INFO, event="test", template="A test.")
        LogEntry.objects.filter(pk=row.pk).update(created_at=moment)
        rows.append(row.pk)
    return rows


def test_the_hour_that_comes_twice_stays_two_hours(lines, user_api):
    stored = dict(LogEntry.objects.values_list("pk", "created_at"))
    assert [stored[pk] for pk in lines] == [SUMMER, WINTER]

    rows = user_api.get("/api/logs").json()["data"]["results"]
    answered = {row["id"]: row["created_at"] for row in rows}
    assert [datetime.fromisoformat(answered[pk]).astimezone(UTC) for pk in lines] == [
        SUMMER,
        WINTER,
    ]


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL's column holds an instant")
def test_columns_hold_utc(lines):
    with connection.cursor() as cursor:
        cursor.execute("SELECT created_at FROM ledger_logentry ORDER BY id")
        hours = [str(row[0])[11:16] for row in cursor.fetchall()]

    assert hours == ["00:30", "01:30"]


@pytest.mark.parametrize("moment", [SUMMER, WINTER, datetime(2026, 10, 25, 23, 30, tzinfo=UTC)])
def test_a_day_of_risk_begins_at_midnight_utc_whatever_is_shown(berlin, moment):
    assert start_of_utc_day(moment) == datetime(2026, 10, 25, tzinfo=UTC)
