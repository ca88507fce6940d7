"""Log lines keep a template and exact values."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from django.utils.translation import gettext_lazy

from arbplatform.core.errors import Message
from arbplatform.wording import render
from ledger.models import LogEntry, LogLevel
from ledger.services.logs import write_log
from strategies.errors import NotRunning


def test_values_survive_as_exact_text(strategy):
    write_log(
        strategy_id=strategy.pk,
        level=LogLevel.INFO,
        event="trade",
        template="{count} trades of {amount} on {label} at {at}, {nothing}.",
        count=2,
        amount=D("1E-8"),
        label=gettext_lazy("spot"),
        at=datetime(2026, 1, 1, tzinfo=UTC),
        nothing=None,
    )

    entry = LogEntry.objects.get()
    assert entry.context == {
        "count": 2,
        "amount": "0.00000001",
        "label": "spot",
        "at": "2026-01-01 00:00:00+00:00",
        "nothing": None,
    }
    assert render(entry.to_message()) == (
        "2 trades of 0.00000001 on spot at 2026-01-01 00:00:00+00:00, None."
    )


def test_a_template_that_does_not_fit_its_values_is_shown_as_it_is(db):
    write_log(strategy_id=None, level=LogLevel.INFO, event="x", template="{a} {b}", a=1)

    assert render(LogEntry.objects.get().to_message()) == "{a} {b}"


@pytest.mark.parametrize(
    "reason",
    [
        Message("The strategy {name} is not running.", {"name": "α"}),
        NotRunning(name="α"),
    ],
)
def test_a_sentence_within_a_line_is_in_the_language_of_the_reader(staff_api, reason):
    write_log(
        strategy_id=None,
        level=LogLevel.WARNING,
        event="repair_hold",
        template="Execution {execution_id} fell short. {reason}",
        execution_id=7,
        reason=reason,
    )

    answer = staff_api.get("/api/logs", headers={"accept-language": "zh-hans"})

    [row] = answer.json()["data"]["results"]
    assert row["message"] == "执行 7 未足额完成。策略 α 未在运行。"
    assert row["context"] == {"execution_id": 7, "reason": "策略 α 未在运行。"}
    assert str(LogEntry.objects.get().to_message()) == (
        "Execution 7 fell short. The strategy α is not running."
    )
