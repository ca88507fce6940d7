"""Times on the wire are in UTC, wherever the console's readers live."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from ledger.models import LogLevel
from ledger.services.logs import write_log


@pytest.fixture
def far_east(settings):
    """A platform whose console shows times of Shanghai."""
    settings.TIME_ZONE = "Asia/Shanghai"
    timezone.deactivate()


@pytest.mark.usefixtures("far_east")
def test_times_are_written_in_utc(user_api, data, db):
    write_log(strategy_id=None, level=LogLevel.INFO, event="x", template="x")

    (line,) = data(user_api.get("/api/logs"))["results"]
    overview = data(user_api.get("/api/overview"))

    for text in (line["created_at"], overview["at"]):
        assert text.endswith("Z")
        assert abs((datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.usefixtures("far_east")
def test_a_time_without_a_zone_is_read_as_utc(user_api, data, db):
    write_log(strategy_id=None, level=LogLevel.INFO, event="x", template="x")
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None).isoformat()

    assert data(user_api.get("/api/logs", {"since": soon}))["count"] == 0
    assert data(user_api.get("/api/logs", {"until": soon}))["count"] == 1
