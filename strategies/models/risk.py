"""What strategies may do at most, and who changed that."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from markets.models import Market
from strategies.models.strategies import Strategy


class RiskLimits(TimestampedModel):
    """What strategies may do at most: the defaults for all, or what one of them has instead.

    An empty field of a strategy leaves the default in force; an empty default is no limit.
    """

    key = models.CharField(max_length=40, unique=True, editable=False)
    strategy = models.OneToOneField(
        Strategy,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="risk_limits",
        verbose_name=_("strategy"),
        help_text=_("Empty: the defaults for all strategies."),
    )
    order_notional_max = AmountField(
        _("notional of one order"), null=True, blank=True, help_text=_("In the reporting asset.")
    )
    day_notional_max = AmountField(
        _("notional of one UTC day"), null=True, blank=True, help_text=_("In the reporting asset.")
    )
    open_executions_max = models.PositiveIntegerField(
        _("open executions"), null=True, blank=True, help_text=_("At the same time.")
    )
    unhedged_max = AmountField(
        _("unhedged exposure"),
        null=True,
        blank=True,
        help_text=_("Left over by executions, in the reporting asset."),
    )
    day_loss_max = AmountField(
        _("loss of one UTC day"), null=True, blank=True, help_text=_("In the reporting asset.")
    )
    venue_share_max = AmountField(
        _("share of a venue"),
        null=True,
        blank=True,
        help_text=_("Of everything that is owned, from 0 to 1."),
    )
    edge_bps_max = AmountField(
        _("edge [bps]"), null=True, blank=True, help_text=_("More is too good to be true.")
    )
    price_band_bps = AmountField(
        _("price band [bps]"),
        null=True,
        blank=True,
        help_text=_("Between a limit price and the last known price."),
    )
    unhedged_seconds_max = AmountField(
        _("unhedged exposure × time"),
        null=True,
        blank=True,
        help_text=_("Left over by executions, in the reporting asset times seconds."),
    )
    open_orders_max = models.PositiveIntegerField(
        _("open orders"), null=True, blank=True, help_text=_("At one venue account.")
    )
    position_max = AmountField(
        _("position"),
        null=True,
        blank=True,
        help_text=_("Of an asset that is bought, at one venue account, in the reporting asset."),
    )
    book_age_ms_max = models.PositiveIntegerField(
        _("age of an order book [ms]"), null=True, blank=True
    )
    book_skew_ms_max = models.PositiveIntegerField(
        _("order books apart [ms]"), null=True, blank=True
    )
    ticker_gap_bps_max = AmountField(
        _("price gap of one symbol [bps]"),
        null=True,
        blank=True,
        help_text=_("Between two venues; more, and it may be two coins of one name."),
    )
    depeg_bps_max = AmountField(
        _("distance from the peg [bps]"),
        null=True,
        blank=True,
        help_text=_("Of reference markets between pegged assets."),
    )

    class Meta:
        verbose_name = _("risk limits")
        verbose_name_plural = _("risk limits")
        ordering = ["key"]

    def __str__(self) -> str:
        return str(self.strategy or _("defaults"))


class PegReading(models.Model):
    """What a reference market of two pegged assets last said."""

    market = models.OneToOneField(
        Market, on_delete=models.CASCADE, related_name="+", verbose_name=_("market")
    )
    mid = AmountField(_("middle of bid and ask"), null=True)
    measured_at = models.DateTimeField(_("measured at"))

    class Meta:
        verbose_name = _("peg")
        verbose_name_plural = _("pegs")
        ordering = ["market_id"]

    def __str__(self) -> str:
        return str(self.market)


class RiskLimitsChange(models.Model):
    """One change of risk limits: inserted, never changed or deleted."""

    key = models.CharField(_("limits"), max_length=40, db_index=True)
    name = models.CharField(_("strategy"), max_length=64, blank=True)
    before = models.JSONField(_("before"))
    after = models.JSONField(_("after"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("user"),
    )
    changed_by = models.CharField(_("changed by"), max_length=150)
    changed_at = models.DateTimeField(_("changed at"), db_index=True)

    class Meta:
        verbose_name = _("change of risk limits")
        verbose_name_plural = _("changes of risk limits")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.name or self.key}"
