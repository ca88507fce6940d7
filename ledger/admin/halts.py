"""Trading states in the console: look at them, and switch."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from arbplatform.authors import say_author
from arbplatform.console.admin import ReadOnlyAdmin, coloured
from arbplatform.console.refusals import explain_in_one, keep_typed
from arbplatform.core.errors import ArbError, Message, NotFound
from arbplatform.wording import render
from ledger.domain.halts import (
    EVERYTHING,
    PERSONAL_LEVELS,
    HaltLevel,
    HaltScope,
    TradingEvent,
    TradingState,
)
from ledger.models import TradingChange, TradingHalt
from ledger.selectors.halts import list_trading_states
from ledger.services.halts import change_trading, name_of
from ledger.services.kill import read_standing, stop_trading

STATE_LABELS = {
    TradingState.ACTIVE.value: "success",
    TradingState.REDUCING.value: "warning",
    TradingState.HALTED.value: "danger",
}
PERMISSION = "ledger.change_tradinghalt"
KEY_LENGTH_MAX = 40


@admin.register(TradingHalt)
class TradingHaltAdmin(ReadOnlyAdmin):
    """The scopes whose state was ever changed, with the switch above them."""

    list_display = ("show_name", "show_state", "show_reason", "show_author", "changed_at")
    empty_hint = _(
        "Nothing was ever halted or restricted. The kill switch above halts all trading at once."
    )
    list_filter = ("level", "state")
    search_fields = ("key", "reason", "changed_by")
    fields = list_display
    readonly_fields = fields
    list_before_template = "console/kill_switch.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TradingHalt]:
        """Return every state."""
        return list_trading_states()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the switch above the list."""
        context = {"trading": read_standing(), **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the switch; they take POST only."""
        view = self.admin_site.admin_view
        own = [
            path("kill/", view(self.kill), name="ledger_tradinghalt_kill"),
            path("resume/", view(self.resume), name="ledger_tradinghalt_resume"),
        ]
        return [*own, *super().get_urls()]

    @method_decorator(require_POST)
    def kill(self, request: HttpRequest) -> HttpResponse:
        """Halt trading."""
        _check_permission(request)
        try:
            report = stop_trading(
                reason=request.POST.get("reason", ""), scope=_scope_of(request), user=request.user
            )
        except ArbError as error:
            _refuse(request, "kill", error)
        else:
            text = Message(
                "Trading is halted for {scope}. Orders withdrawn: {withdrawn}, being cancelled: "
                "{open}, looked up: {unknown}.",
                {
                    "scope": name_of(report.halt),
                    "withdrawn": len(report.withdrawn),
                    "open": len(report.open),
                    "unknown": len(report.unknown),
                },
            )
            messages.warning(request, render(text))
        return self.go_back(request)

    @method_decorator(require_POST)
    def resume(self, request: HttpRequest) -> HttpResponse:
        """Let trading go on."""
        _check_permission(request)
        try:
            halt = change_trading(
                event=TradingEvent.RESUME,
                scope=_scope_of(request),
                reason=request.POST.get("reason", ""),
                user=request.user,
                seen=request.POST.get("seen"),
            )
        except ArbError as error:
            _refuse(request, "resume", error)
        else:
            text = Message("Trading goes on for {scope}.", {"scope": name_of(halt)})
            messages.success(request, render(text))
        return self.go_back(request)

    @display(description=_("scope"), ordering="key")
    def show_name(self, halt: TradingHalt) -> str:
        """Show what the state covers."""
        return render(name_of(halt))

    @display(description=_("state"), ordering="state")
    def show_state(self, halt: TradingHalt) -> SafeString:
        """Show the state as a coloured label."""
        return coloured(halt.get_state_display(), STATE_LABELS[halt.state])

    @display(description=_("reason"))
    def show_reason(self, halt: TradingHalt) -> str:
        """Show why it is so, in the reader's language."""
        return render(halt.to_reason())

    @display(description=_("changed by"), ordering="changed_by")
    def show_author(self, halt: TradingHalt) -> str:
        """Show who did it."""
        return say_author(halt.changed_by)


@admin.register(TradingChange)
class TradingChangeAdmin(ReadOnlyAdmin):
    """Who changed which state, when and why."""

    list_display = (
        "changed_at", "show_name", "event", "before", "after", "show_reason", "show_author",
    )  # fmt: skip
    empty_hint = _(
        "Whoever halts, restricts or resumes trading is written down here, with the reason."
    )
    list_filter = ("halt__level", "event", ("changed_at", RangeDateTimeFilter))
    search_fields = ("reason", "changed_by", "halt__key")
    date_hierarchy = "changed_at"
    fields = list_display
    readonly_fields = fields
    list_select_related = ("halt",)

    @display(description=_("scope"), ordering="halt__key")
    def show_name(self, change: TradingChange) -> str:
        """Show what the state covers."""
        return render(name_of(change.halt))

    @display(description=_("reason"))
    def show_reason(self, change: TradingChange) -> str:
        """Show why it was done, in the reader's language."""
        return render(change.to_reason())

    @display(description=_("changed by"), ordering="changed_by")
    def show_author(self, change: TradingChange) -> str:
        """Show who did it."""
        return say_author(change.changed_by)


def _check_permission(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied


def _refuse(request: HttpRequest, act: str, error: ArbError) -> None:
    """Say why, and let the form come back with the reason that was typed."""
    messages.error(request, explain_in_one(error, "the kill switch"))
    scope = request.POST.get("scope", "")[:KEY_LENGTH_MAX]
    keep_typed(request, form=f"{act}:{scope}", reason=request.POST.get("reason", ""))


def _scope_of(request: HttpRequest) -> HaltScope:
    """Return what is meant: nothing says everything.

    Raises:
        NotFound: the key names nothing. To resume everything instead would be worse than a refusal.
    """
    key = request.POST.get("scope", "")[:KEY_LENGTH_MAX]
    level, _colon, target = key.partition(":")
    if level == HaltLevel.GUARD and target:
        return HaltScope(HaltLevel.GUARD, guard=target)
    if level in PERSONAL_LEVELS and target.isdecimal():
        return HaltScope(HaltLevel(level), int(target))
    if key not in ("", EVERYTHING.key):
        raise NotFound("There is nothing called {key}.", key=key)
    return EVERYTHING
