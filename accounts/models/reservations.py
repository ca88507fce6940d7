"""Funds that are set aside for orders and transfers."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.accounts import VenueAccount, WalletChoice
from arbplatform.persistence.fields import AmountField
from markets.models import Asset


class ReservationPurpose(models.TextChoices):
    """What funds are set aside for."""

    ORDER = "order", _("order")
    TRANSFER = "transfer", _("transfer")


class Reservation(models.Model):
    """Funds that one order, or one transfer, may still spend.

    The row is there as long as something is reserved: releasing it deletes it, so it is released
    once. Triggers of the database (``ledger/migrations/0005_reservations``) keep the totals, and
    refuse a row by which more would be reserved than the books hold.
    """

    purpose = models.CharField(_("purpose"), max_length=12, choices=ReservationPurpose)
    owner_id = models.BigIntegerField(_("order or transfer"))
    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        db_index=False,  # few rows are there at any time, and every order writes and deletes one
        related_name="reservations",
        verbose_name=_("account"),
    )
    wallet = models.CharField(_("wallet"), max_length=16, choices=WalletChoice)
    asset = models.ForeignKey(
        Asset,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        verbose_name=_("asset"),
    )
    amount = AmountField(_("reserved"))
    is_forced = models.BooleanField(
        _("without a check"),
        default=False,
        help_text=_("It stands for what happened already, so the database does not refuse it."),
    )

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "owner_id"], name="reservation_unique_owner"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} #{self.owner_id}"


class ReservedTotal(models.Model):
    """What is reserved of one asset in one wallet, kept by the database with the reservations."""

    key = models.CharField(max_length=64, unique=True)
    account = models.ForeignKey(
        VenueAccount, on_delete=models.PROTECT, related_name="+", verbose_name=_("account")
    )
    wallet = models.CharField(_("wallet"), max_length=16, choices=WalletChoice)
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    total = AmountField(_("reserved"))

    class Meta:
        verbose_name = _("reserved total")
        verbose_name_plural = _("reserved totals")
        ordering = ["account_id", "wallet", "asset_id"]

    def __str__(self) -> str:
        return self.key
