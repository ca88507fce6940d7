"""The page of retention: how long rows are kept, how many there are and what was removed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, coloured
from arbplatform.retention.kinds import Kind, find_kind, list_sharing
from arbplatform.retention.models import Retention
from arbplatform.retention.pruning import ensure_rows


@admin.register(Retention)
class RetentionAdmin(ReadOnlyAdmin):
    """Rows that are not kept for ever; how long is said by the settings."""

    list_display = (
        "show_kind",
        "show_days",
        "show_stays",
        "row_count",
        "oldest_at",
        "show_size",
        "last_run_at",
        "last_removed_count",
        "removed_count",
        "show_behind",
    )
    fields = (*list_display, "reached_at", "measured_at")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show every kind, those too that were never looked at."""
        ensure_rows()
        return super().changelist_view(request, extra_context)

    @display(description=_("kind"), ordering="kind")
    def show_kind(self, row: Retention) -> str:
        """Show what the rows are."""
        kind = find_kind(row.kind)
        return str(kind.title) if kind else row.kind

    @display(description=_("kept for"))
    def show_days(self, row: Retention) -> str:
        """Show how long rows are kept, and the name of the setting."""
        kind = find_kind(row.kind)
        return say_days(kind) if kind else "–"

    @display(description=_("always kept"))
    def show_stays(self, row: Retention) -> str:
        """Show what of them is kept all the same."""
        kind = find_kind(row.kind)
        return str(kind.stays) if kind and kind.stays else "–"

    @display(description=_("size"), ordering="size_bytes")
    def show_size(self, row: Retention) -> str:
        """Show what the table and its indexes take, where the database tells, and who shares it."""
        if row.size_bytes is None:
            return "–"
        size, kind = filesizeformat(row.size_bytes), find_kind(row.kind)
        others = ", ".join(str(each.title) for each in list_sharing(kind)) if kind else ""
        if not others:
            return size
        return gettext("{size}, in one table with: {others}").format(size=size, others=others)

    @display(description=_("behind"), ordering="is_behind")
    def show_behind(self, row: Retention) -> str:
        """Show that the last run ended at its limits; that it did not is nothing to look at."""
        return coloured(gettext("behind"), "warning") if row.is_behind else "–"


def say_days(kind: Kind) -> str:
    """Return how long rows of a kind are kept, for people."""
    if not kind.days:
        return str(_("for ever"))
    return ngettext("{days} day", "{days} days", kind.days).format(days=kind.days)
