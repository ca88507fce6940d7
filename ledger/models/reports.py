"""Logs, prices and equity."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json
from arbplatform.persistence.fields import AmountField
from markets.models import Asset


class LogLevel(models.IntegerChoices):
    """Severity, with Python's numbers."""

    DEBUG = 10, _("debug")
    INFO = 20, _("info")
    WARNING = 30, _("warning")
    ERROR = 40, _("error")


class LogEntry(models.Model):
    """One line of a strategy's log, or of the platform's when it has no strategy."""

    strategy = models.ForeignKey(
        "strategies.Strategy",
        on_delete=models.CASCADE,
        null=True,
        related_name="logs",
        verbose_name=_("strategy"),
    )
    level = models.PositiveSmallIntegerField(_("level"), choices=LogLevel, default=LogLevel.INFO)
    event = models.SlugField(_("event"), max_length=64)
    template = models.TextField(_("message"))
    context = models.JSONField(_("context"), default=dict)
    created_at = models.DateTimeField(_("time"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        ordering = ["-id"]
        indexes = [models.Index(fields=["strategy", "-id"])]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S} {self.event}"

    def to_message(self) -> Message:
        """Return the sentence, still to be translated and filled in."""
        return message_from_json({"template": self.template, "context": self.context})


class AssetPrice(models.Model):
    """What one unit of an asset was last worth in the reporting asset."""

    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    reporting_asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("reporting asset")
    )
    price = AmountField(_("price"))
    source = models.CharField(_("source"), max_length=200)
    priced_at = models.DateTimeField(_("priced at"))

    class Meta:
        verbose_name = _("asset price")
        verbose_name_plural = _("asset prices")
        ordering = ["asset_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "reporting_asset"], name="asset_price_unique_pair"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset.code} {self.price} {self.reporting_asset.code}"


class EquitySnapshot(models.Model):
    """What everything was worth at one moment."""

    taken_at = models.DateTimeField(_("taken at"), db_index=True)
    reporting_asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("reporting asset")
    )
    total = AmountField(_("total"), help_text=_("In the reporting asset."))
    realised_pnl = AmountField(
        _("realised PnL"), help_text=_("Of all strategies since the start, in reporting asset.")
    )
    breakdown = models.JSONField(
        _("breakdown"),
        default=list,
        help_text=_("Rows of venue, asset, amount, price and value; price null: not valued."),
    )

    class Meta:
        verbose_name = _("equity snapshot")
        verbose_name_plural = _("equity snapshots")
        ordering = ["-taken_at"]

    def __str__(self) -> str:
        return f"{self.taken_at:%Y-%m-%d %H:%M:%S}"
