"""Venues in the console."""

import json
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import PlatformAdmin, command_button, plain
from arbplatform.core.errors import Message
from arbplatform.wording import render
from markets.admin.faults import FaultPages
from markets.admin.forms import VenueForm
from markets.domain.capabilities import Capabilities, ClientIdLookup
from markets.domain.venue_options import mask_options
from markets.models import FeeModeChoice, Venue, VenueStateChoice
from markets.selectors import list_venues
from markets.services.budgets import BudgetState, read_budget
from markets.services.health import lift_block
from markets.services.markets import sync_markets
from markets.services.reach import measure_reach
from markets.services.shared_pulses import list_bystanders
from markets.services.venues import (
    check_unused,
    create_venue,
    delete_venue,
    update_venue,
)

STATE_LABELS = {
    **dict.fromkeys(VenueStateChoice.values, "warning"),
    **dict.fromkeys((VenueStateChoice.BANNED.value, VenueStateChoice.BLOCKED.value), "danger"),
    VenueStateChoice.HEALTHY.value: "success",
}


@admin.register(Venue)
class VenueAdmin(FaultPages, PlatformAdmin):
    """Exchanges, real or simulated."""

    form = VenueForm
    list_display = (
        "code",
        "ccxt_id",
        "show_enabled",
        "show_state",
        "show_trading",
        "show_markets",
        "show_rest_origin",
        "synced_at",
        "show_error",
    )
    empty_hint = _("Add the exchanges you want to trade on. Their markets are read by themselves.")
    list_filter = ("is_enabled", "state", "ccxt_id")
    search_fields = ("code", "name", "ccxt_id")
    readonly_fields = (
        "show_state_text",
        "show_state_reason",
        "show_bystanders",
        "state_since",
        "state_until",
        "show_trading_text",
        "show_capabilities",
        "show_budget",
        "show_clock",
        "synced_at",
        "show_sync_error",
        "show_rest_origin",
        "show_ws_origin",
        "show_options",
        "created_at",
        "updated_at",
    )
    fieldsets = (
        (None, {"fields": ("code", "name", "ccxt_id", "is_enabled")}),
        (
            _("Where it is"),
            {
                "fields": ("rest_origin", "ws_origin", "options"),
                "description": _(
                    "Set the origins for testnets, proxies, simulated and self-hosted venues: "
                    "scheme, host, port and path prefix of every address are replaced by them."
                ),
            },
        ),
        (
            _("Condition"),
            {
                "fields": (
                    "show_state_text",
                    "show_state_reason",
                    "state_since",
                    "state_until",
                    "show_bystanders",
                    "show_trading_text",
                    "show_capabilities",
                    "show_budget",
                    "show_clock",
                )
            },
        ),
        (
            _("Synchronisation"),
            {"fields": ("synced_at", "show_sync_error", "created_at", "updated_at")},
        ),
    )
    actions = ("sync_selected", "test_selected")
    actions_row = ("sync_one", "test_one")
    actions_detail = ("sync_one", "test_one", "unblock_one")

    def is_offered(self, action: str, row: Venue) -> bool:
        """Offer to lift a block where there is one."""
        return action != "unblock_one" or row.state == VenueStateChoice.BLOCKED

    def get_queryset(self, request: HttpRequest) -> QuerySet[Venue]:
        """Return venues with the number of their active markets."""
        return list_venues()

    def get_fieldsets(self, request: HttpRequest, obj: Venue | None = None) -> Any:
        """Leave out what is only known of a venue that is there; show readers masked options."""
        first, place, *others = self.fieldsets
        if obj is None:
            return (first, place)
        if not self.has_change_permission(request, obj):
            shown = ("show_rest_origin", "show_ws_origin", "show_options")
            place = (place[0], {**place[1], "fields": shown})
        return (first, place, *others)

    def get_readonly_fields(self, request: HttpRequest, obj: Venue | None = None) -> Any:
        """Keep the code of an existing venue: strategies name venues by it."""
        return (*self.readonly_fields, "code") if obj else self.readonly_fields

    def get_actions(self, request: HttpRequest) -> Any:
        """Leave out Django's bulk deletion, which would pass by the service."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @display(description=_("enabled"), boolean=True, ordering="is_enabled")
    def show_enabled(self, venue: Venue) -> bool:
        """Show whether the venue may be used."""
        return venue.is_enabled

    @display(description=_("markets"), ordering="market_count")
    def show_markets(self, venue: Any) -> int:
        """Show how many active markets it has."""
        count: int = venue.market_count
        return count

    @display(description=_("health"), ordering="state", label=STATE_LABELS)
    def show_state(self, venue: Venue) -> Any:
        """Show how the venue is as a coloured label."""
        return venue.state, venue.get_state_display()

    @display(description=_("health"))
    def show_state_text(self, venue: Venue) -> str:
        """Show the same on the venue's own page, where there are no coloured labels."""
        return str(venue.get_state_display())

    @display(description=_("reason of the state"))
    def show_state_reason(self, venue: Venue) -> str:
        """Show why it is in its state, in the reader's language."""
        return render(venue.to_state_reason()) or "–"

    @display(description=_("REST origin"), ordering="rest_origin")
    def show_rest_origin(self, venue: Venue) -> str:
        """Show where it is, without a password that was typed into the address long ago."""
        return str(mask_options(venue.rest_origin)) or "–"

    @display(description=_("WebSocket origin"))
    def show_ws_origin(self, venue: Venue) -> str:
        """Show the same of its streams."""
        return str(mask_options(venue.ws_origin)) or "–"

    @display(description=_("options"))
    def show_options(self, venue: Venue) -> str:
        """Show its options to those who may not change them, passwords masked."""
        return json.dumps(mask_options(venue.options), ensure_ascii=False)

    @display(description=_("for web and scanner alone"))
    def show_bystanders(self, venue: Venue) -> str:
        """Show what the venue does to processes whose calls do not count for its state."""
        if not venue.code:  # the form of a new one
            return "-"
        told = [f"{name}: {render(cause)}" for name, cause in list_bystanders(venue)]
        return "; ".join(told) or "–"

    @display(description=_("synchronisation"), label={True: "danger", False: "success"})
    def show_error(self, venue: Venue) -> tuple[bool, Any]:
        """Show whether the last synchronisation worked."""
        if venue.sync_error:
            return True, _("synchronisation failed")
        return False, _("in order") if venue.synced_at else _("never synchronised")

    @display(description=_("last synchronisation error"))
    def show_sync_error(self, venue: Venue) -> str:
        """Show why the last synchronisation failed, in the reader's language."""
        return render(venue.to_sync_error()) or "–"

    @display(description=_("trading"), label={True: "success", False: "warning"})
    def show_trading(self, venue: Venue) -> tuple[bool, Any]:
        """Show whether strategies may trade there."""
        if venue.capabilities.is_certified:
            return True, _("certified")
        return venue.is_tradable, _("by operator") if venue.is_tradable else _("data only")

    @display(description=_("trading"))
    def show_trading_text(self, venue: Venue) -> str:
        """Show the same on the venue's own page."""
        return str(self.show_trading(venue)[1])

    @display(description=_("capabilities"))
    def show_capabilities(self, venue: Venue) -> str:
        """Show what venues of its class can do."""
        return describe(venue.capabilities)

    @display(description=_("rate budget"))
    def show_budget(self, venue: Venue) -> Any:
        """Show how much the venue still allows to this machine's address."""
        if not venue.code:  # the form of a new one
            return "-"
        budget = read_budget(venue)
        if budget.state is BudgetState.UNLIMITED:
            return _("not limited")
        if budget.state is BudgetState.LOCAL:
            return _("Redis is away: each process keeps to a quarter of the budget")
        shown = _("{free} % of requests, {orders} % of orders free")
        if budget.blocked_until is not None:
            shown = _("blocked by the venue until {until}; {free} % of requests free")
        return str(shown).format(
            free=budget.free_percent,
            orders=budget.orders_free_percent,
            until=budget.blocked_until
            and date_format(localtime(budget.blocked_until), "DATETIME_FORMAT"),
        )

    @display(description=_("clock offset"))
    def show_clock(self, venue: Venue) -> Any:
        """Show how far our clock is from the venue's, and whether that stops trading."""
        reading = venue.clock
        if reading is None:
            return _("not measured yet")
        shown = _("{offset} ms, measured at {time}")
        if not reading.is_safe:
            shown = _("{offset} ms, measured at {time}: orders and transfers are refused")
        return str(shown).format(
            offset=reading.offset_ms,
            time=date_format(localtime(venue.clock_measured_at), "DATETIME_FORMAT"),
        )

    @admin.action(description=_("Synchronise markets"), permissions=["change"])
    def sync_selected(self, request: HttpRequest, queryset: QuerySet[Venue]) -> None:
        """Synchronise the markets of the chosen venues."""
        self.apply(request, queryset, _sync)

    @admin.action(description=_("Test connection"), permissions=["change"])
    def test_selected(self, request: HttpRequest, queryset: QuerySet[Venue]) -> None:
        """Ask the chosen venues for their time."""
        self.apply(request, queryset, _test)

    @command_button(
        description=_("Synchronise markets"),
        question=_("Take over the markets and rules that the venue states now?"),
        icon="sync",
    )
    def sync_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Synchronise the markets of one venue."""
        return self.apply_to_one(request, object_id, _sync)

    @command_button(
        description=_("Test connection"),
        question=_("Ask the venue for its time?"),
        icon="network_check",
    )
    def test_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Ask one venue for its time."""
        return self.apply_to_one(request, object_id, _test)

    @command_button(
        description=_("Lift the block"),
        question=_("Do requests leave from a place that the venue serves now?"),
        icon="lock_open",
    )
    def unblock_one(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Let calls to a blocked venue go again."""
        return self.apply_to_one(request, object_id, _unblock)

    def save_model(self, request: HttpRequest, obj: Venue, form: Any, change: bool) -> None:
        """Save through the service."""
        if change:
            values = {name: form.cleaned_data[name] for name in form.changed_data}
            saved = update_venue(venue_id=obj.pk, **values)
        else:
            saved = create_venue(**form.cleaned_data)
        obj.__dict__.update(saved.__dict__)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let a venue take its markets along, though nobody may delete those one by one.

        Of what cannot be deleted the service says why before anybody confirms it.
        """
        for venue in objs:
            check_unused(venue)
        objects, counts, _missing, _protected = super().get_deleted_objects(objs, request)
        return objects, counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Venue) -> None:
        """Delete through the service."""
        delete_venue(venue_id=obj.pk)


def _sync(venue: Venue) -> Message:
    report = sync_markets(venue_id=venue.pk)
    return Message(
        "{total} markets: {added} added, {updated} updated, {deactivated} deactivated.",
        {
            "total": report.total,
            "added": report.added,
            "updated": report.updated,
            "deactivated": report.deactivated,
        },
    )


def _unblock(venue: Venue) -> Message:
    lift_block(venue_id=venue.pk)
    return Message("Requests to it go again.")


def _test(venue: Venue) -> Message:
    reach = measure_reach(venue_id=venue.pk)
    if reach.clock_offset_ms is None:
        return Message("It answered in {round_trip} ms.", {"round_trip": reach.round_trip_ms})
    return Message(
        "It answered in {round_trip} ms; our clock is {offset} ms ahead of its.",
        {"round_trip": reach.round_trip_ms, "offset": reach.clock_offset_ms},
    )


def describe(capabilities: Capabilities) -> str:
    """Return what a venue can do, for people."""
    yes_no = {True: _("yes"), False: _("no"), None: _("not known")}
    lookups = {
        ClientIdLookup.DIRECT: _("by our id"),
        ClientIdLookup.BY_SEARCH: _("by search in lists"),
        ClientIdLookup.UNKNOWN: _("not known"),
    }
    fee_mode = capabilities.fee_mode
    rows: tuple[tuple[Any, Any], ...] = (
        (_("order look-up"), lookups[capabilities.client_id_lookup]),
        (_("IOC"), yes_no[capabilities.has_ioc]),
        (_("FOK"), yes_no[capabilities.has_fok]),
        (_("post-only"), yes_no[capabilities.has_post_only]),
        (_("dead-man switch"), yes_no[capabilities.has_dead_man_switch]),
        (_("fee"), FeeModeChoice(fee_mode.value).label if fee_mode else yes_no[None]),
        (
            _("orders"),
            str(_("{count} in {seconds} s")).format(
                count=capabilities.order_limit.count,
                seconds=plain(Decimal(capabilities.order_limit.window_ms) / 1_000),
            ),
        ),
    )
    return "; ".join(f"{name}: {value}" for name, value in rows)
