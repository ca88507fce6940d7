"""The console's page of health: every part, what was measured, and what to do when it is down."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arbplatform.parts import TITLES, PartHealth, check_parts

FIGURES: Final[Mapping[str, Promise]] = {
    "used_percent": _("used [%]"),
    "engines": _("engines that live"),
    "running": _("strategies on streams"),
    "waiting": _("waiting"),
    "rejected": _("could not be booked"),
    "safety": _("urgent"),
    "trading": _("trading"),
    "reconcile": _("reconciliation"),
    "reports": _("reports"),
    "channels": _("channels"),
    "failing": _("that fail"),
    "unsent": _("not sent yet"),
}
"""Names of figures, for people; one that is not here is shown as the API calls it."""

ADVICE: Final[Mapping[str, Promise]] = {
    "database": _("Start it again; everything connects by itself and goes on."),
    "redis": _("Start it again; it holds messages and caches only, nothing is lost."),
    "worker": _("Read logs/worker.log; the supervisor starts it again."),
    "beat": _("Read logs/beat.log. Ticks stop; look-ups and sweeps go on without it."),
    "engines": _("Read logs/engine.log; strategies on streams wait until an engine takes them."),
    "scanner": _(
        "Read logs/scanner.log; until it is back, markets are scanned when somebody looks."
    ),
    "queues": _(
        "The worker is too slow or hangs: fewer strategies, longer intervals, more workers."
    ),
    "disk": _(
        "Make room: old recordings and backups first, never the spool; then keep less: see "
        "Retention."
    ),
    "notices": _(
        "Channels in the console shows what its service answered; send a test after mending it."
    ),
    "spool": _("Bring the database back. The runbook says what to do with files .rejected."),
}
"""What to do about a part that is down; what else is to be known stands in the runbook."""


@require_safe
@never_cache
@admin.site.admin_view
def health_page(request: HttpRequest) -> HttpResponse:
    """Show how every part is."""
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Health"),
        "rows": [_describe(name, part) for name, part in check_parts().items()],
    }
    return TemplateResponse(request, "console/health.html", context)


def _describe(name: str, part: PartHealth) -> dict[str, Any]:
    return {
        "title": TITLES[name],
        "is_ok": part.is_ok,
        "detail": part.detail,
        "advice": "" if part.is_ok else ADVICE.get(name, ""),
        "age_ms": part.age_ms,
        "figures": [(FIGURES.get(key, key), value) for key, value in (part.figures or {}).items()],
    }
