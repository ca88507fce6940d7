"""What the executions of strategies have come to."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.sentences import read_sentence
from markets.models import Asset
from strategies.errors import ResultsWrong
from strategies.models.attributions import PARTS
from strategies.models.strategies import Strategy

COUNTED = ("completed", "unwound", "failed")
"""States in which executions are counted as they end. In the others there are few."""

AMOUNTS = (*PARTS, "total", "cash")

SUMMED = ("executions", "measured", "inexact", "pending", *AMOUNTS)
"""What is added up of the attributions."""


class ResultTotal(models.Model):
    """How a strategy's executions in one profit asset ended, and why they made what they made.

    Kept in the transaction that settles an execution: the count of those that ended in each way,
    and the sums of their attributions. So it is one row to read, however long the history.
    """

    strategy = models.ForeignKey(
        Strategy,
        on_delete=models.CASCADE,
        db_index=False,  # the unique constraint begins with it
        related_name="+",
        verbose_name=_("strategy"),
    )
    asset = models.ForeignKey(
        Asset,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        verbose_name=_("profit asset"),
    )
    completed = models.IntegerField(_("completed"), default=0)
    unwound = models.IntegerField(_("unwound"), default=0)
    failed = models.IntegerField(_("failed"), default=0)
    executions = models.IntegerField(
        _("executions"), default=0, help_text=_("That have an attribution; all below is of these.")
    )
    measured = models.IntegerField(_("measured"), default=0)
    inexact = models.IntegerField(_("inexact"), default=0)
    pending = models.IntegerField(_("fees pending"), default=0)
    expected = AmountField(_("expected at the decision"), default=0)
    latency = AmountField(_("decision latency"), default=0)
    slippage = AmountField(_("slippage"), default=0)
    fees = AmountField(_("fees beyond the expected"), default=0)
    completion = AmountField(_("unfilled parts and repairs"), default=0)
    dust = AmountField(_("dust"), default=0)
    funding = AmountField(_("funding payments"), default=0)
    transfers = AmountField(_("transfers"), default=0)
    total = AmountField(_("total"), default=0)
    cash = AmountField(_("in the profit asset"), default=0)

    class Meta:
        verbose_name = _("total of results")
        verbose_name_plural = _("totals of results")
        ordering = ["strategy_id", "asset_id"]
        constraints = [
            models.UniqueConstraint(fields=["strategy", "asset"], name="result_total_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.strategy}: {self.asset.code}"


class ResultAudit(models.Model):
    """What the last audit of a strategy's totals found: whether they are what they add up."""

    strategy = models.OneToOneField(
        Strategy, on_delete=models.CASCADE, related_name="+", verbose_name=_("strategy")
    )
    audited_at = models.DateTimeField(_("audited at"), null=True)
    wrong_count = models.PositiveIntegerField(_("figures that are wrong"), default=0)
    wrong = models.TextField(
        _("what is wrong"),
        blank=True,
        help_text=_("The first figures that are wrong, and by how much; kept as a sentence."),
    )

    class Meta:
        verbose_name = _("audit of results")
        verbose_name_plural = _("audits of results")
        ordering = ["strategy_id"]

    def __str__(self) -> str:
        return str(self.strategy)

    def to_error(self) -> ResultsWrong:
        """Return what is wrong, for a person; reads the strategy."""
        strategy = self.strategy
        figures = read_sentence(self.wrong)
        return ResultsWrong(strategy=strategy.name, figures=figures, id=strategy.pk)
