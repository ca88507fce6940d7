"""The pages of orders and of what they executed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from arbplatform.console.admin import (
    ReadOnlyAdmin,
    ReadOnlyInline,
    coloured,
    command_button,
    plain,
)
from arbplatform.core.errors import Message
from arbplatform.push.topics import TopicKind
from arbplatform.wording import render
from ledger.admin.forms import NoteForm
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import Fill, Order, OrderStateChoice, SideChoice
from ledger.selectors import list_fills, list_orders
from ledger.services.disowning import disown_order
from ledger.services.journal import cancel_order, resolve_unknown
from markets.errors import OtherOrderFound

STATE_LABELS = {
    OrderStateChoice.PENDING.value: "info",
    OrderStateChoice.SUBMITTING.value: "info",
    OrderStateChoice.OPEN.value: "info",
    OrderStateChoice.FILLED.value: "success",
    OrderStateChoice.CANCELED.value: "warning",
    OrderStateChoice.REJECTED.value: "danger",
    OrderStateChoice.UNKNOWN.value: "danger",
}
SIDE_LABELS = {SideChoice.BUY.value: "success", SideChoice.SELL.value: "danger"}


class FillColumns:
    """Columns of a trade with money as plain digits."""

    @display(description=_("side"), ordering="side")
    def show_side(self, fill: Fill) -> SafeString:
        """Show the side as a coloured label."""
        return coloured(fill.get_side_display(), SIDE_LABELS[fill.side])

    @display(description=_("price"), ordering="price")
    def show_price(self, fill: Fill) -> str:
        """Show the price."""
        return plain(fill.price)

    @display(description=_("quantity"), ordering="quantity")
    def show_quantity(self, fill: Fill) -> str:
        """Show the quantity."""
        return plain(fill.quantity)

    @display(description=_("cost"), ordering="cost")
    def show_cost(self, fill: Fill) -> str:
        """Show what it cost or brought."""
        return plain(fill.cost)

    @display(description=_("fee"))
    def show_fee(self, fill: Fill) -> Any:
        """Show the fee with its asset, also if it was stated late."""
        if fill.known_fee is None:
            return _("not stated yet")
        return f"{plain(fill.known_fee)} {fill.known_fee_asset or ''}".strip()


class FillInline(FillColumns, ReadOnlyInline):
    """What the order executed."""

    model = Fill
    tab = True
    fk_name = "order"
    fields = (
        "executed_at",
        "venue_trade_id",
        "show_price",
        "show_quantity",
        "show_cost",
        "show_fee",
        "is_maker",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fill]:
        """Return trades with what their columns need."""
        return list_fills()


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """The order journal."""

    inlines = (FillInline,)
    list_display = (
        "id",
        "created_at",
        "show_state",
        "strategy",
        "account",
        "show_symbol",
        "show_side",
        "show_quantity",
        "show_price",
        "show_filled",
        "show_error",
    )
    empty_hint = _(
        "Orders appear as soon as a strategy trades. Start one; its page says why it does not "
        "trade."
    )
    list_filter = (
        "state",
        "side",
        "account__venue",
        "strategy",
        ("created_at", RangeDateTimeFilter),
    )
    list_before_template = "console/live_list.html"
    live_topics = TopicKind.EXECUTIONS.value
    search_fields = ("client_order_id", "venue_order_id", "market__symbol", "strategy__name")
    actions = ("look_up_selected", "cancel_selected")
    actions_detail = ("look_up_one", "cancel_one", "disown_one")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "show_state",
                    "strategy",
                    "execution",
                    "show_leg",
                    "account",
                    "market",
                    "show_side",
                    "kind",
                    "time_in_force",
                    "show_quantity",
                    "show_price",
                    "show_filled",
                    "show_filled_cost",
                )
            },
        ),
        (
            _("At the venue"),
            {
                "fields": (
                    "client_order_id",
                    "venue_order_id",
                    "submitted_at",
                    "acknowledged_at",
                    "cancel_requested_at",
                    "finished_at",
                    "error_code",
                    "show_error",
                )
            },
        ),
        (
            _("Look-ups"),
            {"fields": ("lookup_count", "miss_count", "first_missed_at", "next_lookup_at")},
        ),
    )
    readonly_fields = (
        "show_state",
        "show_side",
        "show_quantity",
        "show_price",
        "show_filled",
        "show_filled_cost",
        "show_error",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Return orders with what their columns need."""
        return list_orders().select_related("execution")

    def is_offered(self, action: str, row: Order) -> bool:
        """Offer to ask the venue only about orders whose end is not known."""
        if action == "disown_one":
            is_other_there = row.error_code == OtherOrderFound.code
            return row.state == OrderStateChoice.UNKNOWN and is_other_there
        return OrderState(row.state) in LIVE_STATES

    def has_operate_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        """Return whether the person may ask venues about orders."""
        return request.user.has_perm("ledger.change_order")

    def has_decide_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        """Return whether the person's word about what the venue has may be taken."""
        return request.user.has_perm("ledger.add_entry")

    @display(description=_("state"), ordering="state")
    def show_state(self, order: Order) -> SafeString:
        """Show the state as a coloured label."""
        text = _("cancellation pending") if order.is_cancelling else order.get_state_display()
        return coloured(text, STATE_LABELS[order.state])

    @display(description=_("side"), ordering="side")
    def show_side(self, order: Order) -> SafeString:
        """Show the side as a coloured label."""
        return coloured(order.get_side_display(), SIDE_LABELS[order.side])

    @display(description=_("leg"))
    def show_leg(self, order: Order) -> int:
        """Show which leg of its execution it is, counted from 1."""
        return order.leg_index + 1

    @display(description=_("symbol"), ordering="market__symbol")
    def show_symbol(self, order: Order) -> str:
        """Show the symbol; the account names the venue."""
        return order.market.symbol

    @display(description=_("quantity"), ordering="quantity")
    def show_quantity(self, order: Order) -> str:
        """Show what was ordered."""
        return plain(order.quantity)

    @display(description=_("limit price"), ordering="price")
    def show_price(self, order: Order) -> str:
        """Show the limit."""
        return plain(order.price)

    @display(description=_("filled quantity"), ordering="filled_quantity")
    def show_filled(self, order: Order) -> str:
        """Show what was executed."""
        return plain(order.filled_quantity)

    @display(description=_("filled cost"))
    def show_filled_cost(self, order: Order) -> str:
        """Show what the executed part cost or brought."""
        return plain(order.filled_cost)

    @display(description=_("error"))
    def show_error(self, order: Order) -> str:
        """Show what went wrong, in the reader's language."""
        return render(order.to_error())

    @admin.action(description=_("Look up now"), permissions=["operate"])
    def look_up_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Ask the venues what became of the chosen orders."""
        self.apply(request, queryset, look_up)

    @admin.action(description=_("Cancel"), permissions=["operate"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Ask the venues to cancel the chosen orders."""
        self.apply(request, queryset, cancel)

    @command_button(
        description=_("Look up now"),
        question=_("The venue is asked what became of the order. Nothing is sent again."),
        icon="travel_explore",
        permissions=("operate",),
    )
    def look_up_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Ask the venue what became of the order."""
        return self.apply_to_one(request, object_id, look_up)

    @command_button(
        description=_("Cancel"),
        question=_("The venue is asked to cancel the order; what it filled before stays booked."),
        icon="cancel",
        permissions=("operate",),
    )
    def cancel_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Ask the venue to cancel the order."""
        return self.apply_to_one(request, object_id, cancel)

    @command_button(
        description=_("It never came to be"),
        question=_(
            "Another order bears its client id at the venue. You have looked there and are sure "
            "that ours is not there: it is ended, and what is set aside for it is free again. The "
            "venue is asked once more before."
        ),
        icon="link_off",
        permissions=("decide",),
        form_class=NoteForm,
    )
    def disown_one(self, request: HttpRequest, form: NoteForm, object_id: str) -> HttpResponse:
        """End the order by the person's word."""
        note = form.cleaned_data["note"]

        def command(order: Order) -> Message:
            done = disown_order(order_id=order.pk, note=note, user=request.user)
            self.log_change(request, order, note)
            return _tell_state(done)

        return self.apply_to_one(request, object_id, command, form=form)


@admin.register(Fill)
class FillAdmin(FillColumns, ReadOnlyAdmin):
    """What orders executed."""

    list_display = (
        "executed_at",
        "strategy",
        "account",
        "show_symbol",
        "show_side",
        "show_quantity",
        "show_price",
        "show_cost",
        "show_fee",
        "order",
    )
    empty_hint = _("Trades appear as soon as an order of a strategy is executed. Start a strategy.")
    list_filter = (
        "side",
        "account__venue",
        "strategy",
        "market__symbol",
        ("executed_at", RangeDateTimeFilter),
    )
    list_before_template = "console/live_list.html"
    live_topics = TopicKind.EXECUTIONS.value
    search_fields = ("venue_trade_id", "order__client_order_id", "market__symbol", "strategy__name")
    fields = (
        "executed_at",
        "strategy",
        "account",
        "market",
        "order",
        "entry",
        "show_side",
        "show_quantity",
        "show_price",
        "show_cost",
        "show_fee",
        "is_maker",
        "venue_trade_id",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fill]:
        """Return trades with what their columns need.

        Orders come by queries of their own: one join more, and SQLite sorts all trades there are.
        """
        return list_fills().prefetch_related("order__market__venue")

    @display(description=_("symbol"), ordering="market__symbol")
    def show_symbol(self, fill: Fill) -> str:
        """Show the symbol; the account names the venue."""
        return fill.market.symbol


def look_up(order: Order) -> Message:
    """Look an order up and say what it is."""
    return _tell_state(resolve_unknown(order_id=order.pk))


def cancel(order: Order) -> Message:
    """Cancel an order and say what it is."""
    return _tell_state(cancel_order(order_id=order.pk))


def _tell_state(order: Order) -> Message:
    label = OrderStateChoice(order.state).label
    if OrderState(order.state) is OrderState.UNKNOWN:
        return Message("Still {state}: {cause}", {"state": label, "cause": order.to_error()})
    return Message("It is {state}.", {"state": label})
