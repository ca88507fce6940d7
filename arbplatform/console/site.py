"""The console's site: unfold's theme, our titles, every page themed."""

from typing import Any

from django.conf import settings
from django.contrib.admin import autodiscover
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from arbplatform.console.theme import theme_the_rest

BADGE_COLOURS = {"production": "danger", "staging": "warning", "development": "info"}
ENVIRONMENT_NAMES = {
    "production": _("Production"),
    "staging": _("Staging"),
    "development": _("Development"),
}


class ConsoleSite(UnfoldAdminSite):
    """``/admin/``.

    Its pages are loaded when its addresses are made or checked: a process that shows none, such as
    a worker or an engine, does without them and the forms, widgets and templates that they bring.
    """

    site_title = "arbplatform"
    site_header = "arbplatform"
    index_title = _("Overview")
    empty_value_display = "–"

    def load_pages(self) -> None:
        """Import the pages of all apps and put them into our theme; once is enough."""
        autodiscover()
        theme_the_rest(self)

    def get_urls(self) -> list[Any]:
        """Return the addresses of all pages."""
        self.load_pages()
        urls: list[Any] = super().get_urls()
        return urls

    def check(self, app_configs: Any) -> list[Any]:
        """Check all pages."""
        self.load_pages()
        found: list[Any] = super().check(app_configs)
        return found


def environment_badge(_request: HttpRequest) -> list[Any]:
    """Return text and colour of the badge that says which installation this is."""
    name = settings.ARB_ENVIRONMENT
    return [ENVIRONMENT_NAMES.get(name, name), BADGE_COLOURS.get(name, "info")]
