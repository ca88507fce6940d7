"""The double-entry books: entries with their postings, and running totals."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Transfer, VenueAccount, WalletChoice
from arbplatform.core.errors import Message
from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.sentences import read_reason
from ledger.domain.postings import Book
from markets.models import Asset


class EntryKind(models.TextChoices):
    """Why an entry was booked."""

    OPENING = "opening", _("opening balance")
    FILL = "fill", _("fill")
    FEE = "fee", _("late fee")
    TRANSFER = "transfer", _("wallet transfer")
    TRANSFER_OUT = "transfer_out", _("transfer departed")
    TRANSFER_IN = "transfer_in", _("transfer arrived")
    EXTERNAL = "external", _("external movement")
    REVERSAL = "reversal", _("reversal")


class Entry(models.Model):
    """One balanced event. Inserted once, never changed: a correction is a new entry."""

    key = models.CharField(_("key"), max_length=128, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=EntryKind)
    strategy = models.ForeignKey(
        "strategies.Strategy",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,  # the index below begins with it
        related_name="entries",
        verbose_name=_("strategy"),
    )
    execution = models.ForeignKey(
        "strategies.Execution",
        on_delete=models.PROTECT,
        null=True,
        related_name="entries",
        verbose_name=_("execution"),
    )
    transfer = models.ForeignKey(
        Transfer,
        on_delete=models.PROTECT,
        null=True,
        related_name="entries",
        verbose_name=_("transfer"),
    )
    reverses = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="reversed_by",
        verbose_name=_("reverses"),
    )
    memo = models.TextField(_("memo"), blank=True)
    occurred_at = models.DateTimeField(_("occurred at"), db_index=True)
    created_at = models.DateTimeField(_("booked at"), auto_now_add=True)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ["-id"]
        indexes = [models.Index(fields=["strategy", "occurred_at"])]

    def __str__(self) -> str:
        return self.key

    def to_memo(self) -> Message:
        """Return what it is about: as typed, or a sentence still to be translated."""
        return read_reason(self.memo)


class BookKind(models.TextChoices):
    """``Book`` with labels."""

    WALLET = Book.WALLET.value, _("wallet")
    IN_TRANSIT = Book.IN_TRANSIT.value, _("in transit")
    TRADING = Book.TRADING.value, _("trading")
    TRADING_FEES = Book.TRADING_FEES.value, _("trading fees")
    NETWORK_FEES = Book.NETWORK_FEES.value, _("network fees")
    LOSSES = Book.LOSSES.value, _("losses")
    CAPITAL = Book.CAPITAL.value, _("capital")
    EXTERNAL = Book.EXTERNAL.value, _("external")


class Posting(models.Model):
    """One line of an entry. The lines of an entry sum to zero in every asset."""

    entry = models.ForeignKey(
        Entry, on_delete=models.PROTECT, related_name="postings", verbose_name=_("entry")
    )
    book = models.CharField(_("ledger account"), max_length=16, choices=BookKind)
    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,  # the index below begins with it
        related_name="postings",
        verbose_name=_("venue account"),
    )
    wallet = models.CharField(_("wallet"), max_length=16, choices=WalletChoice, blank=True)
    asset = models.ForeignKey(
        Asset,
        on_delete=models.PROTECT,
        db_index=False,  # written twelve times a trade, and of little use: there are few assets
        related_name="+",
        verbose_name=_("asset"),
    )
    amount = AmountField(_("amount"))

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        ordering = ["id"]
        indexes = [models.Index(fields=["account", "asset"])]

    def __str__(self) -> str:
        return f"{self.book} {self.amount} {self.asset.code}"


class BookTotal(models.Model):
    """The running sum of the postings of one ledger account in one asset.

    Kept by a database trigger in the transaction of the posting (``migrations/0002_guards``), so
    that a balance is one row to read, however long the history.
    """

    key = models.CharField(max_length=64, unique=True)
    book = models.CharField(_("ledger account"), max_length=16, choices=BookKind)
    account = models.ForeignKey(
        VenueAccount,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("venue account"),
    )
    wallet = models.CharField(_("wallet"), max_length=16, choices=WalletChoice, blank=True)
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    total = AmountField(_("total"))

    class Meta:
        verbose_name = _("ledger account total")
        verbose_name_plural = _("ledger account totals")
        ordering = ["book", "account_id", "wallet", "asset_id"]

    def __str__(self) -> str:
        return self.key


class TradingDay(models.Model):
    """What trading moved of one asset on one UTC day for one strategy, fees included.

    Kept by the same trigger as ``BookTotal``: the sum of a strategy's postings to the trading and
    trading fee accounts, with the sign of the wallets.
    """

    key = models.CharField(max_length=64, unique=True)
    strategy = models.ForeignKey(
        "strategies.Strategy",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("strategy"),
    )
    day = models.DateField(_("day (UTC)"), db_index=True)
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    moved = AmountField(_("moved"))

    class Meta:
        verbose_name = _("trading day")
        verbose_name_plural = _("trading days")
        ordering = ["-day", "strategy_id", "asset_id"]

    def __str__(self) -> str:
        return self.key
