"""Transfers between wallets and accounts."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.domain.transfers import TransferState
from accounts.models.accounts import VenueAccount, WalletChoice
from accounts.models.rules import AddressEntry
from arbplatform.core.errors import Message
from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from arbplatform.persistence.sentences import read_sentence
from markets.models import Asset


class TransferStateChoice(models.TextChoices):
    """``TransferState`` with labels."""

    UNAPPROVED = TransferState.UNAPPROVED.value, _("awaiting approval")
    TESTING = TransferState.TESTING.value, _("awaiting its test amount")
    REQUESTED = TransferState.REQUESTED.value, _("requested")
    WAITING = TransferState.WAITING.value, _("waiting")
    SUBMITTING = TransferState.SUBMITTING.value, _("submitting")
    SUBMITTED = TransferState.SUBMITTED.value, _("submitted")
    IN_TRANSIT = TransferState.IN_TRANSIT.value, _("in transit")
    DISPUTED = TransferState.DISPUTED.value, _("needs a person")
    ARRIVED = TransferState.ARRIVED.value, _("arrived")
    FAILED = TransferState.FAILED.value, _("failed")
    UNKNOWN = TransferState.UNKNOWN.value, _("unknown")


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
    fee_stated = AmountField(
        _("stated network fee"),
        null=True,
        editable=False,
        help_text=_("What the source stated when the transfer was requested."),
    )
    fee_max = AmountField(
        _("accepted network fee"),
        null=True,
        editable=False,
        help_text=_("If the fee is higher when it is to be sent, it is not sent."),
    )
    address_entry = models.ForeignKey(
        AddressEntry,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="transfers",
        verbose_name=_("address book entry"),
    )
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
    value = AmountField(
        _("value"),
        null=True,
        editable=False,
        help_text=_("When it was requested, in the reporting asset; empty: there was no price."),
    )
    test_transfer = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="main_transfer",
        verbose_name=_("test amount"),
        help_text=_("The transfer of a small part that must arrive first."),
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("approved by"),
    )
    settlement = models.JSONField(
        _("proposed settlement"),
        null=True,
        editable=False,
        help_text=_("How one person says it ended; another one has to confirm it."),
    )
    settlement_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("settlement proposed by"),
    )
    alarmed_at = models.DateTimeField(
        _("alarm since"),
        null=True,
        editable=False,
        help_text=_("It has been under way for longer than it should."),
    )
    released_at = models.DateTimeField(
        _("released at"),
        null=True,
        editable=False,
        help_text=_("From then on it may be sent; its age counts from there."),
    )
    submitted_at = models.DateTimeField(_("submitted at"), null=True, editable=False)
    arrived_at = models.DateTimeField(_("arrived at"), null=True, editable=False)
    lookup_count = models.PositiveIntegerField(_("look-ups"), default=0, editable=False)
    silence_ms = models.PositiveBigIntegerField(
        _("not found for [ms]"),
        default=0,
        editable=False,
        help_text=_("So long the venues answered and did not list it, by clocks that do not jump."),
    )
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
            models.CheckConstraint(
                condition=Q(requested_by=None)
                | Q(approved_by=None)
                | ~Q(requested_by=F("approved_by")),
                name="transfer_takes_two_people",
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

    def to_error(self) -> Message:
        """Return what went wrong last, still to be translated; empty if nothing did."""
        return read_sentence(self.error)
