"""What finished executions left over."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from markets.models import Asset
from strategies.models.strategies import Strategy


class Dust(TimestampedModel):
    """The net of what a strategy's finished executions left over of one asset.

    Kept in the transaction that settles an execution: the sum of the residuals of those that
    completed or were unwound. Stock moves between a strategy's accounts with every arbitrage, so
    only the net over all of them is a leftover.
    """

    strategy = models.ForeignKey(
        Strategy, on_delete=models.CASCADE, related_name="dust", verbose_name=_("strategy")
    )
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    amount = AmountField(_("amount"))

    class Meta:
        verbose_name = _("dust")
        verbose_name_plural = _("dust")
        ordering = ["strategy__name", "asset__code"]
        constraints = [
            models.UniqueConstraint(fields=["strategy", "asset"], name="dust_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.strategy}: {self.asset.code}"
