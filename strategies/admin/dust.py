"""The page of dust: what finished executions left over, and what is best done about it."""

from collections.abc import Mapping

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, plain
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.decimals import Price
from arbplatform.wording import render
from ledger.selectors import list_prices
from strategies.admin.panel import brief
from strategies.models import Dust
from strategies.selectors import list_dust
from strategies.services.dust import advise_on


@admin.register(Dust)
class DustAdmin(ReadOnlyAdmin):
    """What the strategies have left over."""

    list_display = ("strategy", "asset", "show_amount", "show_worth", "show_advice", "updated_at")
    empty_hint = _("No execution has left anything over that is too small to be sold.")
    list_filter = ("strategy",)
    search_fields = ("strategy__name", "asset__code")
    fields = list_display

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dust]:
        """Return what is not nothing."""
        return list_dust().order_by("strategy__name", "asset__code")

    @display(description=_("amount"))
    def show_amount(self, row: Dust) -> str:
        """Show every digit of the amount."""
        return plain(row.amount)

    @display(description=_("worth"))
    def show_worth(self, row: Dust) -> str:
        """Show what it is worth in the reporting asset."""
        return brief(advise_on(row, _prices()).worth)

    @display(description=_("advice"))
    def show_advice(self, row: Dust) -> str:
        """Show what is best done about it."""
        return render(advise_on(row, _prices()).message)


def _prices() -> Mapping[str, Price]:
    return list_prices(now=SYSTEM_CLOCK.now())
