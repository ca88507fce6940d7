"""Why executions made what they made."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from strategies.models.strategies import Execution

PARTS = (
    "expected",
    "latency",
    "slippage",
    "fees",
    "completion",
    "dust",
    "funding",
    "transfers",
)
"""Columns that add up to ``total``, in the order in which they arise."""


class Attribution(TimestampedModel):
    """The way from the expected to the realised profit of one execution [profit asset].

    Derived from plan, fills and ledger whenever the execution is settled, and so derived again
    when a fill or a fee turns up late.
    """

    execution = models.OneToOneField(
        Execution,
        on_delete=models.CASCADE,
        related_name="attribution",
        verbose_name=_("execution"),
    )
    expected = AmountField(_("expected at the decision"))
    latency = AmountField(
        _("decision latency"),
        null=True,
        help_text=_("Empty: no book of the moment of sending is known; it is part of slippage."),
    )
    slippage = AmountField(_("slippage"))
    fees = AmountField(_("fees beyond the expected"))
    completion = AmountField(_("unfilled parts and repairs"))
    dust = AmountField(_("dust"))
    funding = AmountField(_("funding payments"), default=0)
    transfers = AmountField(_("transfers"), default=0)
    total = AmountField(_("total"), help_text=_("The sum of the parts."))
    booked = AmountField(
        _("booked"), help_text=_("What the ledger moved, at the marks of the execution.")
    )
    cash = AmountField(
        _("in the profit asset"), help_text=_("Of what was booked; the rest is left over.")
    )
    is_exact = models.BooleanField(
        _("exact"), db_index=True, help_text=_("The fills say what the ledger says.")
    )
    has_pending_fees = models.BooleanField(
        _("fees pending"), help_text=_("A venue has not said yet what some fill cost.")
    )
    marks = models.JSONField(
        _("marks"), default=dict, help_text=_("What a unit of each asset was worth.")
    )
    unpriced = models.JSONField(
        _("unpriced"), default=list, help_text=_("Assets without a mark: in no figure.")
    )
    differences = models.JSONField(
        _("differences"),
        default=dict,
        help_text=_("By asset: what the fills say, and what the ledger says."),
    )
    legs = models.JSONField(_("legs"), default=list)
    derived_at = models.DateTimeField(_("derived at"))
    revision = models.PositiveIntegerField(_("revision"), default=1)

    class Meta:
        verbose_name = _("attribution")
        verbose_name_plural = _("attributions")
        ordering = ["-id"]

    @property
    def left_over(self) -> Decimal:
        """What was booked in other assets, at the marks [profit asset]."""
        difference: Decimal = self.booked - self.cash
        return difference

    def __str__(self) -> str:
        return str(self.execution)
