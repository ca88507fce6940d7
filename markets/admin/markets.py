"""Assets and markets in the console."""

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, plain
from arbplatform.core.decimals import Fraction
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
        "show_own_fees",
        "own_fees_at",
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
        return _say_fees(market.maker_fee, market.taker_fee)

    @display(description=_("own maker / taker fee"))
    def show_own_fees(self, market: Market) -> str:
        """Show the highest fees that the venue told for an account of ours [%]."""
        if market.own_maker_fee is None or market.own_taker_fee is None:
            return gettext("not told by the venue: the list's fees are planned with")
        return _say_fees(market.own_maker_fee, market.own_taker_fee)


def _say_fees(maker: Fraction, taker: Fraction) -> str:
    return f"{plain(maker * 100)} % / {plain(taker * 100)} %"
