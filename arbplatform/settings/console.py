"""Settings of the console's theme and navigation."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from arbplatform.settings.env import env

ARB_ENVIRONMENT = env.str("ARB_ENVIRONMENT", default="development")
"""What the badge in the console says; ``production`` is red."""

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "arbplatform",
    "SITE_HEADER": "arbplatform",
    "SITE_SUBHEADER": _("Arbitrage platform"),
    "SITE_SYMBOL": "swap_horiz",
    "SITE_URL": None,
    "SITE_DROPDOWN": [
        {"icon": "dashboard", "title": _("Overview"), "link": reverse_lazy("admin:index")},
        {"icon": "api", "title": _("API documentation"), "link": reverse_lazy("docs")},
        {"icon": "monitor_heart", "title": _("Health"), "link": reverse_lazy("health_page")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "ENVIRONMENT": "arbplatform.console.site.environment_badge",
    "DASHBOARD_CALLBACK": "arbplatform.dashboard.add_overview",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("console/favicon.svg"),
        },
    ],
    "STYLES": [lambda _request: static("console/console.css")],
    "SCRIPTS": [
        lambda _request: static("console/console.js"),
        lambda _request: static("console/live.js"),
    ],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.7% .014 236.5)",
            "100": "oklch(95.1% .026 236.8)",
            "200": "oklch(90.1% .058 230.9)",
            "300": "oklch(82.8% .111 230.3)",
            "400": "oklch(74.6% .16 232.7)",
            "500": "oklch(62% .169 237.3)",
            "600": "oklch(54% .158 241.9)",
            "700": "oklch(47% .134 242.7)",
            "800": "oklch(42% .11 240.8)",
            "900": "oklch(37% .09 240.9)",
            "950": "oklch(28% .066 243.2)",
        },
    },
    "COMMAND": {"search_models": True, "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "arbplatform.console.navigation.list_groups",
    },
}
