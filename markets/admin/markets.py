"""Assets and markets in the console."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, plain
from markets.admin.feeds import FeedPage
from markets.models import Asset, Market


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
    """Coins and currencies; they come with the markets."""

    list_display = ("code", "name", "created_at")
    search_fields = ("code", "name")
    empty_hint = _("Assets come with the markets of the first venue.")


@admin.register(Market)
class MarketAdmin(FeedPage):
    """Markets with their rules, as the venues state them."""

    list_display = (
        "symbol",
        "venue",
        "show_active",
        "show_tick",
        "show_lot",
        "show_quantity_min",
        "show_notional_min",
        "show_fees",
        "fee_mode",
    )
    fields = (
        "symbol",
        "venue",
        "base",
        "quote",
        "show_active",
        "show_tick",
        "show_lot",
        "show_quantity_min",
        "show_quantity_max",
        "show_notional_min",
        "show_fees",
        "fee_mode",
        "synced_at",
    )
    readonly_fields = fields
    empty_hint = _("Markets are read from venues: add a venue, or synchronise one that is there.")
    list_filter = ("venue", "is_active", "fee_mode")
    list_select_related = ("venue",)
    search_fields = ("symbol", "venue__code")
    search_help_text = _("Symbol or venue")

    @display(description=_("active"), boolean=True, ordering="is_active")
    def show_active(self, market: Market) -> bool:
        """Show whether the venue trades it now."""
        return market.is_active

    @display(description=_("tick"), ordering="tick")
    def show_tick(self, market: Market) -> str:
        """Show the price grid."""
        return plain(market.tick)

    @display(description=_("lot"), ordering="lot")
    def show_lot(self, market: Market) -> str:
        """Show the quantity grid."""
        return plain(market.lot)

    @display(description=_("minimum quantity"), ordering="quantity_min")
    def show_quantity_min(self, market: Market) -> str:
        """Show the smallest order."""
        return plain(market.quantity_min)

    @display(description=_("maximum quantity"))
    def show_quantity_max(self, market: Market) -> str:
        """Show the largest order."""
        return plain(market.quantity_max)

    @display(description=_("minimum notional"), ordering="notional_min")
    def show_notional_min(self, market: Market) -> str:
        """Show the smallest quantity times price."""
        return plain(market.notional_min)

    @display(description=_("maker / taker fee"), ordering="taker_fee")
    def show_fees(self, market: Market) -> str:
        """Show the fees of resting and of crossing orders [%]."""
        return f"{plain(market.maker_fee * 100)} % / {plain(market.taker_fee * 100)} %"
