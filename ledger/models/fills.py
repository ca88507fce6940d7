"""What orders executed."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import VenueAccount
from arbplatform.persistence.fields import AmountField
from ledger.models.books import Entry
from ledger.models.orders import Order, SideChoice
from markets.models import Asset, Market


class Fill(models.Model):
    """One execution of an order, as the venue reported it. The API calls fills "trades"."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="fills", verbose_name=_("order")
    )
    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        db_index=False,  # the unique constraint begins with it
        related_name="fills",
        verbose_name=_("account"),
    )
    market = models.ForeignKey(
        Market, on_delete=models.PROTECT, related_name="fills", verbose_name=_("market")
    )
    strategy = models.ForeignKey(
        "strategies.Strategy",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,  # the index below begins with it
        related_name="fills",
        verbose_name=_("strategy"),
    )
    venue_trade_id = models.CharField(_("venue trade id"), max_length=64)
    side = models.CharField(_("side"), max_length=4, choices=SideChoice)
    price = AmountField(_("price"))
    quantity = AmountField(_("quantity"))
    cost = AmountField(_("cost"))
    fee = AmountField(_("fee"), null=True)
    fee_asset = models.ForeignKey(
        Asset,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("fee asset"),
    )
    is_maker = models.BooleanField(_("maker"), null=True)
    executed_at = models.DateTimeField(_("executed at"), db_index=True)
    entry = models.OneToOneField(
        Entry, on_delete=models.PROTECT, related_name="fill", verbose_name=_("entry")
    )
    created_at = models.DateTimeField(_("booked at"), auto_now_add=True)

    class Meta:
        verbose_name = _("trade")
        verbose_name_plural = _("trades")
        ordering = ["-executed_at", "-id"]
        indexes = [models.Index(fields=["strategy", "executed_at"])]
        constraints = [
            # the side belongs to it: both halves of a trade with oneself carry one trade id
            models.UniqueConstraint(
                fields=["account", "market", "venue_trade_id", "side"], name="fill_unique_trade"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.venue_trade_id}"

    @property
    def known_fee(self) -> Decimal | None:
        """The fee, also if the venue stated it late; ``None`` while it is not known."""
        late_fee: LateFee | None = getattr(self, "late_fee", None)
        fee: Decimal | None = self.fee if late_fee is None else late_fee.amount
        return fee

    @property
    def known_fee_asset(self) -> Asset | None:
        """The asset of ``known_fee``."""
        late_fee: LateFee | None = getattr(self, "late_fee", None)
        return self.fee_asset if late_fee is None else late_fee.asset


class LateFee(models.Model):
    """The fee of a fill whose venue did not state it at first.

    A fill is a fact and stays as it was booked; its fee, once known, is a fact of its own with
    its own entry.
    """

    fill = models.OneToOneField(
        Fill, on_delete=models.PROTECT, related_name="late_fee", verbose_name=_("trade")
    )
    amount = AmountField(_("fee"))
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("fee asset")
    )
    entry = models.OneToOneField(
        Entry, on_delete=models.PROTECT, related_name="late_fee", verbose_name=_("entry")
    )
    created_at = models.DateTimeField(_("booked at"), auto_now_add=True)

    class Meta:
        verbose_name = _("late fee")
        verbose_name_plural = _("late fees")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.fill} {self.amount}"
