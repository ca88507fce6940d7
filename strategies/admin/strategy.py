"""The page of a strategy: configure, start, stop, and see what it does and why."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from arbplatform.console.admin import PlatformAdmin, coloured, command_button
from arbplatform.console.template_filters import signed_money
from arbplatform.push.topics import TopicKind
from arbplatform.wording import render
from ledger.domain.halts import HaltLevel, HaltScope
from ledger.domain.pnl import Valuation
from ledger.services.kill import read_standing
from strategies.admin.forms import PREFIX, make_form
from strategies.admin.panel import STATE_LABELS, build_panel, decided_at, when
from strategies.domain.states import STRATEGY_TRANSITIONS, StrategyEvent
from strategies.errors import UnknownStrategyType
from strategies.models import Strategy
from strategies.registry import Plugin, describe, list_plugins
from strategies.selectors import list_strategies
from strategies.services import runs, strategies
from strategies.services.pnl import value_pnl

STOPPABLE = STRATEGY_TRANSITIONS.sources(StrategyEvent.STOP)
ERROR_SHOWN_MAX = 80
"""Characters of an error in the list of strategies."""
BASIC_FIELDS = ("name", "accounts", "driver", "interval_ms")


class TypeFilter(admin.SimpleListFilter):
    """The installed strategy types."""

    title = _("type")
    parameter_name = "type"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Strategy]"
    ) -> list[tuple[str, str]]:
        """Return slug and title of every type."""
        return [(plugin.slug, render(plugin.title)) for plugin in list_plugins()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Strategy]
    ) -> QuerySet[Strategy] | None:
        """Keep the strategies of the chosen type."""
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Strategy)
class StrategyAdmin(PlatformAdmin):
    """Strategies. Their state is shown and changed by start and stop, never typed in."""

    list_display = (
        "name",
        "show_type",
        "show_state",
        "show_accounts",
        "driver",
        "show_executions",
        "show_earned",
        "show_last_decision",
    )
    empty_hint = _(
        "Add a strategy: choose its type and the venue accounts that it may trade with, then "
        "start it."
    )
    list_filter = ("state", "driver", TypeFilter)
    search_fields = ("name", "type")
    ordering = ("name",)
    actions = ("start_selected", "stop_selected")
    actions_row = ("start_one", "stop_one")
    actions_detail = ("start_one", "stop_one")
    list_before_template = "strategies/list_head.html"
    live_topics = TopicKind.STRATEGIES.value
    change_form_outer_before_template = "strategies/strategy_head.html"
    change_form_outer_after_template = "strategies/strategy_body.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Strategy]:
        """Return all strategies with the number of their executions, as their runs count them."""
        return list_strategies().annotate(executed=Sum("runs__execution_count"))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Ask once for what all strategies of the page have earned."""
        changelist = super().get_changelist_instance(request)
        earned = value_pnl([strategy.pk for strategy in changelist.result_list])
        for strategy in changelist.result_list:
            strategy.earned = earned.get(strategy.pk)
        return changelist

    # the list ---------------------------------------------------------------------------------

    @display(description=_("type"), ordering="type")
    def show_type(self, strategy: Strategy) -> str:
        """Show the type's title; its slug when the plugin is gone."""
        plugin = find_plugin(strategy.type)
        return strategy.type if plugin is None else render(plugin.title)

    @display(description=_("status"), ordering="state")
    def show_state(self, strategy: Strategy) -> SafeString:
        """Show the state as a coloured label, and the beginning of the last error."""
        label = coloured(strategy.get_state_display(), STATE_LABELS[strategy.state])
        if not strategy.last_error:
            return label
        error = render(strategy.to_error())[:ERROR_SHOWN_MAX]
        return format_html("{}<br><small>{}</small>", label, error)

    @display(description=_("accounts"))
    def show_accounts(self, strategy: Strategy) -> str:
        """Show the accounts."""
        return ", ".join(str(account) for account in strategy.accounts.all())

    @display(description=_("executions"), ordering="executed")
    def show_executions(self, strategy: Strategy) -> int:
        """Show how many executions there were."""
        return int(getattr(strategy, "executed", 0) or 0)

    @display(description=_("realised PnL"))
    def show_earned(self, strategy: Strategy) -> str:
        """Show what it has made so far, at present prices."""
        earned: Valuation | None = getattr(strategy, "earned", None)
        if earned is None:
            return "–"
        worth = f"{signed_money(earned.total)} {settings.REPORTING_ASSET}"
        if not earned.unpriced:
            return worth
        return _("{worth}, without {assets}, which have no price").format(
            worth=worth, assets=", ".join(earned.unpriced)
        )

    @display(description=_("last decision at"), ordering="last_tick_at")
    def show_last_decision(self, strategy: Strategy) -> str:
        """Show to the second when it was last decided; a strategy on a stream has no ticks."""
        moments = (decided_at(strategy), strategy.last_tick_at)
        return when(max(filter(None, moments), default=None))

    # actions ----------------------------------------------------------------------------------

    @admin.action(description=_("Start the selected strategies"), permissions=["change"])
    def start_selected(self, request: HttpRequest, queryset: QuerySet[Strategy]) -> None:
        """Start each strategy; say of each one that cannot start why."""
        self.apply(request, queryset, lambda row: self._start(request, row), done=_("started"))

    @admin.action(description=_("Stop the selected strategies"), permissions=["change"])
    def stop_selected(self, request: HttpRequest, queryset: QuerySet[Strategy]) -> None:
        """Stop each strategy; say of each one that does not run that it does not."""
        self.apply(request, queryset, lambda row: self._stop(request, row), done=_("stopping"))

    @command_button(
        description=_("Start"),
        question=_("The strategy begins to trade with the accounts that it was given."),
        icon="play_arrow",
        variant=ActionVariant.SUCCESS,
    )
    def start_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Start the strategy."""
        return self.apply_to_one(
            request, object_id, lambda row: self._start(request, row), done=_("started")
        )

    @command_button(
        description=_("Stop"),
        question=_("No new tick begins; one that runs is let finish."),
        icon="stop",
        variant=ActionVariant.DANGER,
    )
    def stop_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Stop the strategy."""
        return self.apply_to_one(
            request, object_id, lambda row: self._stop(request, row), done=_("stopping")
        )

    def _start(self, request: HttpRequest, row: Strategy) -> None:
        runs.start_strategy(strategy_id=row.pk, user=request.user)

    def _stop(self, request: HttpRequest, row: Strategy) -> None:
        runs.stop_strategy(strategy_id=row.pk, user=request.user)

    def is_offered(self, action: str, row: Strategy) -> bool:
        """Offer start to what rests and stop to what does not."""
        offered = {
            "start_one": row.state in strategies.AT_REST,
            "stop_one": row.state in STOPPABLE,
        }
        return offered.get(action, True)

    def get_actions(self, request: HttpRequest) -> Any:
        """Leave out bulk deletion: each strategy may be refused for its own reason."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    # the form ---------------------------------------------------------------------------------

    def get_readonly_fields(
        self, request: HttpRequest, obj: Strategy | None = None
    ) -> Sequence[str]:
        """A running strategy is shown as it is; nothing of it can be typed in."""
        if obj is None or _is_editable(request, obj):
            return ("show_type",)
        return ("show_type", *BASIC_FIELDS, "show_params")

    def get_fieldsets(self, request: HttpRequest, obj: Strategy | None = None) -> Any:
        """Put the parameters of the type into a part of their own."""
        basic = ("name", "show_type", "accounts", "driver", "interval_ms")
        if obj is not None and not _is_editable(request, obj):
            parameters: Iterable[str] = ("show_params",)
        else:
            parameters = [PREFIX + name for name in _schema(_slug(request, obj))["properties"]]
        return (
            (None, {"fields": basic}),
            (_("Parameters"), {"fields": tuple(parameters)}),
        )

    def get_form(
        self, request: HttpRequest, obj: Strategy | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form of the strategy's type."""
        if obj is None or _is_editable(request, obj):
            slug = _slug(request, obj)
            kwargs["form"] = make_form(slug, _schema(slug), obj.params if obj else {})
        return super().get_form(request, obj, change=change, **kwargs)

    @display(description=_("parameters"))
    def show_params(self, strategy: Strategy) -> SafeString:
        """Show the parameters under the names that the form gives them, in its order."""
        titles = {
            name: render(part.get("title") or name)
            for name, part in _schema(strategy.type)["properties"].items()
        }
        names = [name for name in titles if name in strategy.params]
        names += [name for name in strategy.params if name not in titles]
        rows = ((titles.get(name, name), _present(strategy.params[name])) for name in names)
        line = '<tr><th class="font-semibold pr-6 py-1 text-left">{}</th><td>{}</td></tr>'
        return format_html("<table>{}</table>", format_html_join("", line, rows))

    def save_model(
        self, request: HttpRequest, obj: Strategy, form: "ModelForm[Strategy]", change: bool
    ) -> None:
        """Save through the service."""
        if "name" not in form.cleaned_data:  # its plugin is gone: the page was shown read-only
            raise UnknownStrategyType(type=obj.type)
        values = {
            "name": form.cleaned_data["name"],
            "slug": form.slug,  # type: ignore[attr-defined]  # see make_form
            "params": form.parameters(),  # type: ignore[attr-defined]
            "account_ids": [account.pk for account in form.cleaned_data["accounts"]],
            "interval_ms": form.cleaned_data["interval_ms"],
            "driver": form.cleaned_data["driver"],
        }
        if change:
            strategies.update_strategy(strategy_id=obj.pk, **values)
        else:
            obj.pk = strategies.create_strategy(**values).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Do nothing: the service has saved the accounts."""

    def delete_model(self, request: HttpRequest, obj: Strategy) -> None:
        """Delete through the service."""
        strategies.delete_strategy(strategy_id=obj.pk)

    # pages ------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the kill switch above the list."""
        context = {"trading": read_standing(), **(extra_context or {})}
        return super().changelist_view(request, context)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask for the type first: it says which parameters there are."""
        if find_plugin(request.GET.get("type", "")) is None:
            return self._choose_type(request)
        page: HttpResponse = super().add_view(request, form_url, extra_context)
        return page

    def get_deleted_objects(
        self, objs: Iterable[Strategy], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Name what would go: runs and logs belong to the strategy and go with it.

        Whether it may go at all is the service's decision, which says why.
        """
        rows = [str(strategy) for strategy in objs]
        return rows, {str(self.opts.verbose_name_plural): len(rows)}, set(), []

    def _choose_type(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        types = [
            {
                "slug": plugin.slug,
                "title": render(plugin.title),
                "description": render(plugin.description),
            }
            for plugin in list_plugins()
        ]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("What kind of strategy?"),
            "types": types,
        }
        return TemplateResponse(request, "strategies/choose_type.html", context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form with what the strategy does."""
        strategy = None if object_id is None else self.get_object(request, object_id)
        context = dict(extra_context or {})
        if strategy is not None:
            context["panel"] = build_panel(strategy)
            context["trading"] = read_standing()
            context["kill_scope"] = HaltScope(HaltLevel.STRATEGY, strategy.pk).key
            is_editable = _is_editable(request, strategy)
            context["show_save"] = context["show_save_and_continue"] = is_editable
        context["show_save_and_add_another"] = False
        return super().changeform_view(request, object_id, form_url, context)


def find_plugin(slug: str) -> Plugin | None:
    """Return the strategy type with this slug, if it is installed (any more)."""
    return next((plugin for plugin in list_plugins() if plugin.slug == slug), None)


def _is_editable(request: HttpRequest, strategy: Strategy) -> bool:
    """Return whether the page is a form: what was typed comes back also if it runs meanwhile."""
    is_asked = strategy.state in strategies.AT_REST or request.method == "POST"
    return is_asked and find_plugin(strategy.type) is not None


def _slug(request: HttpRequest, strategy: Strategy | None) -> str:
    return strategy.type if strategy is not None else request.GET.get("type", "")


def _schema(slug: str) -> Mapping[str, Any]:
    plugin = find_plugin(slug)
    if plugin is None:
        return {"properties": {}}
    schema: Mapping[str, Any] = describe(plugin)["schema"]
    return schema


def _present(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
