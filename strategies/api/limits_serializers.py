"""Between risk limits and JSON."""

from typing import Any

from rest_framework import serializers

from arbplatform.api.fields import AmountField, BodySerializer
from arbplatform.core.decimals import ZERO
from strategies.domain.risk import Limits
from strategies.models import RiskLimitsChange

COUNT_MAX = 2**31 - 1


def _amount(text: str) -> AmountField:
    return AmountField(minimum=ZERO, allow_null=True, help_text=text)


def _count(text: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=0, max_value=COUNT_MAX, allow_null=True, help_text=text
    )


class LimitsSerializer(BodySerializer):
    """All limits; amounts in the reporting asset unless they say otherwise.

    Nothing means: the default for a strategy, and no limit for the defaults. Each has to be
    stated, so that none is lifted because a client does not know it.
    """

    order_notional_max = _amount("Of one order.")
    day_notional_max = _amount("Executed in one UTC day.")
    open_executions_max = _count("That have not ended when another one begins.")
    unhedged_max = _amount("Left over by executions.")
    day_loss_max = _amount("Of one UTC day.")
    venue_share_max = _amount("Of everything that is owned, at one venue, from 0 to 1.")
    edge_bps_max = _amount("A better edge is too good to be true [bps].")
    price_band_bps = _amount("Between a limit price and the last known price [bps].")
    unhedged_seconds_max = _amount("Left over, times for how long [reporting asset × s].")
    open_orders_max = _count("At one venue account.")
    position_max = _amount("Of an asset that is bought, at one venue account.")
    book_age_ms_max = _count("Age of an order book [ms].")
    book_skew_ms_max = _count("Between the order books of two legs [ms].")
    ticker_gap_bps_max = _amount("Between bid and ask of one symbol at two venues [bps].")
    depeg_bps_max = _amount("Of a market between pegged assets from one to one [bps].")

    def to_limits(self) -> Limits:
        """Return what is meant; to be called when the body is valid."""
        return Limits(**self.validated_data)


class LimitsChangeSerializer(serializers.ModelSerializer[RiskLimitsChange]):
    """One line of the history."""

    class Meta:
        model = RiskLimitsChange
        fields = ["id", "before", "after", "changed_by", "changed_at"]
        read_only_fields = fields


class LimitsReportSerializer(serializers.Serializer[Any]):
    """The limits of a strategy, or the defaults for all."""

    strategy_id = serializers.IntegerField(
        allow_null=True, help_text="Whose; nothing: the defaults for all."
    )
    own = LimitsSerializer(help_text="What was set.")
    in_force = LimitsSerializer(help_text="What counts: its own, the defaults, or ours.")
    changes = LimitsChangeSerializer(many=True, help_text="The newest changes, newest first.")
