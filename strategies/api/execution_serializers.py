"""Between executions and JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arbplatform.api.fields import AmountField
from ledger.models import Order
from strategies.domain.repair import Action
from strategies.models import Execution
from strategies.services.decisions import render_steps


class LegSerializer(serializers.ModelSerializer[Order]):
    """An order as a leg of an execution."""

    venue = serializers.CharField(source="market.venue.code", read_only=True)
    symbol = serializers.CharField(source="market.symbol", read_only=True)
    quantity = AmountField(read_only=True)
    price = AmountField(read_only=True)
    filled_quantity = AmountField(read_only=True)
    filled_cost = AmountField(read_only=True)

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
    acknowledged_by = serializers.CharField(
        source="acknowledged_by.username", read_only=True, default=None, allow_null=True
    )

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


class ExecutionDetailSerializer(ExecutionSerializer):
    """An execution with its plan, its legs and the steps of its repair."""

    legs = serializers.SerializerMethodField()
    steps = serializers.SerializerMethodField()

    class Meta(ExecutionSerializer.Meta):
        fields = [*ExecutionSerializer.Meta.fields, "deadline_at", "steps", "plan", "legs"]
        read_only_fields = fields

    @extend_schema_field(RepairStepSerializer(many=True))
    def get_steps(self, execution: Execution) -> Any:
        """Return what was decided after some leg fell short, and why."""
        return render_steps(execution.steps)

    @extend_schema_field(LegSerializer(many=True))
    def get_legs(self, execution: Execution) -> Any:
        """Return its orders in the order of the legs."""
        return LegSerializer(self.context["legs"], many=True).data
