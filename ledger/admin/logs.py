"""The pages of logs and equity."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, coloured, plain
from arbplatform.console.tables import table
from arbplatform.push.topics import TopicKind
from arbplatform.wording import render, render_values
from ledger.models import EquitySnapshot, LogEntry, LogLevel
from ledger.selectors import list_equity, list_latest_events, list_logs

LEVEL_LABELS = {
    LogLevel.DEBUG.value: "info",
    LogLevel.INFO.value: "success",
    LogLevel.WARNING.value: "warning",
    LogLevel.ERROR.value: "danger",
}


class EventFilter(admin.SimpleListFilter):
    """The events of the newest lines: to look for all that there are would read every line."""

    title = _("event")
    parameter_name = "event"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[LogEntry]"
    ) -> list[tuple[str, str]]:
        """Return the events that were written lately, and the one that was chosen."""
        chosen = [self.value() or ""]
        return [(event, event) for event in sorted({*list_latest_events(), *chosen}) if event]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LogEntry]
    ) -> QuerySet[LogEntry] | None:
        """Keep the lines of the chosen event."""
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """What strategies and the platform wrote into their logs."""

    list_display = ("created_at", "show_level", "strategy", "event", "show_message")
    empty_hint = _("Strategies and the platform write here what they do and what goes wrong.")
    list_filter = ("level", "strategy", EventFilter, ("created_at", RangeDateTimeFilter))
    search_fields = ("event", "template", "strategy__name")
    list_before_template = "console/live_list.html"
    live_topics = TopicKind.LOGS.value
    fields = ("created_at", "strategy", "show_level", "event", "show_message", "show_values")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """Return log entries with their strategies."""
        return list_logs()

    @display(description=_("level"), ordering="level")
    def show_level(self, entry: LogEntry) -> SafeString:
        """Show the severity as a coloured label."""
        return coloured(entry.get_level_display(), LEVEL_LABELS[entry.level])

    @display(description=_("message"))
    def show_message(self, entry: LogEntry) -> str:
        """Show the sentence in the reader's language."""
        return render(entry.to_message())

    @display(description=_("context"))
    def show_values(self, entry: LogEntry) -> SafeString:
        """Show what the sentence is filled with, a line each, as it was written down."""
        values = render_values(entry.to_message())
        return format_html_join("", "<div>{}: {}</div>", values.items())


@admin.register(EquitySnapshot)
class EquitySnapshotAdmin(ReadOnlyAdmin):
    """What everything was worth, from time to time."""

    list_display = ("taken_at", "show_total", "show_pnl", "reporting_asset", "show_unpriced")
    empty_hint = _("Everything is valued every half minute once a venue account has been read.")
    list_filter = (("taken_at", RangeDateTimeFilter),)
    fields = ("taken_at", "reporting_asset", "show_total", "show_pnl", "show_breakdown")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[EquitySnapshot]:
        """Return snapshots with their reporting assets."""
        return list_equity()

    @display(description=_("total"), ordering="total")
    def show_total(self, snapshot: EquitySnapshot) -> str:
        """Show the total."""
        return plain(snapshot.total)

    @display(description=_("realised PnL"), ordering="realised_pnl")
    def show_pnl(self, snapshot: EquitySnapshot) -> str:
        """Show the result of all strategies."""
        return plain(snapshot.realised_pnl)

    @display(description=_("without a price"))
    def show_unpriced(self, snapshot: EquitySnapshot) -> str:
        """Name the assets that are not in the total."""
        missing = {row["asset"] for row in snapshot.breakdown if row["price"] is None}
        return ", ".join(sorted(missing)) or "–"

    @display(description=_("breakdown"))
    def show_breakdown(self, snapshot: EquitySnapshot) -> SafeString | str:
        """Show amount, price and value by venue and asset."""
        heads = (_("venue"), _("asset"), _("amount"), _("price"), _("value"))
        rows = [
            (
                row["venue"] or _("in transit"),
                row["asset"],
                row["amount"],
                row["price"] or "–",
                row["value"] or "–",
            )
            for row in snapshot.breakdown
        ]
        return table(heads, rows)
