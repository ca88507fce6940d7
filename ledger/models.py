"""The order journal, fills, the double-entry ledger, logs and equity."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Transfer, VenueAccount, WalletChoice
from arbplatform.core.errors import Message
from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from ledger.domain.orders import OrderState
from ledger.domain.postings import Book
from markets.domain.orders import OrderKind, OrderRequest, Side, TimeInForce
from markets.models import Asset, Market


class SideChoice(models.TextChoices):
    """``Side`` with labels."""

    BUY = Side.BUY.value, _("buy")
    SELL = Side.SELL.value, _("sell")


class OrderKindChoice(models.TextChoices):
    """``OrderKind`` with labels."""

    LIMIT = OrderKind.LIMIT.value, _("limit")
    MARKET = OrderKind.MARKET.value, _("market")


class TimeInForceChoice(models.TextChoices):
    """``TimeInForce`` with labels."""

    GTC = TimeInForce.GTC.value, _("good till cancelled")
    IOC = TimeInForce.IOC.value, _("immediate or cancel")
    FOK = TimeInForce.FOK.value, _("fill or kill")
    POST_ONLY = TimeInForce.POST_ONLY.value, _("post only")


class OrderStateChoice(models.TextChoices):
    """``OrderState`` with labels."""

    PENDING = OrderState.PENDING.value, _("pending")
    SUBMITTING = OrderState.SUBMITTING.value, _("submitting")
    OPEN = OrderState.OPEN.value, _("open")
    FILLED = OrderState.FILLED.value, _("filled")
    CANCELED = OrderState.CANCELED.value, _("cancelled")
    REJECTED = OrderState.REJECTED.value, _("rejected")
    UNKNOWN = OrderState.UNKNOWN.value, _("unknown")


class Order(TimestampedModel):
    """One row of the journal: committed before the venue is told."""

    client_order_id = models.CharField(_("client order id"), max_length=36, unique=True)
    account = models.ForeignKey(
        VenueAccount, on_delete=models.PROTECT, related_name="orders", verbose_name=_("account")
    )
    market = models.ForeignKey(
        Market, on_delete=models.PROTECT, related_name="orders", verbose_name=_("market")
    )
    strategy = models.ForeignKey(
        "strategies.Strategy",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("strategy"),
    )
    execution = models.ForeignKey(
        "strategies.Execution",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("execution"),
    )
    leg_index = models.PositiveSmallIntegerField(_("leg"), default=0)
    side = models.CharField(_("side"), max_length=4, choices=SideChoice)
    kind = models.CharField(
        _("kind"), max_length=8, choices=OrderKindChoice, default=OrderKindChoice.LIMIT
    )
    time_in_force = models.CharField(
        _("time in force"), max_length=12, choices=TimeInForceChoice, default=TimeInForceChoice.IOC
    )
    quantity = AmountField(_("quantity"))
    price = AmountField(_("limit price"), null=True, blank=True)
    state = models.CharField(
        _("state"),
        max_length=12,
        choices=OrderStateChoice,
        default=OrderStateChoice.PENDING,
        db_index=True,
    )
    venue_order_id = models.CharField(_("venue order id"), max_length=64, blank=True)
    filled_quantity = AmountField(_("filled quantity"), default=0)
    filled_cost = AmountField(_("filled cost"), default=0)
    error_code = models.PositiveIntegerField(_("error code"), null=True)
    error = models.TextField(_("error"), blank=True)
    submitted_at = models.DateTimeField(_("submitted at"), null=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    lookup_count = models.PositiveIntegerField(_("look-ups"), default=0)
    miss_count = models.PositiveIntegerField(
        _("misses"), default=0, help_text=_("Look-ups in which the venue showed no trace of it.")
    )
    first_missed_at = models.DateTimeField(_("first missed at"), null=True)
    next_lookup_at = models.DateTimeField(
        _("next look-up at"),
        null=True,
        db_index=True,
        help_text=_("Empty: nothing is left to be learned about this order."),
    )

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        indexes = [models.Index(fields=["account", "venue_order_id"])]

    def __str__(self) -> str:
        return f"#{self.pk} {self.side} {self.market}"

    def to_request(self) -> OrderRequest:
        """Return what is sent to the venue; reads the market."""
        return OrderRequest(
            symbol=self.market.symbol,
            side=Side(self.side),
            quantity=self.quantity,
            client_order_id=self.client_order_id,
            kind=OrderKind(self.kind),
            price=self.price,
            time_in_force=TimeInForce(self.time_in_force),
        )


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
    memo = models.CharField(_("memo"), max_length=200, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"), db_index=True)
    created_at = models.DateTimeField(_("booked at"), auto_now_add=True)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ["-id"]
        indexes = [models.Index(fields=["strategy", "occurred_at"])]

    def __str__(self) -> str:
        return self.key


class BookKind(models.TextChoices):
    """``Book`` with labels."""

    WALLET = Book.WALLET.value, _("wallet")
    IN_TRANSIT = Book.IN_TRANSIT.value, _("in transit")
    TRADING = Book.TRADING.value, _("trading")
    TRADING_FEES = Book.TRADING_FEES.value, _("trading fees")
    NETWORK_FEES = Book.NETWORK_FEES.value, _("network fees")
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


class LogLevel(models.IntegerChoices):
    """Severity, with Python's numbers."""

    DEBUG = 10, _("debug")
    INFO = 20, _("info")
    WARNING = 30, _("warning")
    ERROR = 40, _("error")


class LogEntry(models.Model):
    """One line of a strategy's log, or of the platform's when it has no strategy."""

    strategy = models.ForeignKey(
        "strategies.Strategy",
        on_delete=models.CASCADE,
        null=True,
        related_name="logs",
        verbose_name=_("strategy"),
    )
    level = models.PositiveSmallIntegerField(_("level"), choices=LogLevel, default=LogLevel.INFO)
    event = models.SlugField(_("event"), max_length=64)
    template = models.TextField(_("message"))
    context = models.JSONField(_("context"), default=dict)
    created_at = models.DateTimeField(_("time"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        ordering = ["-id"]
        indexes = [models.Index(fields=["strategy", "-id"])]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S} {self.event}"

    def to_message(self) -> Message:
        """Return the sentence, still to be translated and filled in."""
        return Message(self.template, self.context)


class AssetPrice(models.Model):
    """What one unit of an asset was last worth in the reporting asset."""

    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("asset")
    )
    reporting_asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("reporting asset")
    )
    price = AmountField(_("price"))
    source = models.CharField(_("source"), max_length=200)
    priced_at = models.DateTimeField(_("priced at"))

    class Meta:
        verbose_name = _("asset price")
        verbose_name_plural = _("asset prices")
        ordering = ["asset_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "reporting_asset"], name="asset_price_unique_pair"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset.code} {self.price} {self.reporting_asset.code}"


class EquitySnapshot(models.Model):
    """What everything was worth at one moment."""

    taken_at = models.DateTimeField(_("taken at"), db_index=True)
    reporting_asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("reporting asset")
    )
    total = AmountField(_("total"), help_text=_("In the reporting asset."))
    realised_pnl = AmountField(
        _("realised PnL"), help_text=_("Of all strategies since the start, in reporting asset.")
    )
    breakdown = models.JSONField(
        _("breakdown"),
        default=list,
        help_text=_("Rows of venue, asset, amount, price and value; price null: not valued."),
    )

    class Meta:
        verbose_name = _("equity snapshot")
        verbose_name_plural = _("equity snapshots")
        ordering = ["-taken_at"]

    def __str__(self) -> str:
        return f"{self.taken_at:%Y-%m-%d %H:%M:%S}"
