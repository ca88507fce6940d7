"""What the console's sidebar lists: every page that exists and that the person may see."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Page:
    """One line of the sidebar: the list page of a model, or another page that belongs to it.

    Attributes:
        title: what the line says.
        icon: a Material symbol.
        model: ``<app>.<model>``; whoever may see it sees the line.
        view: the part of the page's name after the model's.
        badge: dotted name of a function that counts what needs a person there; empty: none.
    """

    title: str | Promise
    icon: str
    model: str
    view: str = "changelist"
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A titled part of the sidebar; one that is seldom needed starts folded."""

    title: str | Promise
    pages: tuple[Page, ...]
    is_folded: bool = False


GROUPS = (
    Group(
        _("Trading"),
        (
            Page(_("Strategies"), "smart_toy", "strategies.strategy"),
            Page(_("Executions"), "bolt", "strategies.execution"),
            Page(_("Opportunities"), "visibility", "strategies.opportunity"),
            Page(_("Scanner"), "radar", "strategies.opportunity", "scanner"),
            Page(_("Runs"), "history", "strategies.run"),
            Page(_("Engines"), "memory", "strategies.engineprocess"),
            Page(_("Dust"), "grain", "strategies.dust"),
            Page(_("Risk limits"), "shield", "strategies.risklimits"),
            Page(_("Changes of risk limits"), "policy", "strategies.risklimitschange"),
            Page(_("Trading states"), "front_hand", "ledger.tradinghalt"),
            Page(_("Changes of trading states"), "policy", "ledger.tradingchange"),
            Page(_("Logs"), "article", "ledger.logentry"),
        ),
    ),
    Group(
        _("Books"),
        (
            Page(_("Trades"), "receipt_long", "ledger.fill"),
            Page(_("Orders"), "list_alt", "ledger.order"),
            Page(_("Ledger entries"), "account_balance", "ledger.entry"),
            Page(_("Discrepancies"), "difference", "ledger.discrepancy"),
            Page(_("Reconciliation"), "balance", "ledger.accountreconciliation"),
            Page(_("Equity"), "trending_up", "ledger.equitysnapshot"),
        ),
    ),
    Group(
        _("Funds"),
        (
            Page(_("Venue accounts"), "vpn_key", "accounts.venueaccount"),
            Page(_("Balances"), "account_balance_wallet", "accounts.balance"),
            Page(
                _("Transfers"),
                "move_up",
                "accounts.transfer",
                badge="accounts.selectors.count_alarms",
            ),
            Page(_("Address book"), "contacts", "accounts.addressentry"),
            Page(_("Networks of venues"), "lan", "accounts.venuenetwork"),
            Page(_("Transfer limits"), "speed", "accounts.transferlimit"),
            Page(_("Changes of transfer rules"), "policy", "accounts.rulechange"),
        ),
    ),
    Group(
        _("Alarms and notices"),
        (
            Page(
                _("Alarms"),
                "notifications_active",
                "notices.alarm",
                badge="arbplatform.notices.selectors.count_open",
            ),
            Page(_("Notices"), "outbox", "notices.notice"),
            Page(_("Channels"), "campaign", "notices.noticechannel"),
        ),
    ),
    Group(
        _("Venues and markets"),
        (
            Page(_("Venues"), "storefront", "markets.venue"),
            Page(_("Markets"), "candlestick_chart", "markets.market"),
            Page(_("Feeds"), "sensors", "markets.market", "feeds"),
            Page(_("Assets"), "toll", "markets.asset"),
        ),
    ),
    Group(
        _("Schedules"),
        (
            Page(_("Periodic tasks"), "schedule", "django_celery_beat.periodictask"),
            Page(_("Intervals"), "timer", "django_celery_beat.intervalschedule"),
            Page(_("Crontabs"), "event_repeat", "django_celery_beat.crontabschedule"),
            Page(_("Retention"), "auto_delete", "retention.retention"),
        ),
        is_folded=True,
    ),
    Group(
        _("Access"),
        (
            Page(_("Users"), "person", "auth.user"),
            Page(_("Groups"), "group", "auth.group"),
            Page(_("API tokens"), "key", "knox.authtoken"),
            Page(_("Failed logins"), "lock", "axes.accessattempt"),
            Page(_("Login history"), "login", "axes.accesslog"),
        ),
        is_folded=True,
    ),
)


def list_groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar for the person behind ``request``, as unfold wants it."""
    # Addresses first: a process that has made none yet has loaded none of the pages either.
    overview = {"title": _("Overview"), "icon": "dashboard", "link": reverse("admin:index")}
    health = {"title": _("Health"), "icon": "monitor_heart", "link": reverse("health_page")}
    allowed = {
        page.opts.label_lower
        for page in admin.site._registry.values()  # noqa: SLF001  Django has no other list
        if page.has_view_permission(request)
    }
    groups: list[dict[str, Any]] = [{"title": None, "items": [overview, health]}]
    for group in GROUPS:
        pages = [_item(page) for page in group.pages if page.model in allowed]
        if pages:
            groups.append(
                {
                    "title": group.title,
                    "separator": True,
                    "collapsible": group.is_folded,
                    "items": pages,
                }
            )
    _mark_current(request, [item for group in groups for item in group["items"]])
    return groups


def _mark_current(request: HttpRequest, items: list[dict[str, Any]]) -> None:
    """Mark the one line that leads to this page or to what it belongs to: the longest address.

    By itself unfold marks every line whose address this page's begins with.
    """
    leading = [item["link"] for item in items[1:] if request.path.startswith(item["link"])]
    current = max(leading, key=len, default=items[0]["link"])
    for item in items:
        item["active"] = item["link"] == current and request.path.startswith(current)


def _item(page: Page) -> dict[str, Any]:
    address = reverse(f"admin:{page.model.replace('.', '_')}_{page.view}")
    item = {"title": page.title, "icon": page.icon, "link": address}
    count = import_string(page.badge)() if page.badge else 0
    return {**item, "badge": count, "badge_variant": "danger"} if count else item
