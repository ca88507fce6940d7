"""The pages of risk limits: set them, and see who changed what."""

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from arbplatform.authors import say_author
from arbplatform.console.admin import ReadOnlyAdmin
from arbplatform.console.limits import LimitsAdmin
from strategies.domain.risk import Limits
from strategies.models import RiskLimits, RiskLimitsChange
from strategies.selectors import list_limit_changes
from strategies.services.risk import LIMIT_NAMES, save_limits


@admin.register(RiskLimits)
class RiskLimitsAdmin(LimitsAdmin):
    """The defaults for all strategies, and what one of them has instead."""

    list_display = ("__str__", "show_limits", "updated_at")
    list_select_related = ("strategy",)
    limit_names = LIMIT_NAMES
    owner = "strategy"
    fields = ("strategy", *LIMIT_NAMES)
    empty_hint = _(
        "No limits of yours yet: what holds is that edges above 1,000 bps and an eleventh open "
        "execution of a strategy are refused. Add a row without a strategy for all of them."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskLimits]:
        """Return all limits, the defaults first."""
        return RiskLimits.objects.select_related("strategy").order_by("key")

    def list_history(self, row: RiskLimits) -> list[RiskLimitsChange]:
        """Return who changed them."""
        return list_limit_changes(row.key)

    def store(self, request: HttpRequest, row: RiskLimits, form: "ModelForm[RiskLimits]") -> None:
        """Save through the service."""
        values = {name: form.cleaned_data[name] for name in LIMIT_NAMES}
        strategy_id = row.strategy_id
        row.pk = save_limits(strategy_id=strategy_id, limits=Limits(**values), user=request.user).pk


@admin.register(RiskLimitsChange)
class RiskLimitsChangeAdmin(ReadOnlyAdmin):
    """Who changed which limits, when, from what to what."""

    list_display = ("changed_at", "show_name", "show_change", "show_author")
    empty_hint = _(
        "Whoever changes risk limits is written down here, with the limits before and after."
    )
    list_filter = (("changed_at", RangeDateTimeFilter),)
    search_fields = ("name", "changed_by")
    date_hierarchy = "changed_at"
    fields = list_display
    readonly_fields = fields

    @display(description=_("strategy"), ordering="name")
    def show_name(self, change: RiskLimitsChange) -> str:
        """Show whose limits they are."""
        return change.name or str(_("defaults"))

    @display(description=_("changed by"), ordering="changed_by")
    def show_author(self, change: RiskLimitsChange) -> str:
        """Show who did it."""
        return say_author(change.changed_by)

    @display(description=_("change"))
    def show_change(self, change: RiskLimitsChange) -> SafeString:
        """Show each limit that changed: before and after."""
        rows = (
            (
                _title(name),
                _shown(change.before.get(name)),
                _shown(value),
            )
            for name, value in change.after.items()
            if value != change.before.get(name)
        )
        return format_html_join("; ", "{}: {} → {}", rows)


def _title(name: str) -> str:
    return str(RiskLimits._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def _shown(value: object) -> str:
    return "–" if value is None else str(value)
