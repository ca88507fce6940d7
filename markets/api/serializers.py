"""How venues, markets and their data look on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arbplatform.api.fields import AmountField, BodySerializer, SentenceField
from markets.domain.capabilities import Certification, ClientIdLookup
from markets.domain.symbols import split_symbol
from markets.domain.venue_options import mask_options
from markets.models import FeeModeChoice, Market, Venue
from markets.services.budgets import BudgetState, read_budget

DEPTH_DEFAULT = 20
DEPTH_MAX = 500
BARS_DEFAULT = 500
BARS_MAX = 1_000
SYMBOL_LENGTH_MAX = 65
CODE_LENGTH_MAX = 32
ORIGIN_LENGTH_MAX = 200
NAME_LENGTH_MAX = 64


class OptionsField(serializers.JSONField):
    """Options of a venue; passwords in them are masked."""

    def to_representation(self, value: Any) -> Any:
        """Return them as they may be shown."""
        return super().to_representation(mask_options(value))


class OriginField(serializers.CharField):
    """Where a venue is; a password in it is masked."""

    def to_representation(self, value: str) -> str:
        """Return it as it may be shown."""
        return str(mask_options(value))


class VenueSerializer(serializers.ModelSerializer[Venue]):
    """A venue."""

    rest_origin = OriginField(read_only=True)
    ws_origin = OriginField(read_only=True)

    market_count = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        default=None,
        help_text="Active markets; null where they were not counted.",
    )

    options = OptionsField(read_only=True, help_text="Passwords in them are masked.")
    sync_error = SentenceField(source="to_sync_error")
    state_reason = SentenceField(source="to_state_reason")
    is_tradable = serializers.BooleanField(
        read_only=True, help_text="Whether strategies may trade there; others are for data only."
    )

    class Meta:
        model = Venue
        fields: tuple[str, ...] = (
            "id",
            "code",
            "name",
            "ccxt_id",
            "is_enabled",
            "rest_origin",
            "ws_origin",
            "options",
            "synced_at",
            "sync_error",
            "clock_offset_ms",
            "clock_measured_at",
            "is_tradable",
            "state",
            "state_reason",
            "state_since",
            "state_until",
            "market_count",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class BudgetSerializer(serializers.Serializer[Any]):
    """What the venue still allows to this machine's address."""

    state = serializers.ChoiceField(
        choices=[(state.value, state.value) for state in BudgetState],
        help_text="shared: all processes keep to it together; local: Redis is away, each keeps "
        "to its own part; blocked: the venue wants no request; unlimited: nothing is limited.",
    )
    free_percent = serializers.IntegerField(
        allow_null=True, help_text="Of the request weight that may be spent at once."
    )
    orders_free_percent = serializers.IntegerField(
        allow_null=True, help_text="Of the orders that the busiest account may send at once."
    )
    blocked_until = serializers.DateTimeField(allow_null=True)


class OrderLimitSerializer(serializers.Serializer[Any]):
    """How many orders one account may send in any span of a length."""

    count = serializers.IntegerField()
    window_ms = serializers.IntegerField()


class CapabilitiesSerializer(serializers.Serializer[Any]):
    """What venues of this class can do on spot; null: not known."""

    certification = serializers.ChoiceField(
        choices=[(kind.value, kind.value) for kind in Certification]
    )
    client_id_lookup = serializers.ChoiceField(
        choices=[(kind.value, kind.value) for kind in ClientIdLookup],
        help_text="How an order whose reply was lost is found again.",
    )
    has_ioc = serializers.BooleanField(allow_null=True)
    has_fok = serializers.BooleanField(allow_null=True)
    has_post_only = serializers.BooleanField(allow_null=True)
    has_dead_man_switch = serializers.BooleanField(allow_null=True)
    has_dead_man_timer = serializers.BooleanField(
        help_text="That switch works over REST alone, so it is armed while orders rest."
    )
    fee_mode = serializers.ChoiceField(choices=FeeModeChoice.choices, allow_null=True)
    order_limit = OrderLimitSerializer()


class VenueDetailSerializer(VenueSerializer):
    """A venue with its present condition."""

    budget = serializers.SerializerMethodField()
    capabilities = CapabilitiesSerializer(read_only=True)

    class Meta(VenueSerializer.Meta):
        fields = (*VenueSerializer.Meta.fields, "budget", "capabilities")
        read_only_fields = fields

    @extend_schema_field(BudgetSerializer)
    def get_budget(self, venue: Venue) -> dict[str, Any]:
        """Show what is left of the venue's rate budget."""
        return dict(BudgetSerializer(read_budget(venue)).data)


class UpdateVenueSerializer(BodySerializer):
    """What can be changed about a venue; the service checks what it means."""

    code = serializers.CharField(
        max_length=CODE_LENGTH_MAX, required=False, help_text="It cannot change; may be repeated."
    )
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, required=False)
    ccxt_id = serializers.CharField(
        max_length=CODE_LENGTH_MAX,
        help_text="The ccxt class that speaks the venue's protocol: binance, okx, kraken …",
    )
    is_enabled = serializers.BooleanField(default=True)
    rest_origin = serializers.CharField(
        max_length=ORIGIN_LENGTH_MAX,
        allow_blank=True,
        default="",
        help_text="Replaces scheme, host, port and path prefix of every REST address.",
    )
    ws_origin = serializers.CharField(
        max_length=ORIGIN_LENGTH_MAX,
        allow_blank=True,
        default="",
        help_text="The same for WebSocket addresses.",
    )
    options = serializers.DictField(
        child=serializers.JSONField(),
        default=dict,
        help_text="Extra ccxt options; no credentials here. What is shown masked may be sent back "
        "masked, and stays as it is.",
    )


class CreateVenueSerializer(UpdateVenueSerializer):
    """A new venue."""

    code = serializers.SlugField(
        max_length=CODE_LENGTH_MAX, help_text="Short name, for instance binance."
    )


class SyncReportSerializer(serializers.Serializer[Any]):
    """What a synchronisation changed."""

    added = serializers.IntegerField()
    updated = serializers.IntegerField()
    deactivated = serializers.IntegerField()
    total = serializers.IntegerField(help_text="Markets that the venue lists.")


class MarketSerializer(serializers.Serializer[Market]):
    """One symbol on one venue, with its rules."""

    id = serializers.IntegerField()
    venue = serializers.CharField(source="venue.code")
    symbol = serializers.CharField()
    base = serializers.CharField(source="base.code")
    quote = serializers.CharField(source="quote.code")
    tick = AmountField(help_text="Price grid [quote per base].")
    lot = AmountField(help_text="Quantity grid [base].")
    quantity_min = AmountField()
    quantity_max = AmountField(allow_null=True)
    notional_min = AmountField(help_text="Smallest quantity x price [quote].")
    maker_fee = AmountField(help_text="Of the venue's list, a fraction of the amount traded.")
    taker_fee = AmountField(help_text="Of the venue's list, a fraction of the amount traded.")
    planned_maker_fee = AmountField(help_text="Fraction of the amount traded.")
    planned_taker_fee = AmountField(
        help_text="Strategies plan with it: the highest own fee, or the list's if none was told."
    )
    own_fees_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the venue last told what our accounts pay; null: the list's are planned.",
    )
    fee_mode = serializers.ChoiceField(choices=FeeModeChoice.choices)
    is_active = serializers.BooleanField()
    synced_at = serializers.DateTimeField()


class MarketQuery(serializers.Serializer[Any]):
    """Which market."""

    symbol = serializers.CharField(
        max_length=SYMBOL_LENGTH_MAX, help_text="Unified symbol, for instance BTC/USDT."
    )
    venue = serializers.CharField(
        max_length=CODE_LENGTH_MAX,
        required=False,
        help_text="Code of a venue; default: the first enabled one that lists the symbol.",
    )

    def validate_symbol(self, value: str) -> str:
        """Return the symbol in capitals.

        Raises:
            InvalidInput: not of the form ``BASE/QUOTE``.
        """
        symbol = value.upper()
        split_symbol(symbol)
        return symbol


class BookQuery(MarketQuery):
    """Which book, and how much of it."""

    depth = serializers.IntegerField(
        min_value=1, max_value=DEPTH_MAX, default=DEPTH_DEFAULT, help_text="Levels of each side."
    )


class CandleQuery(MarketQuery):
    """Which bars."""

    timeframe = serializers.RegexField(
        r"^[0-9]{1,3}[smhdwM]$", default="1m", help_text="Width of a bar: 1m, 15m, 1h, 1d …"
    )
    since = serializers.DateTimeField(
        required=False, help_text="Start of the first bar; default: the newest bars."
    )
    limit = serializers.IntegerField(min_value=1, max_value=BARS_MAX, default=BARS_DEFAULT)


class TickerSerializer(serializers.Serializer[Any]):
    """Best prices and the last day of one market."""

    venue = serializers.CharField()
    symbol = serializers.CharField()
    bid = AmountField(allow_null=True)
    bid_quantity = AmountField(allow_null=True)
    ask = AmountField(allow_null=True)
    ask_quantity = AmountField(allow_null=True)
    last = AmountField(allow_null=True)
    high = AmountField(allow_null=True)
    low = AmountField(allow_null=True)
    base_volume = AmountField(allow_null=True)
    quote_volume = AmountField(allow_null=True)
    change_percent = AmountField(allow_null=True)
    received_at_ms = serializers.IntegerField(help_text="When we had it [ms since epoch].")


class LevelSerializer(serializers.Serializer[Any]):
    """One price step of a book."""

    price = AmountField()
    quantity = AmountField()


class LookSerializer(serializers.Serializer[Any]):
    """An answer over REST that showed a book."""

    asked_at_ms = serializers.IntegerField(help_text="When we asked [ms since epoch].")
    made_at_ms = serializers.IntegerField(
        allow_null=True,
        help_text="When the venue made it, by its clock [ms since epoch]; null: it does not say.",
    )


class BookSerializer(serializers.Serializer[Any]):
    """Bids and asks of one market, best first."""

    venue = serializers.CharField()
    symbol = serializers.CharField()
    bids = LevelSerializer(many=True)
    asks = LevelSerializer(many=True)
    received_at_ms = serializers.IntegerField(help_text="When we had it [ms since epoch].")
    venue_time_ms = serializers.IntegerField(allow_null=True)
    sequence = serializers.IntegerField(allow_null=True)
    heard_at_ms = serializers.IntegerField(
        allow_null=True,
        help_text=(
            "When the venue last told something about this market by itself [ms since epoch]; "
            "null: the book was read over REST."
        ),
    )
    look = LookSerializer(
        allow_null=True, help_text="The newest answer over REST that shows this very book."
    )


class CandleSerializer(serializers.Serializer[Any]):
    """One bar."""

    opened_at_ms = serializers.IntegerField(help_text="Start of the bar [ms since epoch].")
    open = AmountField()
    high = AmountField()
    low = AmountField()
    close = AmountField()
    volume = AmountField(help_text="Traded in the bar [base].")


class CandlesSerializer(serializers.Serializer[Any]):
    """Bars of one market, oldest first."""

    venue = serializers.CharField()
    symbol = serializers.CharField()
    timeframe = serializers.CharField()
    candles = CandleSerializer(many=True)
