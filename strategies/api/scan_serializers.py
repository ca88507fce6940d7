"""Between scans and JSON."""

from typing import Any

from rest_framework import serializers

from arbplatform.api.fields import AmountField, ChoiceField
from ledger.models import SideChoice
from strategies.domain.scan import Kind
from strategies.services.sightings import CONFIRMED_MAX, Source

BY_EDGE, BY_PROFIT = "-edge_bps", "-profit"


class ScanQuerySerializer(serializers.Serializer[Any]):
    """Which round trips a client wants, and in which order."""

    kind = ChoiceField(
        choices=[kind.value for kind in Kind], required=False, help_text="Only such round trips."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=CONFIRMED_MAX, default=20, help_text="How many round trips at most."
    )
    ordering = ChoiceField(
        choices=[BY_EDGE, BY_PROFIT], default=BY_EDGE, help_text="What comes first."
    )


class ScanFeedSerializer(serializers.Serializer[Any]):
    """How the best prices of a venue come in."""

    venue = serializers.CharField()
    prices = serializers.ChoiceField(choices=[source.value for source in Source])


class ScanVenueErrorSerializer(serializers.Serializer[Any]):
    """A venue that did not answer."""

    venue = serializers.CharField()
    code = serializers.IntegerField(help_text="Error code.")
    message = serializers.CharField()


class ScanLegSerializer(serializers.Serializer[Any]):
    """One trade of a round trip."""

    venue = serializers.CharField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=SideChoice.choices)
    quantity = AmountField(allow_null=True, help_text="[base]; null when no size earns.")
    limit_price = AmountField(allow_null=True, help_text="[quote per base].")


class SightingSerializer(serializers.Serializer[Any]):
    """A round trip that earns at the best prices."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    summary = serializers.CharField()
    is_suspicious = serializers.BooleanField(help_text="Too good to be true.")
    top_edge_bps = AmountField(help_text="At the best prices, after fees [bps].")
    edge_bps = AmountField(allow_null=True, help_text="Of the best size, after fees [bps].")
    notional = AmountField(allow_null=True, help_text="What it takes [profit asset].")
    expected_profit = AmountField(allow_null=True, help_text="[profit asset].")
    profit_asset = serializers.CharField(allow_null=True)
    profit = AmountField(allow_null=True, help_text="[reporting asset].")
    age_ms = serializers.IntegerField(allow_null=True, help_text="Of the oldest book [ms].")
    standing_ms = serializers.IntegerField(
        allow_null=True, help_text="How long it has been seen without a break [ms]."
    )
    refusal = serializers.CharField(allow_null=True, help_text="Why no size earns.")
    legs = ScanLegSerializer(many=True)


class ScanSerializer(serializers.Serializer[Any]):
    """One look over everything."""

    prices = serializers.ChoiceField(
        choices=[source.value for source in Source],
        help_text="stream: a scanner process is told of them as they change; rest: asked for.",
    )
    scanned_at = serializers.DateTimeField()
    took_ms = serializers.IntegerField()
    reporting_asset = serializers.CharField()
    venues = serializers.IntegerField(help_text="That were asked.")
    markets = serializers.IntegerField(help_text="Whose best prices could be used.")
    pairs = serializers.IntegerField(help_text="Ordered pairs of venues with the same symbol.")
    cycles = serializers.IntegerField(help_text="Directed ways around three markets.")
    nominated = serializers.IntegerField(help_text="That earn at the best prices.")
    feeds = ScanFeedSerializer(many=True)
    venue_errors = ScanVenueErrorSerializer(many=True)
    results = SightingSerializer(many=True)
