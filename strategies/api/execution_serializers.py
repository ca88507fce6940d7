"""Between executions and JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arbplatform.api.fields import AmountField, AuthorField, SentenceField
from ledger.models import Order
from strategies.domain.repair import Action
from strategies.models import PARTS, Attribution, Execution
from strategies.selectors import find_attribution
from strategies.services.decisions import render_steps


class LegSerializer(serializers.ModelSerializer[Order]):
    """An order as a leg of an execution."""

    venue = serializers.CharField(source="market.venue.code", read_only=True)
    symbol = serializers.CharField(source="market.symbol", read_only=True)
    quantity = AmountField(read_only=True)
    price = AmountField(read_only=True)
    filled_quantity = AmountField(read_only=True)
    filled_cost = AmountField(read_only=True)
    error = SentenceField(source="to_error")

    class Meta:
        model = Order
        fields = [
            "id",
            "leg_index",
            "venue",
            "symbol",
            "side",
            "quantity",
            "price",
            "state",
            "filled_quantity",
            "filled_cost",
            "client_order_id",
            "venue_order_id",
            "error_code",
            "error",
            "submitted_at",
            "acknowledged_at",
            "finished_at",
        ]
        read_only_fields = fields


class ExecutionSerializer(serializers.ModelSerializer[Execution]):
    """An execution as a row of the list."""

    summary = serializers.CharField(source="opportunity.summary", read_only=True)
    expected_profit = AmountField(read_only=True)
    realised_profit = AmountField(read_only=True, allow_null=True)
    profit_asset = serializers.CharField(source="profit_asset.code", read_only=True)
    acknowledged_by = AuthorField()

    class Meta:
        model = Execution
        fields = [
            "id",
            "strategy",
            "run",
            "opportunity",
            "summary",
            "state",
            "leg_count",
            "expected_profit",
            "realised_profit",
            "profit_asset",
            "residuals",
            "lease_holder",
            "lease_fence",
            "created_at",
            "finished_at",
            "acknowledged_at",
            "acknowledged_by",
        ]
        read_only_fields = fields


class RepairStepSerializer(serializers.Serializer[Any]):
    """One decision about an execution that fell short."""

    at = serializers.DateTimeField(help_text="When it was made.")
    owner = serializers.IntegerField(help_text="Fencing number of the one who made it.")
    action = serializers.ChoiceField(choices=[action.value for action in Action])
    message = serializers.CharField(help_text="Why.")
    loss_bps = serializers.CharField(
        allow_null=True, help_text="What the order was expected to lose [bps]; negative is a gain."
    )
    order_id = serializers.IntegerField(allow_null=True)
    leg_index = serializers.IntegerField(required=False)
    side = serializers.CharField(required=False)
    quantity = serializers.CharField(required=False)
    limit_price = serializers.CharField(required=False)


class LegAttributionSerializer(serializers.Serializer[Any]):
    """What one leg changed of the expected profit."""

    leg_index = serializers.IntegerField()
    venue = serializers.CharField()
    symbol = serializers.CharField()
    side = serializers.CharField()
    sent_after_ms = serializers.IntegerField(
        allow_null=True, help_text="From the decision until the order was sent [ms]."
    )
    latency = serializers.CharField(allow_null=True)
    slippage = serializers.CharField()
    fees = serializers.CharField()
    completion = serializers.CharField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """An asset of which fills and ledger do not say the same."""

    fills = serializers.CharField()
    ledger = serializers.CharField()


class AttributionSerializer(serializers.ModelSerializer[Attribution]):
    """Why an execution made what it made; all parts in its profit asset."""

    expected = AmountField(read_only=True)
    latency = AmountField(
        read_only=True,
        allow_null=True,
        help_text="Nothing: no book of the moment of sending is known; it is in slippage.",
    )
    slippage = AmountField(read_only=True)
    fees = AmountField(read_only=True, help_text="Beyond those that were expected.")
    completion = AmountField(read_only=True, help_text="Of unfilled parts and repairs.")
    dust = AmountField(read_only=True)
    funding = AmountField(read_only=True)
    transfers = AmountField(read_only=True)
    total = AmountField(read_only=True, help_text="The sum of the parts.")
    booked = AmountField(read_only=True, help_text="What the ledger moved, at the marks.")
    cash = AmountField(read_only=True, help_text="Of what was booked, in the profit asset.")
    left_over = AmountField(read_only=True, help_text="Of what was booked, in other assets.")
    legs = LegAttributionSerializer(many=True, read_only=True)
    marks = serializers.DictField(
        child=serializers.CharField(),
        read_only=True,
        help_text="What a unit of each asset was worth, in the profit asset.",
    )
    unpriced = serializers.ListField(child=serializers.CharField(), read_only=True)
    differences = serializers.DictField(child=DifferenceSerializer(), read_only=True)

    class Meta:
        model = Attribution
        fields = [
            *PARTS,
            "total",
            "booked",
            "cash",
            "left_over",
            "is_exact",
            "has_pending_fees",
            "marks",
            "unpriced",
            "differences",
            "legs",
            "derived_at",
            "revision",
        ]
        read_only_fields = fields


class ExecutionDetailSerializer(ExecutionSerializer):
    """An execution with its plan, its legs, its repair, and why it made what it made."""

    legs = serializers.SerializerMethodField()
    steps = serializers.SerializerMethodField()
    attribution = serializers.SerializerMethodField()

    class Meta(ExecutionSerializer.Meta):
        fields = [
            *ExecutionSerializer.Meta.fields,
            "deadline_at",
            "steps",
            "plan",
            "legs",
            "attribution",
        ]
        read_only_fields = fields

    @extend_schema_field(AttributionSerializer(allow_null=True))
    def get_attribution(self, execution: Execution) -> Any:
        """Return why it made what it made; nothing until it has ended."""
        found = find_attribution(execution.pk)
        return None if found is None else AttributionSerializer(found).data

    @extend_schema_field(RepairStepSerializer(many=True))
    def get_steps(self, execution: Execution) -> Any:
        """Return what was decided after some leg fell short, and why."""
        return render_steps(execution.steps)

    @extend_schema_field(LegSerializer(many=True))
    def get_legs(self, execution: Execution) -> Any:
        """Return its orders in the order of the legs."""
        return LegSerializer(self.context["legs"], many=True).data
