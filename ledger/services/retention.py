"""What of the ledger's tables is not kept for ever: none of its facts."""

from datetime import UTC, timedelta

from django.db.models import DateTimeField, Exists, ExpressionWrapper, OuterRef, Q
from django.db.models.functions import TruncDate
from django.utils.translation import gettext_lazy as _

from arbplatform.retention.kinds import Kind
from ledger.models import (
    Discrepancy,
    DiscrepancyStateChoice,
    EquitySnapshot,
    LogEntry,
    LogLevel,
    ReconciliationRun,
)

_TAKEN_AT = ExpressionWrapper(OuterRef("taken_at"), output_field=DateTimeField())
_LATER_ON_THAT_DAY = Exists(
    EquitySnapshot.objects.order_by()
    .annotate(day=TruncDate("taken_at", tzinfo=UTC))
    .filter(
        reporting_asset=OuterRef("reporting_asset"),
        taken_at__gt=_TAKEN_AT,
        # the day says it all; this keeps the search within the index
        taken_at__lt=ExpressionWrapper(
            OuterRef("taken_at") + timedelta(days=1), output_field=DateTimeField()
        ),
        day=TruncDate(_TAKEN_AT, tzinfo=UTC),
    )
)

KINDS = (
    Kind(
        "logs",
        _("Log entries below warnings"),
        LogEntry,
        "created_at",
        rows=Q(level__lt=LogLevel.WARNING),
    ),
    Kind(
        "warnings",
        _("Warnings and errors in logs"),
        LogEntry,
        "created_at",
        rows=Q(level__gte=LogLevel.WARNING),
    ),
    Kind(
        "equity",
        _("Equity"),
        EquitySnapshot,
        "taken_at",
        stays=_("the last one of each day (UTC)"),
        removable=Q(_LATER_ON_THAT_DAY),
    ),
    Kind(
        "comparisons",
        _("Comparisons of accounts with their venues"),
        ReconciliationRun,
        "started_at",
        stays=_("those that booked something"),
        removable=Q(booked_count=0),
    ),
    Kind(
        "discrepancies",
        _("Discrepancies that are gone"),
        Discrepancy,
        "closed_at",
        stays=_("those that were booked or acknowledged"),
        removable=Q(state=DiscrepancyStateChoice.CLOSED, acknowledged_at=None),
    ),
)
