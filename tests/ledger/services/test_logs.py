"""Log lines keep a template and exact values."""

from datetime import UTC, datetime
from decimal import Decimal as D

from django.utils.translation import gettext_lazy

from arbplatform.wording import render
from ledger.models import LogEntry, LogLevel
from ledger.services.logs import write_log


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
