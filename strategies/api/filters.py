"""What lists of the strategies app can be narrowed by."""

import django_filters as filters

from arbplatform.api.filters import (
    FlagFilter,
    IdFilter,
    MultipleChoiceFilter,
    since_filter,
    until_filter,
)
from strategies.models import (
    Decision,
    Execution,
    ExecutionStateChoice,
    Opportunity,
    Reason,
    Run,
    Strategy,
    StrategyStateChoice,
)


class StrategyFilter(filters.FilterSet):
    """``?status=running&type=cross-venue&account=1``."""

    status = MultipleChoiceFilter(field_name="state", choices=StrategyStateChoice.choices)
    type = filters.CharFilter(field_name="type", max_length=64)
    account = IdFilter(field_name="accounts")

    class Meta:
        model = Strategy
        fields: list[str] = []


class RunFilter(filters.FilterSet):
    """``?strategy_id=1&is_open=true&since=2026-01-01T00:00:00Z``."""

    strategy_id = IdFilter(field_name="strategy_id")
    is_open = FlagFilter(field_name="stopped_at", lookup_expr="isnull")
    since = since_filter("started_at")
    until = until_filter("started_at")

    class Meta:
        model = Run
        fields: list[str] = []


class OpportunityFilter(filters.FilterSet):
    """``?strategy_id=1&decision=executed&since=2026-01-01T00:00:00Z``."""

    strategy_id = IdFilter(field_name="strategy_id")
    decision = MultipleChoiceFilter(choices=Decision.choices)
    reason = MultipleChoiceFilter(choices=Reason.choices)
    since = since_filter("detected_at")
    until = until_filter("detected_at")

    class Meta:
        model = Opportunity
        fields: list[str] = []


class ExecutionFilter(filters.FilterSet):
    """``?strategy_id=1&state=completed&since=2026-01-01T00:00:00Z``."""

    strategy_id = IdFilter(field_name="strategy_id")
    state = MultipleChoiceFilter(choices=ExecutionStateChoice.choices)
    since = since_filter("created_at")
    until = until_filter("created_at")

    class Meta:
        model = Execution
        fields: list[str] = []
