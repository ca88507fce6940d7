"""Times in addresses become UTC, whatever offset they were written with."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from arbplatform.api.filters import MomentField, since_filter, until_filter


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+08:00", datetime(2026, 1, 31, 4, tzinfo=UTC)),
        ("2026-01-31T12:00:00-23:59", datetime(2026, 2, 1, 11, 59, tzinfo=UTC)),
        ("2026-01-31T12:00:00+18:16", datetime(2026, 1, 30, 17, 44, tzinfo=UTC)),
        ("2026-01-31 12:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc(text, moment):
    found = MomentField().clean(text)

    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["x", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+19:00", "9999-12-31T23:59:59-19:00"]
)
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(ValidationError, match="2026-01-31T12:00:00Z"):
        MomentField().clean(text)


def test_nothing_is_no_time():
    assert MomentField(required=False).clean("") is None


def test_a_span_includes_its_start_and_excludes_its_end():
    assert since_filter("created_at").lookup_expr == "gte"
    assert until_filter("created_at").lookup_expr == "lt"
