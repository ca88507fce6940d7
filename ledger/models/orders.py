"""The order journal."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import VenueAccount
from arbplatform.core.errors import Message
from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from arbplatform.persistence.sentences import read_sentence
from ledger.domain.orders import CANCELLABLE_STATES, LIVE_STATES, OrderState
from markets.domain.orders import (
    ORDER_KINDS,
    SIDES,
    TIMES_IN_FORCE,
    OrderKind,
    OrderRequest,
    Side,
    TimeInForce,
)
from markets.models import Market


class SideChoice(models.TextChoices):
    """``Side`` with labels."""

    BUY = Side.BUY.value, _("buy")
    SELL = Side.SELL.value, _("sell")


class OrderKindChoice(models.TextChoices):
    """``OrderKind`` with labels."""

    LIMIT = OrderKind.LIMIT.value, pgettext_lazy("kind of order", "limit")
    MARKET = OrderKind.MARKET.value, pgettext_lazy("kind of order", "market")


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
        VenueAccount,
        on_delete=models.PROTECT,
        db_index=False,  # the index below begins with it
        related_name="orders",
        verbose_name=_("account"),
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
    is_reducing = models.BooleanField(
        _("reducing"), default=False, help_text=_("It brings an exposure down.")
    )
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
    cancel_requested_at = models.DateTimeField(
        _("cancellation asked for at"),
        null=True,
        help_text=_("Until the venue shows that the order has ended, its cancellation is pending."),
    )
    next_lookup_at = models.DateTimeField(
        _("next look-up at"),
        null=True,
        help_text=_("Empty: nothing is left to be learned about this order."),
    )

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["account", "venue_order_id"]),
            # few orders are alive or due at a time, however many there are
            models.Index(
                fields=["strategy"],
                condition=models.Q(state__in=sorted(state.value for state in LIVE_STATES)),
                name="order_live",
            ),
            models.Index(
                fields=["next_lookup_at"],
                condition=models.Q(next_lookup_at__isnull=False),
                name="order_due",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_side_display()} {self.market}"

    @property
    def is_cancelling(self) -> bool:
        """Whether a cancellation is pending: asked for, and not yet seen at the venue."""
        return self.cancel_requested_at is not None and self.state in CANCELLABLE_STATES

    def to_error(self) -> Message:
        """Return what went wrong, still to be translated; empty if nothing did."""
        return read_sentence(self.error)

    def to_request(self) -> OrderRequest:
        """Return what is sent to the venue; reads the market."""
        return OrderRequest(
            symbol=self.market.symbol,
            side=SIDES[self.side],
            quantity=self.quantity,
            client_order_id=self.client_order_id,
            kind=ORDER_KINDS[self.kind],
            price=self.price,
            time_in_force=TIMES_IN_FORCE[self.time_in_force],
        )
