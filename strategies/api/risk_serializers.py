"""Between trading states and JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arbplatform.api.fields import AmountField, BodySerializer, ChoiceField, SentenceField
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.wording import render
from ledger.domain.halts import HaltLevel, HaltScope
from ledger.models import HaltLevelChoice, Order, TradingChange, TradingHalt
from ledger.services.halts import REASON_LENGTH_MAX, name_of, to_scope
from strategies.domain.repair import Action
from strategies.services.flattening import Flattening

ID_MAX = 2**63 - 1
WHY = "Why: the platform's own reasons in the reader's language, what people typed as it is."
KILL_LEVELS = [pair for pair in HaltLevelChoice.choices if pair[0] != HaltLevel.GUARD]
"""What a person may halt; guards are the platform's own."""
OF_NO_TARGET = Message("Say whose id it is: set level to venue, account or strategy.")
OF_NO_GUARD = Message("Only at the level of guards: set level to guard.")


class ScopeBodySerializer(BodySerializer):
    """What a client sends to halt or resume trading."""

    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)
    level = ChoiceField(
        choices=HaltLevelChoice.choices,
        default=HaltLevel.GLOBAL.value,
        help_text="How much: everything, or one venue, account or strategy.",
    )
    target_id = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=ID_MAX,
        help_text="Id of the venue, account or strategy; nothing for everything.",
    )

    guard = serializers.CharField(
        required=False,
        max_length=30,
        help_text="Name of the guard, at the level of guards; only to resume what it left behind.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a name that does not belong to the level: who sends it means less than all.

        Raises:
            InvalidInput: there is one.
        """
        level, complaints = HaltLevel(attrs["level"]), {}
        if level in {HaltLevel.GLOBAL, HaltLevel.GUARD} and attrs.get("target_id") is not None:
            complaints["target_id"] = [OF_NO_TARGET]
        if level is not HaltLevel.GUARD and attrs.get("guard"):
            complaints["guard"] = [OF_NO_GUARD]
        if complaints:
            raise InvalidInput(fields=complaints)
        return attrs

    def to_scope(self) -> HaltScope:
        """Return what is meant; to be called when the body is valid."""
        body = self.validated_data
        level = HaltLevel(body["level"])
        if level is HaltLevel.GUARD:
            return HaltScope(level, guard=body.get("guard", ""))
        return HaltScope(level, body.get("target_id"))


class KillBodySerializer(ScopeBodySerializer):
    """What a client sends to halt trading."""

    level = ChoiceField(
        choices=KILL_LEVELS,
        default=HaltLevel.GLOBAL.value,
        help_text="How much: everything, or one venue, account or strategy.",
    )

    guard = None  # type: ignore[assignment]  # no field here

    is_reducing = serializers.BooleanField(
        default=False, help_text="Still allow orders that bring an exposure down."
    )


class TradingStateSerializer(serializers.ModelSerializer[TradingHalt]):
    """The state of one scope."""

    name = serializers.SerializerMethodField()
    guard = serializers.SerializerMethodField()
    reason = SentenceField(source="to_reason", help_text=WHY)

    class Meta:
        model = TradingHalt
        fields = [
            "level", "target_id", "guard", "name", "state", "reason", "changed_by", "changed_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_guard(self, halt: TradingHalt) -> str:
        """Return the name of the guard that asked for it; empty when a person did."""
        return to_scope(halt).guard

    def get_name(self, halt: TradingHalt) -> str:
        """Return what the state covers."""
        return render(name_of(halt))


class TradingChangeSerializer(serializers.ModelSerializer[TradingChange]):
    """One line of the history."""

    level = serializers.CharField(source="halt.level", read_only=True)
    target_id = serializers.IntegerField(source="halt.target_id", read_only=True, allow_null=True)
    reason = SentenceField(source="to_reason", help_text=WHY)

    class Meta:
        model = TradingChange
        fields = [
            "id", "level", "target_id", "event", "before", "after", "reason", "changed_by",
            "changed_at",
        ]  # fmt: skip
        read_only_fields = fields


class HaltedOrderSerializer(serializers.ModelSerializer[Order]):
    """An order under a halt whose end is not known."""

    venue = serializers.CharField(source="market.venue.code", read_only=True)
    symbol = serializers.CharField(source="market.symbol", read_only=True)

    class Meta:
        model = Order
        fields = ["id", "client_order_id", "venue", "symbol", "side", "state"]
        read_only_fields = fields


class RiskSerializer(serializers.Serializer[Any]):
    """What may be traded, and what is still out there although it may not."""

    state = serializers.CharField(help_text="Of the whole platform.")
    restrictions = TradingStateSerializer(many=True, help_text="Every state that is not active.")
    orders = HaltedOrderSerializer(many=True, help_text="Under a halt, and not ended yet.")
    changes = TradingChangeSerializer(many=True, help_text="The newest changes, newest first.")


class KillReportSerializer(serializers.Serializer[Any]):
    """What the switch found."""

    halt = TradingStateSerializer()
    withdrawn = HaltedOrderSerializer(many=True)
    open = HaltedOrderSerializer(many=True, help_text="At a venue; they are being cancelled.")
    unknown = HaltedOrderSerializer(
        many=True, help_text="They may be at a venue, and are looked up until that is known."
    )


class FlattenBodySerializer(BodySerializer):
    """What a client sends to flatten."""

    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)


class FlattenExposureSerializer(serializers.Serializer[Any]):
    """What an execution has too much or too little of."""

    asset = serializers.CharField()
    amount = AmountField(help_text="Negative: too little.")


class FlattenOrderSerializer(serializers.Serializer[Flattening]):
    """The order that would be sent first."""

    venue = serializers.CharField(source="market.venue.code")
    symbol = serializers.CharField(source="market.symbol")
    side = serializers.CharField(source="verdict.order.side")
    quantity = AmountField(source="verdict.order.quantity")
    limit_price = AmountField(source="verdict.order.limit_price")


class FlatteningSerializer(serializers.Serializer[Any]):
    """What would be done, or was begun, about one execution."""

    execution_id = serializers.IntegerField(source="execution.pk")
    strategy_id = serializers.IntegerField(source="execution.strategy_id")
    state = serializers.CharField(source="execution.state")
    exposures = FlattenExposureSerializer(many=True)
    is_possible = serializers.BooleanField(help_text="In the answer to an act: it was begun.")
    action = serializers.ChoiceField(
        choices=[action.value for action in Action], source="verdict.action"
    )
    reason = serializers.SerializerMethodField()
    order = serializers.SerializerMethodField()
    loss_bps = serializers.DecimalField(
        max_digits=20,
        decimal_places=4,
        source="verdict.loss_bps",
        allow_null=True,
        help_text="Estimated loss of what the exposure cost [bps]; negative is a gain.",
    )
    max_loss_bps = AmountField(help_text="What the strategy allows [bps].")
    estimated_loss = AmountField(allow_null=True, help_text="In the profit asset.")
    profit_asset = serializers.CharField(source="execution.profit_asset.code")

    def get_reason(self, row: Flattening) -> str:
        """Return why, or why not."""
        return render(row.reason)

    @extend_schema_field(FlattenOrderSerializer(allow_null=True))
    def get_order(self, row: Flattening) -> Any:
        """Return the order that would be sent first; null: none."""
        return None if row.verdict.order is None else FlattenOrderSerializer(row).data
