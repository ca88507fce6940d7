"""Accounts at venues, what they hold, and transfers between them."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.domain.transfers import TransferState
from arbplatform.persistence.fields import AmountField, EncryptedTextField
from arbplatform.persistence.models import TimestampedModel
from markets.domain.funds import Wallet
from markets.gateway.base import Credentials
from markets.models import Asset, Venue


class WalletChoice(models.TextChoices):
    """``Wallet`` with labels."""

    SPOT = Wallet.SPOT.value, _("spot")
    FUNDING = Wallet.FUNDING.value, _("funding")


class TransferStateChoice(models.TextChoices):
    """``TransferState`` with labels."""

    REQUESTED = TransferState.REQUESTED.value, _("requested")
    SUBMITTING = TransferState.SUBMITTING.value, _("submitting")
    SUBMITTED = TransferState.SUBMITTED.value, _("submitted")
    IN_TRANSIT = TransferState.IN_TRANSIT.value, _("in transit")
    ARRIVED = TransferState.ARRIVED.value, _("arrived")
    FAILED = TransferState.FAILED.value, _("failed")
    UNKNOWN = TransferState.UNKNOWN.value, _("unknown")


class VenueAccount(TimestampedModel):
    """An account at a venue, with its API key."""

    venue = models.ForeignKey(
        Venue, on_delete=models.PROTECT, related_name="accounts", verbose_name=_("venue")
    )
    label = models.CharField(_("label"), max_length=64)
    api_key = EncryptedTextField(_("API key"))
    api_key_tail = models.CharField(
        _("API key"),
        max_length=16,
        blank=True,
        editable=False,
        help_text=_("The masked end of the key, to recognise it by."),
    )
    api_secret = EncryptedTextField(_("API secret"))
    passphrase = EncryptedTextField(_("passphrase"), blank=True, default="")
    is_enabled = models.BooleanField(_("enabled"), default=True)
    permissions = models.JSONField(_("permissions found"), default=list, editable=False)
    tested_at = models.DateTimeField(_("connection tested at"), null=True, editable=False)
    test_error_code = models.PositiveIntegerField(
        _("code of the last test error"), null=True, editable=False
    )
    test_error = models.TextField(_("last test error"), blank=True, editable=False)
    synced_at = models.DateTimeField(_("balances synchronised at"), null=True, editable=False)
    sync_error_code = models.PositiveIntegerField(
        _("code of the last synchronisation error"), null=True, editable=False
    )
    sync_error = models.TextField(_("last synchronisation error"), blank=True, editable=False)

    class Meta:
        verbose_name = _("venue account")
        verbose_name_plural = _("venue accounts")
        ordering = ["venue_id", "label"]
        constraints = [
            models.UniqueConstraint(fields=["venue", "label"], name="account_unique_label"),
        ]

    def __str__(self) -> str:
        return f"{self.venue.code}/{self.label}"

    def to_credentials(self) -> Credentials:
        """Return the API key for a gateway."""
        return Credentials(
            api_key=self.api_key, api_secret=self.api_secret, passphrase=self.passphrase
        )


class Balance(models.Model):
    """What the venue last said an account holds of an asset in one wallet."""

    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.CASCADE,
        related_name="balances",
        verbose_name=_("account"),
    )
    wallet = models.CharField(_("wallet"), max_length=16, choices=WalletChoice)
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    free = AmountField(_("free"))
    held = AmountField(_("held"))
    synced_at = models.DateTimeField(_("synchronised at"))

    class Meta:
        verbose_name = _("balance")
        verbose_name_plural = _("balances")
        ordering = ["account_id", "wallet", "asset_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "wallet", "asset"], name="balance_unique_asset"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.asset.code} ({self.wallet})"

    @property
    def total(self) -> Decimal:
        """All that is there [units of asset]."""
        total: Decimal = self.free + self.held
        return total


class Transfer(TimestampedModel):
    """Funds on their way between two wallets of one account, or between two accounts."""

    idempotency_key = models.CharField(_("idempotency key"), max_length=64, unique=True)
    client_transfer_id = models.CharField(_("client transfer id"), max_length=36, unique=True)
    from_account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        related_name="transfers_out",
        verbose_name=_("from account"),
    )
    from_wallet = models.CharField(_("from wallet"), max_length=16, choices=WalletChoice)
    to_account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        related_name="transfers_in",
        verbose_name=_("to account"),
    )
    to_wallet = models.CharField(_("to wallet"), max_length=16, choices=WalletChoice)
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    amount = AmountField(_("amount"), help_text=_("What leaves the source, network fee included."))
    fee = AmountField(
        _("network fee"),
        null=True,
        editable=False,
        help_text=_("Empty until the venue states it or the funds have arrived."),
    )
    arrived_amount = AmountField(
        _("arrived amount"),
        null=True,
        editable=False,
        help_text=_("What the destination credited; normally the amount less the network fee."),
    )
    network = models.CharField(_("network"), max_length=32, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True, editable=False)
    tag = models.CharField(_("tag"), max_length=64, blank=True, editable=False)
    state = models.CharField(
        _("state"),
        max_length=16,
        choices=TransferStateChoice,
        default=TransferStateChoice.REQUESTED,
        editable=False,
        db_index=True,
    )
    venue_transfer_id = models.CharField(
        _("venue transfer id"), max_length=128, blank=True, editable=False
    )
    venue_deposit_id = models.CharField(
        _("venue deposit id"), max_length=128, blank=True, editable=False
    )
    tx_id = models.CharField(_("transaction id"), max_length=128, blank=True, editable=False)
    error_code = models.PositiveIntegerField(_("error code"), null=True, editable=False)
    error = models.TextField(_("error"), blank=True, editable=False)
    note = models.CharField(
        _("note"),
        max_length=300,
        blank=True,
        editable=False,
        help_text=_("Who ended it by hand, and why."),
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        verbose_name=_("requested by"),
    )
    submitted_at = models.DateTimeField(_("submitted at"), null=True, editable=False)
    arrived_at = models.DateTimeField(_("arrived at"), null=True, editable=False)
    lookup_count = models.PositiveIntegerField(_("look-ups"), default=0, editable=False)
    next_lookup_at = models.DateTimeField(
        _("next look-up at"), null=True, editable=False, db_index=True
    )

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(from_account=F("to_account"), from_wallet=F("to_wallet")),
                name="transfer_goes_somewhere",
            ),
            models.UniqueConstraint(
                fields=["from_account", "to_account", "venue_transfer_id"],
                condition=~Q(venue_transfer_id=""),
                name="transfer_unique_departure",
            ),
            models.UniqueConstraint(
                fields=["to_account", "venue_deposit_id"],
                condition=~Q(venue_deposit_id=""),
                name="transfer_unique_arrival",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.asset.code} {self.from_account} → {self.to_account}"

    @property
    def is_internal(self) -> bool:
        """Whether the funds stay inside one account."""
        return self.from_account_id == self.to_account_id


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
