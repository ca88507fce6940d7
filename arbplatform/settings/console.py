"""Settings of the console's theme and navigation."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from arbplatform.settings.env import env

ARB_ENVIRONMENT = env.str("ARB_ENVIRONMENT", default="development")
"""What the badge in the console says; ``production`` is red."""

_static = lazy(static, str)


def _page(title: Any, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}


def _group(title: Any, *items: dict[str, Any], is_open: bool = True) -> dict[str, Any]:
    return {
        "title": title,
        "separator": True,
        "collapsible": not is_open,
        "items": list(items),
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "arbplatform",
    "SITE_HEADER": "arbplatform",
    "SITE_SUBHEADER": _("Arbitrage platform"),
    "SITE_SYMBOL": "swap_horiz",
    "SITE_URL": reverse_lazy("admin:index"),
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "ENVIRONMENT": "arbplatform.console.site.environment_badge",
    "DASHBOARD_CALLBACK": "arbplatform.dashboard.add_overview",
    "STYLES": [lambda _request: static("console/console.css")],
    "SCRIPTS": [lambda _request: static("console/console.js")],
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
        "navigation": [
            {
                "title": None,
                "items": [
                    {
                        "title": _("Overview"),
                        "icon": "dashboard",
                        "link": reverse_lazy("admin:index"),
                    },
                ],
            },
            _group(
                _("Strategies"),
                _page(_("Strategies"), "smart_toy", "strategies_strategy"),
                _page(_("Executions"), "bolt", "strategies_execution"),
                _page(_("Opportunities"), "visibility", "strategies_opportunity"),
                _page(_("Runs"), "history", "strategies_run"),
                _page(_("Logs"), "article", "ledger_logentry"),
            ),
            _group(
                _("Books"),
                _page(_("Trades"), "receipt_long", "ledger_fill"),
                _page(_("Orders"), "list_alt", "ledger_order"),
                _page(_("Ledger entries"), "account_balance", "ledger_entry"),
                _page(_("Equity"), "trending_up", "ledger_equitysnapshot"),
            ),
            _group(
                _("Accounts"),
                _page(_("Venue accounts"), "vpn_key", "accounts_venueaccount"),
                _page(_("Balances"), "account_balance_wallet", "accounts_balance"),
                _page(_("Transfers"), "move_up", "accounts_transfer"),
            ),
            _group(
                _("Markets"),
                _page(_("Venues"), "storefront", "markets_venue"),
                _page(_("Markets"), "candlestick_chart", "markets_market"),
                _page(_("Assets"), "toll", "markets_asset"),
            ),
            _group(
                _("Schedules"),
                _page(_("Periodic tasks"), "schedule", "django_celery_beat_periodictask"),
                _page(_("Intervals"), "timer", "django_celery_beat_intervalschedule"),
                _page(_("Crontabs"), "event_repeat", "django_celery_beat_crontabschedule"),
                is_open=False,
            ),
            _group(
                _("Access"),
                _page(_("Users"), "person", "auth_user"),
                _page(_("Groups"), "group", "auth_group"),
                _page(_("API tokens"), "key", "knox_authtoken"),
                _page(_("Failed logins"), "lock", "axes_accessattempt"),
                _page(_("Login history"), "login", "axes_accesslog"),
                is_open=False,
            ),
        ],
    },
}
