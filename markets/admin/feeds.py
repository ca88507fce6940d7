"""The page of feeds: how well the live book of each market is known."""

from collections import Counter
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from arbplatform.console.admin import ReadOnlyAdmin
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import ArbError
from arbplatform.wording import render
from markets.domain.feeds import FeedState
from markets.feed.store import StoredStatus
from markets.services.feeds import FeedStateChoice, list_feeds

ROWS_MAX = 500
"""Feeds that are shown; the API pages through all."""
MS_PER_S = 1_000
URGENCY = (
    FeedState.DOWN,
    FeedState.STALE,
    FeedState.RESYNCING,
    FeedState.CONNECTING,
    FeedState.HEALTHY,
)
LABELS = {
    FeedState.HEALTHY: "success",
    FeedState.CONNECTING: "info",
    FeedState.RESYNCING: "warning",
    FeedState.STALE: "warning",
    FeedState.DOWN: "danger",
}


class FeedPage(ReadOnlyAdmin):
    """A page of facts that also offers the feeds."""

    def get_urls(self) -> list[URLPattern]:
        """Put the feeds before the pages of single rows, which take any text for an id."""
        view = self.admin_site.admin_view(self.feeds_view)
        return [path("feeds/", view, name="markets_market_feeds"), *super().get_urls()]

    def feeds_view(self, request: HttpRequest) -> HttpResponse:
        """Show the feeds of all engines, those that are not healthy first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        venue = request.GET.get("venue") or None
        try:
            feeds, problem = list_feeds(venue=venue), None
        except ArbError as error:
            feeds, problem = [], render(error.message)
        counts = Counter(row.status.state for row in feeds)
        feeds.sort(key=lambda row: URGENCY.index(row.status.state))
        now_ms = SYSTEM_CLOCK.now_ms()
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("Feeds"),
            "problem": problem,
            "venue": venue,
            "total": len(feeds),
            "counts": [
                {"label": FeedStateChoice(state.value).label, "count": counts[state]}
                for state in URGENCY
                if counts[state]
            ],
            "rows": [_describe(row, now_ms) for row in feeds[:ROWS_MAX]],
        }
        return TemplateResponse(request, "markets/feeds.html", context)


def _describe(row: StoredStatus, now_ms: int) -> dict[str, Any]:
    status, confirmed_at_ms = row.status, row.confirmed_at_ms
    return {
        "venue": status.venue,
        "symbol": status.symbol,
        "engine": row.writer,
        "state": FeedStateChoice(status.state.value).label,
        "variant": LABELS[status.state],
        "reason": None if status.reason is None else render(status.reason),
        "for_s": max(now_ms - status.since_ms, 0) // MS_PER_S,
        "age_ms": None if confirmed_at_ms is None else max(now_ms - confirmed_at_ms, 0),
        "proven_s": None
        if status.proven_at_ms is None
        else max(now_ms - status.proven_at_ms, 0) // MS_PER_S,
        "gap_count": status.gap_count,
        "reconnect_count": status.reconnect_count,
        "is_polled": status.is_polled,
    }
