"""What lists of the strategies app can be narrowed by."""

import django_filters as filters

from strategies.models import (
    Decision,
    Execution,
    ExecutionStateChoice,
    Opportunity,
    Reason,
    Strategy,
    StrategyStateChoice,
)


class StrategyFilter(filters.FilterSet):
    """``?status=running&type=cross-venue&account=1``."""

    status = filters.MultipleChoiceFilter(field_name="state", choices=StrategyStateChoice.choices)
    type = filters.CharFilter(field_name="type", max_length=64)
    account = filters.NumberFilter(field_name="accounts", min_value=1, max_value=2**63 - 1)

    class Meta:
        model = Strategy
        fields: list[str] = []


class OpportunityFilter(filters.FilterSet):
    """``?strategy_id=1&decision=executed&since=2026-01-01T00:00:00Z``."""

    strategy_id = filters.NumberFilter(field_name="strategy_id", min_value=1, max_value=2**63 - 1)
    decision = filters.MultipleChoiceFilter(choices=Decision.choices)
    reason = filters.MultipleChoiceFilter(choices=Reason.choices)
    since = filters.IsoDateTimeFilter(field_name="detected_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="detected_at", lookup_expr="lt")

    class Meta:
        model = Opportunity
        fields: list[str] = []


class ExecutionFilter(filters.FilterSet):
    """``?strategy_id=1&state=completed&since=2026-01-01T00:00:00Z``."""

    strategy_id = filters.NumberFilter(field_name="strategy_id", min_value=1, max_value=2**63 - 1)
    state = filters.MultipleChoiceFilter(choices=ExecutionStateChoice.choices)
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Execution
        fields: list[str] = []
