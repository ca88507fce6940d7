"""The page of the scanner: what could be earned anywhere now."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from arbplatform.console.admin import ReadOnlyAdmin
from arbplatform.wording import render
from strategies.admin.panel import brief
from strategies.domain.scan import Kind
from strategies.services.scanner import scan_markets
from strategies.services.sightings import CONFIRMED_MAX, Sighting, Source

MS_PER_S = 1_000


class ScannerAdmin(ReadOnlyAdmin):
    """A page of facts that also offers the scanner."""

    def get_urls(self) -> list[URLPattern]:
        """Put the scanner before the pages of single rows, which take any text for an id."""
        view = self.admin_site.admin_view(self.scanner_view)
        own = [path("scanner/", view, name="strategies_opportunity_scanner")]
        return [*own, *super().get_urls()]

    def scanner_view(self, request: HttpRequest) -> HttpResponse:
        """Show the best round trips of this moment."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        is_by_profit = request.GET.get("sort") == "profit"
        scan = scan_markets()
        rows = scan.select(kind=None, by_profit=is_by_profit, limit=CONFIRMED_MAX)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("Scanner"),
            "scan": scan,
            "is_streamed": scan.source is Source.STREAM,
            "polled": sorted(v for v, source in scan.feeds.items() if source is Source.REST),
            "is_by_profit": is_by_profit,
            "rows": [_describe(row) for row in rows],
            "venue_errors": [
                f"{venue}: {render(error.message)}" for venue, error in sorted(scan.errors.items())
            ],
        }
        return TemplateResponse(request, "strategies/scanner.html", context)


def _describe(row: Sighting) -> dict[str, Any]:
    nomination, intent = row.nomination, row.intent
    is_pair = nomination.kind is Kind.CROSS_VENUE
    return {
        "kind": _("cross-venue") if is_pair else _("triangular"),
        "summary": nomination.subject,
        "is_suspicious": nomination.is_suspicious,
        "top_bps": f"{nomination.edge.net_bps:.2f}",
        "edge_bps": None if intent is None else f"{intent.edge_bps:.2f}",
        "notional": None if intent is None else f"{brief(intent.notional)} {intent.profit_asset}",
        "earned": None
        if intent is None
        else f"{brief(intent.expected_profit)} {intent.profit_asset}",
        "profit": None if row.profit is None else brief(row.profit),
        "age_ms": row.age_ms,
        "standing_s": None if row.standing_ms is None else f"{row.standing_ms / MS_PER_S:.1f}",
        "refusal": None if row.refusal is None else render(row.refusal),
    }
