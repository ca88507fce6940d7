"""Between strategies and JSON."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arbplatform.api.fields import (
    AmountField,
    AuthorField,
    BodySerializer,
    ChoiceField,
    SentenceField,
    SentenceValuesField,
)
from arbplatform.wording import render
from ledger.models import Fill, LogEntry
from strategies.models import (
    INTERVAL_MS_MAX,
    INTERVAL_MS_MIN,
    Opportunity,
    Reason,
    Run,
    Strategy,
    StrategyDriverChoice,
    StrategyStateChoice,
)
from strategies.services.decisions import render_decision, render_reason
from strategies.services.strategies import NAME_LENGTH_MAX

ID_MAX = 2**63 - 1
ACCOUNTS_MAX = 50
TYPE_LENGTH_MAX = 64


class StrategyBodySerializer(BodySerializer):
    """What a client sends to create or replace a strategy."""

    name = serializers.CharField(max_length=NAME_LENGTH_MAX)
    type = serializers.CharField(
        max_length=TYPE_LENGTH_MAX, help_text="A slug from /api/strategies/types."
    )
    params = serializers.DictField(
        required=False,
        help_text="As the type's schema says; amounts as strings. What is left out gets its "
        "default; PATCH lets it stay.",
    )
    accounts = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=ID_MAX),
        min_length=1,
        max_length=ACCOUNTS_MAX,
        help_text="Ids of the accounts it may use, one per venue.",
    )
    interval_ms = serializers.IntegerField(
        required=False,
        min_value=INTERVAL_MS_MIN,
        max_value=INTERVAL_MS_MAX,
        help_text="Time between two ticks of the schedule [ms].",
    )
    driver = ChoiceField(
        choices=StrategyDriverChoice.choices,
        required=False,
        help_text="What makes it decide; a new one is driven by a stream unless this says other.",
    )


class StopBodySerializer(BodySerializer):
    """What a client may send with a stop."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=200)


class StrategySerializer(serializers.ModelSerializer[Strategy]):
    """A strategy as a row of the list."""

    status = serializers.ChoiceField(
        source="state", choices=StrategyStateChoice.choices, read_only=True
    )
    accounts = serializers.SerializerMethodField()
    last_error = SentenceField(source="to_error")

    class Meta:
        model = Strategy
        fields = [
            "id",
            "name",
            "type",
            "status",
            "params",
            "accounts",
            "driver",
            "interval_ms",
            "started_at",
            "stopped_at",
            "last_tick_at",
            "last_error",
            "last_error_code",
            "last_error_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_accounts(self, strategy: Strategy) -> list[int]:
        """Return the ids of its accounts."""
        return sorted(account.pk for account in strategy.accounts.all())


class LogLineSerializer(serializers.ModelSerializer[LogEntry]):
    """A line of a strategy's log, in the reader's language."""

    level = serializers.CharField(source="get_level_display", read_only=True)
    message = serializers.SerializerMethodField()
    context = SentenceValuesField()  # type: ignore[assignment]  # hides Field.context

    class Meta:
        model = LogEntry
        fields = ["id", "created_at", "level", "event", "message", "context"]
        read_only_fields = fields

    def get_message(self, entry: LogEntry) -> str:
        """Return the sentence."""
        return render(entry.to_message())


class TradeLineSerializer(serializers.ModelSerializer[Fill]):
    """A fill on a strategy's page."""

    venue = serializers.CharField(source="market.venue.code", read_only=True)
    symbol = serializers.CharField(source="market.symbol", read_only=True)
    price = AmountField(read_only=True)
    quantity = AmountField(read_only=True)
    cost = AmountField(read_only=True)
    fee = AmountField(read_only=True)
    fee_asset = serializers.CharField(source="fee_asset.code", read_only=True, default=None)
    execution = serializers.IntegerField(source="order.execution_id", read_only=True)

    class Meta:
        model = Fill
        fields = [
            "id",
            "executed_at",
            "venue",
            "symbol",
            "side",
            "price",
            "quantity",
            "cost",
            "fee",
            "fee_asset",
            "order",
            "execution",
        ]
        read_only_fields = fields


class AttributionSumSerializer(serializers.Serializer[Any]):
    """The attributions of a strategy's executions, added up."""

    asset = serializers.CharField(help_text="The profit asset; all parts are in it.")
    executions = serializers.IntegerField(help_text="How many were added up.")
    expected = AmountField()
    latency = AmountField(
        allow_null=True, help_text="Of those that were measured; the rest is in slippage."
    )
    measured = serializers.IntegerField(help_text="Executions whose latency was measured.")
    slippage = AmountField()
    fees = AmountField(help_text="Beyond those that were expected.")
    completion = AmountField(help_text="Of unfilled parts and repairs.")
    dust = AmountField()
    funding = AmountField()
    transfers = AmountField()
    total = AmountField(help_text="The sum of the parts, at the marks of each execution.")
    cash = AmountField(help_text="Booked in the asset itself; the rest of the total is left over.")
    inexact = serializers.IntegerField(
        help_text="Executions whose fills do not say what the ledger says."
    )
    pending = serializers.IntegerField(help_text="Executions that wait for a fee.")


class PnlSerializer(serializers.Serializer[Any]):
    """Realised profit and loss of one strategy."""

    by_asset = serializers.DictField(
        child=AmountField(), help_text="Net movement of every asset by the strategy's trades."
    )
    reporting_asset = serializers.CharField()
    total = AmountField(help_text="All of it at present prices, in the reporting asset.")
    unpriced = serializers.ListField(
        child=serializers.CharField(), help_text="Assets without a price; not in the total."
    )
    executions = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many executions are in each state."
    )
    attribution = AttributionSumSerializer(
        many=True, help_text="From the expected to the realised profit, by profit asset."
    )
    audited_at = serializers.DateTimeField(
        allow_null=True, help_text="When these sums were last compared with all executions."
    )
    wrong_sums = serializers.IntegerField(
        help_text="How many of them were not what the executions add up to: always none."
    )


class RunSerializer(serializers.ModelSerializer[Run]):
    """A run: one strategy from start to stop."""

    started_by = AuthorField()
    stop_reason = serializers.SerializerMethodField(
        help_text="What a person gave as the reason, or what went wrong, in the reader's language."
    )

    class Meta:
        model = Run
        fields = [
            "id",
            "started_at",
            "stopped_at",
            "started_by",
            "stop_reason",
            "tick_count",
            "opportunity_count",
            "execution_count",
        ]
        read_only_fields = fields

    def get_stop_reason(self, run: Run) -> str:
        """Return why it ended."""
        return render(run.to_stop_reason())


class RunRowSerializer(RunSerializer):
    """A run as a row of the list, with the strategy and the parameters that it had."""

    strategy_name = serializers.CharField(source="strategy.name", read_only=True)

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "strategy_id", "strategy_name", "params"]
        read_only_fields = fields


class OpportunitySerializer(serializers.ModelSerializer[Opportunity]):
    """An opportunity as a row of the list."""

    edge_bps = AmountField(read_only=True)
    notional = AmountField(read_only=True)
    expected_profit = AmountField(read_only=True)
    profit_asset = serializers.CharField(source="profit_asset.code", read_only=True)
    reason = serializers.ChoiceField(
        choices=Reason.choices,
        allow_blank=True,
        read_only=True,
        help_text="Why it was not carried out; empty if it was.",
    )
    reason_text = serializers.CharField(source="get_reason_display", read_only=True)
    execution = serializers.SerializerMethodField()

    class Meta:
        model = Opportunity
        fields = [
            "id",
            "strategy",
            "run",
            "detected_at",
            "summary",
            "route",
            "edge_bps",
            "notional",
            "expected_profit",
            "profit_asset",
            "decision",
            "reason",
            "reason_text",
            "execution",
        ]
        read_only_fields = fields

    def get_execution(self, opportunity: Opportunity) -> int | None:
        """Return the id of its execution, if it was executed."""
        execution = getattr(opportunity, "execution", None)
        return None if execution is None else execution.pk


class OpportunityPageSerializer(serializers.Serializer[Any]):
    """A page of what strategies saw."""

    count = serializers.IntegerField(help_text="Rows on all pages together.")
    page = serializers.IntegerField()
    page_size = serializers.IntegerField()
    results = OpportunitySerializer(many=True)


class OpportunityDetailSerializer(OpportunitySerializer):
    """An opportunity with its evidence."""

    reason_text = serializers.SerializerMethodField()  # type: ignore[assignment]

    class Meta(OpportunitySerializer.Meta):
        fields = [*OpportunitySerializer.Meta.fields, "evidence"]
        read_only_fields = fields

    def get_reason_text(self, opportunity: Opportunity) -> str:
        """Return why it was left, with the figures."""
        return render_reason(opportunity)


class StrategyDetailSerializer(StrategySerializer):
    """A strategy with all that its page shows; the parts come in the context."""

    run = serializers.SerializerMethodField()
    last_decision = serializers.SerializerMethodField()
    pnl = serializers.SerializerMethodField()
    logs = serializers.SerializerMethodField()
    trades = serializers.SerializerMethodField()

    class Meta(StrategySerializer.Meta):
        fields = [
            *StrategySerializer.Meta.fields,
            "failure_count",
            "lease_holder",
            "lease_fence",
            "run",
            "last_decision",
            "pnl",
            "logs",
            "trades",
        ]
        read_only_fields = fields

    @extend_schema_field(RunSerializer(allow_null=True))
    def get_run(self, _strategy: Strategy) -> Any:
        """Return the run that is open, else the last one, else nothing."""
        run = self.context["run"]
        return None if run is None else RunSerializer(run).data

    def get_last_decision(self, strategy: Strategy) -> dict[str, Any]:
        """Return what the last tick saw and why it did or did not trade."""
        return render_decision(strategy.last_decision)

    @extend_schema_field(PnlSerializer)
    def get_pnl(self, _strategy: Strategy) -> Any:
        """Return realised profit and loss."""
        return PnlSerializer(self.context["pnl"]).data

    @extend_schema_field(LogLineSerializer(many=True))
    def get_logs(self, _strategy: Strategy) -> Any:
        """Return the newest log lines."""
        return LogLineSerializer(self.context["logs"], many=True).data

    @extend_schema_field(TradeLineSerializer(many=True))
    def get_trades(self, _strategy: Strategy) -> Any:
        """Return the newest trades."""
        return TradeLineSerializer(self.context["trades"], many=True).data


class StrategyTypeSerializer(serializers.Serializer[Any]):
    """A strategy type with the schema of its parameters."""

    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    venues_min = serializers.IntegerField()
    venues_max = serializers.IntegerField(allow_null=True)
    schema = serializers.DictField(
        help_text="JSON schema of the parameters; decimal ones are strings."
    )


def translate_schema(value: Any) -> Any:
    """Return a description of a strategy type with its titles in the reader's language."""
    if isinstance(value, Mapping):
        return {
            key: render(item)
            if key in {"title", "description"} and isinstance(item, str)
            else translate_schema(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [translate_schema(item) for item in value]
    return value
