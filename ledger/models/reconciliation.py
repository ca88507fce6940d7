"""What comparing the books with the venues came to."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import VenueAccount, WalletChoice
from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json
from arbplatform.persistence.fields import AmountField, DocumentField
from arbplatform.persistence.sentences import read_reason, read_sentence
from ledger.domain.reconciliation import (
    ACTIVE_STATES,
    DiscrepancyKind,
    DiscrepancyState,
    RunOutcome,
)
from ledger.models.books import Entry


class DiscrepancyKindChoice(models.TextChoices):
    """``DiscrepancyKind`` with labels."""

    BALANCE = DiscrepancyKind.BALANCE.value, _("balance differs")
    MISSING_FILL = DiscrepancyKind.MISSING_FILL.value, _("trade was not booked")
    UNLISTED_FILL = DiscrepancyKind.UNLISTED_FILL.value, _("booked trade is not listed")
    FILL_CONFLICT = DiscrepancyKind.FILL_CONFLICT.value, _("trade is stated differently")
    FEE = DiscrepancyKind.FEE.value, _("fee is in doubt")
    ORDER_STATE = DiscrepancyKind.ORDER_STATE.value, _("order is stated differently")
    UNKNOWN_ORDER = DiscrepancyKind.UNKNOWN_ORDER.value, _("order of ours is not in the journal")
    FOREIGN_INSTALLATION = (
        DiscrepancyKind.FOREIGN_INSTALLATION.value,
        _("another installation trades"),
    )
    FOREIGN_ORDER = DiscrepancyKind.FOREIGN_ORDER.value, _("order of somebody else is open")
    EXTERNAL_TRADE = DiscrepancyKind.EXTERNAL_TRADE.value, _("trade without the platform")
    EXTERNAL_DEPOSIT = DiscrepancyKind.EXTERNAL_DEPOSIT.value, _("deposit without the platform")
    EXTERNAL_WITHDRAWAL = (
        DiscrepancyKind.EXTERNAL_WITHDRAWAL.value,
        _("withdrawal without the platform"),
    )
    EXTERNAL_MOVE = DiscrepancyKind.EXTERNAL_MOVE.value, _("moved between wallets by hand")


class DiscrepancyStateChoice(models.TextChoices):
    """``DiscrepancyState`` with labels."""

    OPEN = DiscrepancyState.OPEN.value, _("watched")
    EXPLAINED = DiscrepancyState.EXPLAINED.value, _("explained")
    BOOKED = DiscrepancyState.BOOKED.value, _("booked")
    ALARMED = DiscrepancyState.ALARMED.value, _("alarm")
    CLOSED = DiscrepancyState.CLOSED.value, _("gone")


class RunOutcomeChoice(models.TextChoices):
    """``RunOutcome`` with labels."""

    CLEAN = RunOutcome.CLEAN.value, _("equal")
    DIFFERENT = RunOutcome.DIFFERENT.value, _("different")
    FAILED = RunOutcome.FAILED.value, _("the venue did not answer")


class AccountReconciliation(models.Model):
    """Where the reconciliation of one account stands; also who carries it out at this moment."""

    account = models.OneToOneField(
        VenueAccount,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("account"),
    )
    token = models.CharField(
        _("token"),
        max_length=32,
        blank=True,
        help_text=_("Names the comparison that is being made; empty: none is."),
    )
    lease_until = models.DateTimeField(
        _("reserved until"),
        null=True,
        help_text=_("Nobody else compares the account until then; later, whoever did is given up."),
    )
    read_until = models.DateTimeField(
        _("histories read until"),
        null=True,
        help_text=_(
            "The start of the last comparison in which the venue told everything; the next one "
            "reads on from shortly before."
        ),
    )
    last_run_at = models.DateTimeField(
        _("last compared at"),
        null=True,
        db_index=True,
        help_text=_("When the last comparison began, whatever it came to."),
    )
    last_clean_at = models.DateTimeField(
        _("last equal at"),
        null=True,
        help_text=_("When the last comparison began that found books and venue equal."),
    )
    failure_count = models.PositiveIntegerField(
        _("failures in a row"),
        default=0,
        help_text=_("Comparisons since the last one in which the venue answered everything."),
    )
    round_count = models.PositiveBigIntegerField(
        _("comparisons begun"),
        default=0,
        db_default=0,
        help_text=_("Tells what began before what, however clocks differ."),
    )
    clean_round = models.PositiveBigIntegerField(
        _("last equal in comparison"),
        default=0,
        db_default=0,
        help_text=_("The number of the last comparison that found books and venue equal."),
    )

    strangers = models.JSONField(
        default=dict,
        editable=False,
        help_text=_(
            "Orders with trades on the account that are not in the journal: by symbol and the "
            "venue's id, the client order id. The venue is not asked for them again."
        ),
    )
    denials = models.JSONField(
        default=dict,
        editable=False,
        help_text=_(
            "Orders of which the venue lists trades, and says when asked for the order that it "
            "knows none, or that less of it was filled: by symbol and the venue's id, in how many "
            "comparisons it said so, when the last one began [ms], and what it says was filled, "
            "if it knows the order. It is asked for them less and less often."
        ),
    )

    activity = DocumentField(
        null=True,
        editable=False,
        help_text=_(
            "What the account's orders were doing at the last comparison, so that the next one "
            "reads only what is new; empty: all of them are read."
        ),
    )

    class Meta:
        verbose_name = _("reconciliation of an account")
        verbose_name_plural = _("reconciliations of accounts")
        ordering = ["account_id"]

    def __str__(self) -> str:
        return str(self.account)


class ReconciliationRun(models.Model):
    """One comparison of one account with everything that its venue tells."""

    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.CASCADE,
        db_index=False,  # the index below begins with it
        related_name="+",
        verbose_name=_("account"),
    )
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"))
    outcome = models.CharField(_("outcome"), max_length=12, choices=RunOutcomeChoice)
    booked_count = models.PositiveIntegerField(_("booked"), default=0)
    unsolved_count = models.PositiveIntegerField(_("unsolved"), default=0)
    error_code = models.PositiveIntegerField(_("error code"), null=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["account", "started_at"]),
            models.Index(fields=["started_at"], name="reconciliation_run_started"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.account}"

    def to_error(self) -> Message:
        """Return what went wrong, still to be translated; empty if nothing did."""
        return read_sentence(self.error)


class Discrepancy(models.Model):
    """Something on which books and venue disagree, or that happened without the platform."""

    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        db_index=False,  # the constraint below begins with it
        related_name="discrepancies",
        verbose_name=_("account"),
    )
    kind = models.CharField(_("kind"), max_length=24, choices=DiscrepancyKindChoice)
    subject = models.CharField(_("subject"), max_length=160)
    state = models.CharField(
        _("state"),
        max_length=12,
        choices=DiscrepancyStateChoice,
        default=DiscrepancyStateChoice.OPEN,
        db_index=True,
    )
    asset = models.CharField(_("asset"), max_length=32, blank=True)
    wallet = models.CharField(_("wallet"), max_length=16, choices=WalletChoice, blank=True)
    booked = AmountField(_("by the books"), null=True)
    stated = AmountField(_("by the venue"), null=True)
    template = models.TextField(_("explanation"))
    context = models.JSONField(_("context"), default=dict)
    evidence = models.JSONField(_("evidence"), default=dict)
    is_grave = models.BooleanField(_("alarms at once"), default=False)
    seen_count = models.PositiveIntegerField(_("times seen"), default=1)
    first_seen_at = models.DateTimeField(_("first seen at"))
    last_seen_at = models.DateTimeField(_("last seen at"), db_index=True)
    closed_at = models.DateTimeField(_("ended at"), null=True)
    entry = models.ForeignKey(
        Entry,
        on_delete=models.PROTECT,
        null=True,
        related_name="discrepancies",
        verbose_name=_("ledger entry"),
    )
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("acknowledged by"),
    )
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True)
    note = models.TextField(_("note"), blank=True)

    class Meta:
        verbose_name = _("discrepancy")
        verbose_name_plural = _("discrepancies")
        ordering = ["-last_seen_at", "-id"]
        indexes = [models.Index(fields=["closed_at"], name="discrepancy_closed")]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                condition=Q(state__in=sorted(ACTIVE_STATES)),
                name="discrepancy_unique_active",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.account} {self.subject}"

    def to_message(self) -> Message:
        """Return the explanation, still to be translated and filled in."""
        return message_from_json({"template": self.template, "context": self.context})

    def to_note(self) -> Message:
        """Return what a person says it is: as typed, or a sentence still to be translated."""
        return read_reason(self.note)
