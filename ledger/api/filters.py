"""What lists of the ledger can be narrowed by."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from arbplatform.api.filters import (
    ChoiceFilter,
    IdFilter,
    MomentFilter,
    MultipleChoiceFilter,
    since_filter,
    until_filter,
)
from ledger.models import (
    Discrepancy,
    DiscrepancyKindChoice,
    DiscrepancyStateChoice,
    Entry,
    EntryKind,
    EquitySnapshot,
    Fill,
    LogEntry,
    LogLevel,
    Order,
    OrderStateChoice,
    ReconciliationRun,
    RunOutcomeChoice,
    SideChoice,
)
from ledger.selectors import check_strategy_exists

TEXT_LENGTH_MAX = 65

LEVEL_CHOICES = [(level.name.lower(), level.label) for level in LogLevel]


def _text(field_name: str, label: str) -> django_filters.CharFilter:
    return django_filters.CharFilter(field_name=field_name, max_length=TEXT_LENGTH_MAX, label=label)


def _since(field_name: str) -> MomentFilter:
    return since_filter(field_name, label="This moment or later (ISO 8601).")


def _until(field_name: str) -> MomentFilter:
    return until_filter(field_name, label="Before this moment (ISO 8601).")


class OfStrategyFilter(django_filters.FilterSet):
    """Rows of one strategy; one that does not exist is an error, not an empty list."""

    strategy_id = IdFilter(method="filter_strategy", label="Id of a strategy.")

    def filter_strategy(self, queryset: QuerySet[Any], _name: str, value: int) -> QuerySet[Any]:
        """Keep what belongs to the strategy.

        Raises:
            NotFound: no strategy has this id.
        """
        check_strategy_exists(value)
        return queryset.filter(strategy_id=value)


class LogFilter(OfStrategyFilter):
    """``?strategy_id=1&level_min=warning&since=2026-01-01T00:00:00Z``."""

    level = ChoiceFilter(
        method="filter_level", choices=LEVEL_CHOICES, label="Exactly this severity."
    )
    level_min = ChoiceFilter(
        method="filter_level_min", choices=LEVEL_CHOICES, label="This severity or worse."
    )
    event = _text("event", "What happened, for instance order_rejected.")
    since, until = _since("created_at"), _until("created_at")

    class Meta:
        model = LogEntry
        fields: list[str] = []

    def filter_level(
        self, queryset: QuerySet[LogEntry], _name: str, value: str
    ) -> QuerySet[LogEntry]:
        """Keep one severity."""
        return queryset.filter(level=LogLevel[value.upper()])

    def filter_level_min(
        self, queryset: QuerySet[LogEntry], _name: str, value: str
    ) -> QuerySet[LogEntry]:
        """Keep one severity and those above it."""
        return queryset.filter(level__gte=LogLevel[value.upper()])


class FillFilter(OfStrategyFilter):
    """``?strategy_id=1&venue=binance&symbol=BTC/USDT&side=buy&since=…``."""

    order = IdFilter(field_name="order_id", label="Id of an order.")
    execution = IdFilter(field_name="order__execution_id", label="Id of an execution.")
    account = IdFilter(field_name="account_id", label="Id of a venue account.")
    venue = _text("account__venue__code", "Code of a venue.")
    symbol = _text("market__symbol", "Unified symbol.")
    side = ChoiceFilter(choices=SideChoice.choices)
    since, until = _since("executed_at"), _until("executed_at")

    class Meta:
        model = Fill
        fields: list[str] = []


class OrderFilter(OfStrategyFilter):
    """``?strategy_id=1&state=unknown&venue=binance&side=sell&since=…``."""

    execution = IdFilter(field_name="execution_id", label="Id of an execution.")
    account = IdFilter(field_name="account_id", label="Id of a venue account.")
    venue = _text("account__venue__code", "Code of a venue.")
    symbol = _text("market__symbol", "Unified symbol.")
    side = ChoiceFilter(choices=SideChoice.choices)
    state = MultipleChoiceFilter(choices=OrderStateChoice.choices)
    client_order_id = _text("client_order_id", "Our id of the order.")
    since, until = _since("created_at"), _until("created_at")

    class Meta:
        model = Order
        fields: list[str] = []


class EntryFilter(OfStrategyFilter):
    """``?kind=fill&account=1&asset=BTC&since=…``."""

    execution = IdFilter(field_name="execution_id", label="Id of an execution.")
    transfer = IdFilter(field_name="transfer_id", label="Id of a transfer.")
    kind = MultipleChoiceFilter(choices=EntryKind.choices)
    account = IdFilter(
        field_name="postings__account_id", distinct=True, label="Id of a venue account."
    )
    venue = django_filters.CharFilter(
        field_name="postings__account__venue__code",
        distinct=True,
        max_length=TEXT_LENGTH_MAX,
        label="Code of a venue.",
    )
    asset = django_filters.CharFilter(
        field_name="postings__asset__code",
        distinct=True,
        max_length=TEXT_LENGTH_MAX,
        label="Code of an asset.",
    )
    since, until = _since("occurred_at"), _until("occurred_at")

    class Meta:
        model = Entry
        fields: list[str] = []


class DiscrepancyFilter(django_filters.FilterSet):
    """``?account=1&state=open&state=alarmed&kind=balance``."""

    account = IdFilter(field_name="account_id", label="Id of a venue account.")
    state = MultipleChoiceFilter(choices=DiscrepancyStateChoice.choices)
    kind = MultipleChoiceFilter(choices=DiscrepancyKindChoice.choices)

    class Meta:
        model = Discrepancy
        fields: list[str] = []


class RunFilter(django_filters.FilterSet):
    """``?account=1&outcome=failed``."""

    account = IdFilter(field_name="account_id", label="Id of a venue account.")
    outcome = MultipleChoiceFilter(choices=RunOutcomeChoice.choices)

    class Meta:
        model = ReconciliationRun
        fields: list[str] = []


class EquityFilter(django_filters.FilterSet):
    """``?since=2026-01-01T00:00:00Z&until=…``."""

    since, until = _since("taken_at"), _until("taken_at")

    class Meta:
        model = EquitySnapshot
        fields: list[str] = []
