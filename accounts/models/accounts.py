"""Accounts at venues, and what they hold."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.core.errors import Message
from arbplatform.persistence.fields import AmountField, EncryptedTextField
from arbplatform.persistence.models import TimestampedModel
from arbplatform.persistence.sentences import read_sentence
from markets.domain.funds import Wallet
from markets.errors import VenueAuthFailed
from markets.gateway.base import Credentials
from markets.models import Asset, Venue


class WalletChoice(models.TextChoices):
    """``Wallet`` with labels."""

    SPOT = Wallet.SPOT.value, _("spot")
    FUNDING = Wallet.FUNDING.value, _("funding")


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
    allows_transfers = models.BooleanField(
        _("transfers to other accounts"),
        default=False,
        help_text=_(
            "Off: a key of a real venue that may withdraw is refused, and nothing is sent away."
        ),
    )
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

    @property
    def is_key_refused(self) -> bool:
        """Whether its venue did not accept the key, and no test has succeeded since."""
        return VenueAuthFailed.code in (self.test_error_code, self.sync_error_code)

    def __str__(self) -> str:
        return f"{self.venue.code}/{self.label}"

    def to_test_error(self) -> Message:
        """Return why the last test of the connection failed, still to be translated; or nothing."""
        return read_sentence(self.test_error)

    def to_sync_error(self) -> Message:
        """Return why balances could not be read, still to be translated; or nothing."""
        return read_sentence(self.sync_error)

    def to_error(self) -> Message:
        """Return what its venue, or the way there, was last found to have against its key."""
        return read_sentence(self.test_error or self.sync_error)

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
