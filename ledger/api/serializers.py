"""How orders, trades, entries, logs and equity look on the wire."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arbplatform.api.fields import AmountField, SentenceField, SentenceValuesField
from arbplatform.wording import render
from ledger.models import (
    BookKind,
    Entry,
    EntryKind,
    Fill,
    LogEntry,
    LogLevel,
    Order,
    OrderKindChoice,
    OrderStateChoice,
    SideChoice,
    TimeInForceChoice,
)

LEVEL_NAMES = [level.name.lower() for level in LogLevel]


class LogSerializer(serializers.ModelSerializer[LogEntry]):
    """One line of a log, in the reader's language."""

    strategy = serializers.CharField(
        source="strategy.name", read_only=True, default=None, allow_null=True
    )
    level = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()
    context = SentenceValuesField()  # type: ignore[assignment]  # hides Field.context

    class Meta:
        model = LogEntry
        fields = (
            "id",
            "created_at",
            "strategy_id",
            "strategy",
            "level",
            "event",
            "message",
            "context",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=LEVEL_NAMES))
    def get_level(self, entry: LogEntry) -> str:
        """Return the severity by name."""
        return LogLevel(entry.level).name.lower()

    @extend_schema_field(serializers.CharField())
    def get_message(self, entry: LogEntry) -> str:
        """Return the sentence, translated and filled in."""
        return render(entry.to_message())


class FillSerializer(serializers.ModelSerializer[Fill]):
    """One execution. A fee that the venue stated later is shown as if it had been there."""

    strategy = serializers.CharField(
        source="strategy.name", read_only=True, default=None, allow_null=True
    )
    execution_id = serializers.IntegerField(
        source="order.execution_id", read_only=True, allow_null=True
    )
    account = serializers.CharField(source="account.label", read_only=True)
    venue = serializers.CharField(source="account.venue.code", read_only=True)
    symbol = serializers.CharField(source="market.symbol", read_only=True)
    side = serializers.ChoiceField(choices=SideChoice.choices, read_only=True)
    price = AmountField(read_only=True)
    quantity = AmountField(read_only=True)
    cost = AmountField(read_only=True)
    fee = AmountField(source="known_fee", read_only=True, allow_null=True)
    fee_asset = serializers.CharField(
        source="known_fee_asset.code", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = Fill
        fields = (
            "id",
            "executed_at",
            "strategy_id",
            "strategy",
            "execution_id",
            "order_id",
            "account_id",
            "account",
            "venue",
            "symbol",
            "side",
            "price",
            "quantity",
            "cost",
            "fee",
            "fee_asset",
            "is_maker",
            "venue_trade_id",
        )
        read_only_fields = fields


class OrderSerializer(serializers.ModelSerializer[Order]):
    """One order of the journal."""

    strategy = serializers.CharField(
        source="strategy.name", read_only=True, default=None, allow_null=True
    )
    account = serializers.CharField(source="account.label", read_only=True)
    venue = serializers.CharField(source="account.venue.code", read_only=True)
    symbol = serializers.CharField(source="market.symbol", read_only=True)
    side = serializers.ChoiceField(choices=SideChoice.choices, read_only=True)
    kind = serializers.ChoiceField(choices=OrderKindChoice.choices, read_only=True)
    time_in_force = serializers.ChoiceField(choices=TimeInForceChoice.choices, read_only=True)
    state = serializers.ChoiceField(choices=OrderStateChoice.choices, read_only=True)
    quantity = AmountField(read_only=True)
    price = AmountField(read_only=True, allow_null=True)
    filled_quantity = AmountField(read_only=True)
    filled_cost = AmountField(read_only=True)
    error = SentenceField(source="to_error")
    is_cancelling = serializers.BooleanField(
        read_only=True, help_text="A cancellation is pending: asked for, not yet seen at the venue."
    )

    class Meta:
        model = Order
        fields = (
            "id",
            "created_at",
            "client_order_id",
            "venue_order_id",
            "strategy_id",
            "strategy",
            "execution_id",
            "leg_index",
            "account_id",
            "account",
            "venue",
            "symbol",
            "side",
            "kind",
            "time_in_force",
            "quantity",
            "price",
            "state",
            "filled_quantity",
            "filled_cost",
            "error_code",
            "error",
            "submitted_at",
            "acknowledged_at",
            "finished_at",
            "cancel_requested_at",
            "is_cancelling",
            "lookup_count",
            "next_lookup_at",
        )
        read_only_fields = fields


class PostingSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """One line of an entry."""

    book = serializers.ChoiceField(choices=BookKind.choices, read_only=True)
    account_id = serializers.IntegerField(read_only=True, allow_null=True)
    venue = serializers.CharField(source="account.venue.code", read_only=True, default=None)
    wallet = serializers.CharField(read_only=True, help_text="Empty but for wallets.")
    asset = serializers.CharField(source="asset.code", read_only=True)
    amount = AmountField(read_only=True)


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """One balanced event."""

    strategy = serializers.CharField(
        source="strategy.name", read_only=True, default=None, allow_null=True
    )
    kind = serializers.ChoiceField(choices=EntryKind.choices, read_only=True)
    memo = SentenceField(
        source="to_memo", help_text="What it is about: as typed, or in the reader's language."
    )
    postings = PostingSerializer(many=True, read_only=True)

    class Meta:
        model = Entry
        fields = (
            "id",
            "key",
            "kind",
            "occurred_at",
            "created_at",
            "strategy_id",
            "strategy",
            "execution_id",
            "transfer_id",
            "reverses_id",
            "memo",
            "postings",
        )
        read_only_fields = fields


class EquityPointSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What everything was worth at one moment."""

    taken_at = serializers.DateTimeField(read_only=True)
    total = AmountField(read_only=True)
    realised_pnl = AmountField(read_only=True)


class HoldingValueSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What one venue held of one asset."""

    venue = serializers.CharField(allow_null=True, help_text="Null: between two venues.")
    asset = serializers.CharField()
    amount = serializers.CharField()
    price = serializers.CharField(allow_null=True, help_text="Null: no price was known.")
    value = serializers.CharField(allow_null=True, help_text="Null: not in the total.")


class EquitySerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A series for a chart, oldest first, and what the newest snapshot consists of."""

    reporting_asset = serializers.CharField()
    points = EquityPointSerializer(many=True)
    breakdown = HoldingValueSerializer(many=True)
