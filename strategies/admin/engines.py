"""The page of engines: which live, on which machine, and what each of them holds."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, coloured
from arbplatform.persistence.clock import DATABASE_CLOCK
from strategies.admin.panel import LINK, when
from strategies.admin.speeds import describe_speeds
from strategies.models import EngineProcess
from strategies.selectors import list_strategies
from strategies.selectors.engines import list_engines, list_held
from strategies.services.engines import EngineStatus, status_of
from strategies.services.leases import is_live

STATUS_LABELS = {
    EngineStatus.ALIVE: "success",
    EngineStatus.ENDING: "warning",
    EngineStatus.ENDED: "",
    EngineStatus.LOST: "danger",
}


@admin.register(EngineProcess)
class EngineProcessAdmin(ReadOnlyAdmin):
    """Processes that run strategies on streams; they come and go by themselves."""

    list_display = (
        "name",
        "machine",
        "pid",
        "show_status",
        "show_held",
        "show_started",
        "show_heartbeat",
        "show_stopped",
    )
    empty_hint = _(
        "No engine has run in the last days. manage.py up starts one, manage.py run_engine "
        "starts one alone."
    )
    list_filter = ("machine",)
    search_fields = ("name",)
    list_before_template = "strategies/engine_speeds.html"
    fields = (*list_display, "show_strategies")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EngineProcess]:
        """Return the engines of the last days."""
        return list_engines()

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Ask once for the time and for what all engines hold, not once for each row."""
        changelist = super().get_changelist_instance(request)
        now = DATABASE_CLOCK.now()
        held = list_held(now=now)
        for engine in changelist.result_list:
            engine.held_count, engine.looked_at = len(held.get(engine.name, ())), now
        return changelist

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show how fast they are above the list."""
        return super().changelist_view(request, {**describe_speeds(), **(extra_context or {})})

    @display(description=_("status"))
    def show_status(self, engine: EngineProcess) -> SafeString:
        """Show whether it lives, as a coloured label."""
        now = getattr(engine, "looked_at", None) or DATABASE_CLOCK.now()
        status = status_of(engine, is_alive=is_live(engine, now))
        return coloured(str(status.label), STATUS_LABELS[status])

    @display(description=_("strategies"))
    def show_held(self, engine: EngineProcess) -> int:
        """Show how many strategies it holds."""
        known: int | None = getattr(engine, "held_count", None)
        if known is not None:
            return known
        return len(list_held(now=DATABASE_CLOCK.now()).get(engine.name, ()))

    @display(description=_("started at"), ordering="started_at")
    def show_started(self, engine: EngineProcess) -> str:
        """Show when it began, to the second."""
        return when(engine.started_at)

    @display(description=_("last sign of life at"), ordering="heartbeat_at")
    def show_heartbeat(self, engine: EngineProcess) -> str:
        """Show its last sign of life, to the second."""
        return when(engine.heartbeat_at)

    @display(description=_("stopped at"), ordering="stopped_at")
    def show_stopped(self, engine: EngineProcess) -> str:
        """Show when it ended, to the second."""
        return when(engine.stopped_at)

    @display(description=_("holds"))
    def show_strategies(self, engine: EngineProcess) -> SafeString:
        """Show links to the strategies that it holds."""
        links = (
            (reverse("admin:strategies_strategy_change", args=[row.pk]), row.name)
            for row in list_strategies().filter(lease_holder=engine.name)
        )
        return format_html_join(", ", LINK, links)
