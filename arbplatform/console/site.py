"""The console's site: unfold's theme, our titles, every page themed."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

BADGE_COLOURS = {"production": "danger", "staging": "warning", "development": "info"}
ENVIRONMENT_NAMES = {
    "production": _("Production"),
    "staging": _("Staging"),
    "development": _("Development"),
}


class ConsoleSite(UnfoldAdminSite):
    """``/admin/``."""

    site_title = "arbplatform"
    site_header = "arbplatform"
    index_title = _("Overview")
    empty_value_display = "–"


def environment_badge(_request: HttpRequest) -> list[Any]:
    """Return text and colour of the badge that says which installation this is."""
    name = settings.ARB_ENVIRONMENT
    return [ENVIRONMENT_NAMES.get(name, name), BADGE_COLOURS.get(name, "info")]
