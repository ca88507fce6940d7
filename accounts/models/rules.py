"""What transfers are measured by: addresses, names of networks, and who changed what."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.domain.addresses import OWN_REASONS, AddressState
from accounts.domain.rules import RuleKind
from accounts.models.accounts import VenueAccount
from arbplatform.core.errors import Message
from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from arbplatform.persistence.sentences import read_reason
from markets.models import Asset, Venue


class AddressStateChoice(models.TextChoices):
    """``AddressState`` with labels."""

    PROPOSED = AddressState.PROPOSED.value, _("proposed")
    APPROVED = AddressState.APPROVED.value, _("approved")
    SUSPENDED = AddressState.SUSPENDED.value, _("suspended")
    REVOKED = AddressState.REVOKED.value, _("revoked")


class AddressEntry(TimestampedModel):
    """Where one account receives one asset on one network; its address never changes."""

    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        related_name="addresses",
        verbose_name=_("receiving account"),
    )
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    network = models.CharField(_("network"), max_length=32, blank=True)
    address = models.CharField(_("address"), max_length=200)
    tag = models.CharField(_("tag"), max_length=64, blank=True)
    label = models.CharField(_("label"), max_length=64)
    state = models.CharField(
        _("state"),
        max_length=16,
        choices=AddressStateChoice,
        default=AddressStateChoice.PROPOSED,
        db_index=True,
    )
    reason = models.TextField(_("reason"), blank=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("proposed by"),
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("approved by"),
    )
    approved_at = models.DateTimeField(_("approved at"), null=True)
    usable_at = models.DateTimeField(_("usable from"), null=True)

    class Meta:
        verbose_name = _("address book entry")
        verbose_name_plural = _("address book")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "asset", "network"],
                condition=~Q(state=AddressState.REVOKED.value),
                name="address_one_is_current",
            ),
            models.CheckConstraint(
                condition=Q(proposed_by=None)
                | Q(approved_by=None)
                | ~Q(proposed_by=models.F("approved_by")),
                name="address_takes_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.asset.code} {self.network} → {self.account}"

    def to_reason(self) -> Message:
        """Return why it is in its state: as typed, or a sentence still to be translated."""
        return read_reason(self.reason, OWN_REASONS)

    def is_usable(self, now: datetime) -> bool:
        """Return whether it is approved and its cooling time is over."""
        is_cool = self.usable_at is not None and self.usable_at <= now
        return self.state == AddressState.APPROVED and is_cool


class VenueNetwork(TimestampedModel):
    """What a venue calls one of our networks, as a person confirmed it."""

    venue = models.ForeignKey(
        Venue, on_delete=models.CASCADE, related_name="networks", verbose_name=_("venue")
    )
    network = models.CharField(
        _("network"), max_length=32, help_text=_("Our name of it: TRX, ETH, BSC …")
    )
    venue_name = models.CharField(
        _("name at the venue"), max_length=64, help_text=_("As the venue lists it: TRC20, Tron …")
    )
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("confirmed by"),
    )

    class Meta:
        verbose_name = _("network of a venue")
        verbose_name_plural = _("networks of venues")
        ordering = ["venue_id", "network"]
        constraints = [
            models.UniqueConstraint(fields=["venue", "network"], name="network_unique_id"),
            models.UniqueConstraint(fields=["venue", "venue_name"], name="network_unique_name"),
        ]

    def __str__(self) -> str:
        return f"{self.network} = {self.venue_name} @ {self.venue.code}"


class TransferLimit(TimestampedModel):
    """What transfers may move at most: for all accounts, or what one of them has instead.

    An empty field of an account leaves the one for all in force; an empty one for all is no limit.
    """

    key = models.CharField(max_length=40, unique=True, editable=False)
    account = models.OneToOneField(
        VenueAccount,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="transfer_limits",
        verbose_name=_("sending account"),
        help_text=_("Empty: for all accounts."),
    )
    transfer_max = AmountField(
        _("one transfer"), null=True, blank=True, help_text=_("In the reporting asset.")
    )
    account_day_max = AmountField(
        _("one account and UTC day"), null=True, blank=True, help_text=_("In the reporting asset.")
    )
    total_day_max = AmountField(
        _("all accounts and one UTC day"),
        null=True,
        blank=True,
        help_text=_("In the reporting asset; counts in the row for all accounts only."),
    )
    approval_above = AmountField(
        _("second person above"),
        null=True,
        blank=True,
        help_text=_("Transfers worth more wait until another member of staff approves them."),
    )

    class Meta:
        verbose_name = _("transfer limits")
        verbose_name_plural = _("transfer limits")
        ordering = ["key"]

    def __str__(self) -> str:
        return str(self.account or _("all accounts"))


class RuleKindChoice(models.TextChoices):
    """``RuleKind`` with labels."""

    ADDRESS = RuleKind.ADDRESS.value, _("address")
    NETWORK = RuleKind.NETWORK.value, _("network")
    LIMITS = RuleKind.LIMITS.value, _("transfer limits")


class RuleChange(models.Model):
    """One change of what transfers are measured by: inserted, never changed or deleted."""

    kind = models.CharField(_("kind"), max_length=16, choices=RuleKindChoice)
    target_id = models.BigIntegerField(_("number"), null=True)
    name = models.CharField(_("name"), max_length=200)
    event = models.CharField(_("event"), max_length=16)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    reason = models.TextField(_("reason"), blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("user"),
        help_text=_("Empty: the platform itself."),
    )
    changed_by = models.CharField(_("changed by"), max_length=150)
    changed_at = models.DateTimeField(_("changed at"), db_index=True)

    class Meta:
        verbose_name = _("change of a transfer rule")
        verbose_name_plural = _("changes of transfer rules")
        ordering = ["-id"]
        indexes = [models.Index(fields=["kind", "target_id"], name="rule_change_by_target")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.name}"

    def to_reason(self) -> Message:
        """Return why it was done: as typed, or a sentence still to be translated."""
        return read_reason(self.reason, OWN_REASONS)
