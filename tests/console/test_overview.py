"""The first page of the console, and the same numbers over the API."""

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import VenueAccount
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_to_json
from arbplatform.notices.models import Alarm
from arbplatform.overview import EQUITY_POINTS_MAX, read_equity, read_imbalances, read_overview
from arbplatform.persistence.sentences import keep_sentence
from ledger.models import AccountReconciliation, EquitySnapshot, Order
from markets.errors import VenueUnavailable
from markets.models import Asset, Venue
from strategies.domain.states import ExecutionState
from strategies.models import Execution, Strategy


def test_an_empty_platform_has_an_overview_that_says_what_to_do(console):
    html = console.get("/admin/").content.decode()

    assert "Add a strategy to begin." in html
    assert "No venue is set up yet." in html
    assert "No equity has been recorded yet." in html
    assert "Nothing has been traded. Add venue accounts, then a strategy, and start it." in html
    assert "<canvas" not in html


def test_the_numbers_of_an_empty_platform_are_nothing_not_zero(user_api):
    data = user_api.get("/api/overview").json()["data"]

    assert (data["total_assets"], data["total_pnl"], data["valued_at"]) == (None, None, None)
    assert data["strategies"] == {
        "total": 0,
        "running": 0,
        "stopping": 0,
        "stopped": 0,
        "faulted": 0,
    }
    assert (data["equity"], data["latest_arbitrages"], data["venues"]) == ([], [], [])
    assert data["proven_at"] is None
    assert (data["today_pnl"], data["imbalances"]) == ("0", {})


def test_the_overview_over_the_api(user_api, platform):
    data = user_api.get("/api/overview").json()["data"]

    assert data["strategies"] == {
        "total": 3,
        "running": 2,
        "stopping": 0,
        "stopped": 1,
        "faulted": 0,
    }
    assert data["reporting_asset"] == "USDT"
    assert Decimal(data["total_assets"]) > 2_000_000
    assert data["executions"]["completed"] == Execution.objects.filter(state="completed").count()
    newest = Execution.objects.latest("id")
    assert data["latest_arbitrages"][0]["id"] == newest.pk
    assert data["latest_arbitrages"][0]["strategy_name"] == newest.strategy.name
    assert (data["orders_open"], data["orders_unknown"]) == (0, 0)
    assert [venue["code"] for venue in data["venues"]] == ["alpha", "beta"]
    assert all(venue["is_ok"] and not venue["is_simulated"] for venue in data["venues"])
    assert data["proven_at"] is not None
    assert data["imbalances"] == {}
    assert set(data["today_pnl_by_asset"]) <= {"BTC", "ETH", "USDT"}


def test_the_overview_needs_a_login(anonymous_api, db):
    assert anonymous_api.get("/api/overview").status_code == 401


def test_the_overview_costs_a_bounded_number_of_queries(
    user_api, platform, django_assert_max_num_queries
):
    with django_assert_max_num_queries(18):
        user_api.get("/api/overview")


def test_the_page_shows_the_same_numbers(console, platform):
    html = console.get("/admin/").content.decode()

    overview = read_overview()
    assert f"{overview.total_assets:,.2f}"[:8] in html
    assert "2<small> / 3</small>" in html
    assert "Balanced" in html
    assert overview.latest[0].opportunity.summary in html
    assert "Alpha" in html


def test_the_equity_curve_is_data_that_a_script_of_ours_draws(console, platform):
    EquitySnapshot.objects.create(
        taken_at=SYSTEM_CLOCK.now(),
        reporting_asset=Asset.objects.get(code="USDT"),
        total=Decimal("3.14159"),
        realised_pnl=Decimal("-0.5"),
    )
    html = console.get("/admin/").content.decode()

    (script,) = re.findall(r'<script id="equity-data" type="application/json">(.*?)</script>', html)
    chart = json.loads(script)
    assert chart["datasets"][0]["data"][-1] == "3.14"
    assert chart["datasets"][1]["data"][-1] == "-0.50"
    assert len(chart["labels"]) == len(chart["datasets"][0]["data"])


def test_a_page_has_no_script_that_the_policy_would_refuse(console, platform):
    response = console.get("/admin/")

    assert "script-src 'self' 'unsafe-eval'" in response["Content-Security-Policy"]
    scripts = re.findall(r"<script([^>]*)>", response.content.decode())
    assert [tag for tag in scripts if "src=" not in tag and "application/json" not in tag] == []


def test_a_long_history_is_thinned_and_keeps_its_newest_point(db):
    asset = Asset.objects.create(code="USDT")
    now = SYSTEM_CLOCK.now()
    EquitySnapshot.objects.bulk_create(
        EquitySnapshot(
            taken_at=now - timedelta(seconds=30 * number),
            reporting_asset=asset,
            total=number,
            realised_pnl=0,
        )
        for number in range(1000)
    )

    points = read_equity(since=now - timedelta(hours=24))

    assert EQUITY_POINTS_MAX / 2 < len(points) <= EQUITY_POINTS_MAX
    assert points[-1].total == 0
    assert [point.at for point in points] == sorted(point.at for point in points)


def test_the_books_are_called_proven_since_the_account_that_was_compared_longest_ago(
    console, user_api, platform
):
    first, second = (account.pk for account in platform.accounts)
    now = SYSTEM_CLOCK.now()
    for account_id, ago_s in ((first, 7_205), (second, 5)):
        AccountReconciliation.objects.filter(account_id=account_id).update(
            last_clean_at=now - timedelta(seconds=ago_s)
        )

    assert read_overview().proven_at == now - timedelta(seconds=7_205)
    html = " ".join(console.get("/admin/").content.decode().replace("\xa0", " ").split())
    assert "Equal to the venues' own statements 2 hours ago" in html

    AccountReconciliation.objects.filter(account_id=first).update(last_clean_at=None)
    assert user_api.get("/api/overview").json()["data"]["proven_at"] is None
    assert "Every asset sums to zero." in console.get("/admin/").content.decode()

    VenueAccount.objects.filter(pk=first).update(is_enabled=False)
    assert read_overview().proven_at == now - timedelta(seconds=5)


def test_trouble_is_shown(console, platform):
    Strategy.objects.filter(name="idle").update(state="faulted")
    Order.objects.filter(pk=Order.objects.latest("id").pk).update(state="unknown")
    Venue.objects.filter(code="beta").update(sync_error="<i>no answer</i>")
    Venue.objects.filter(code="alpha").update(is_enabled=False)

    html = console.get("/admin/").content.decode()

    assert "1 stopped by a fault" in html
    assert "1 with unknown outcome, being looked up" in html
    assert "&lt;i&gt;no answer&lt;/i&gt;" in html
    assert "Disabled" in html
    assert read_imbalances() == {}


def raise_alarm(key, text, **fields):
    now = SYSTEM_CLOCK.now()
    fields = {"raised_at": now, "last_seen_at": now, "told_at": now, "severity": 30} | fields
    return Alarm.objects.create(key=key, message=message_to_json(Message(text)), **fields)


def test_what_needs_a_person_is_named_with_the_way_to_it(console, platform):
    held = Execution.objects.latest("id")
    raise_alarm(f"execution:{held.pk}:held", "Execution is held.")
    raise_alarm("transfer:7:overdue", "Transfer is overdue.")
    raise_alarm("transfer:8:overdue", "Not told yet.", told_at=None)
    raise_alarm("transfer:9:overdue", "Over long ago.", ended_at=SYSTEM_CLOCK.now())
    raise_alarm("trading:everything:halted", "Told by the halt itself.")

    html = console.get("/admin/").content.decode()

    notices = [one.split("</p>")[0] for one in html.split('class="arb-notice')]
    (about_held,) = (one for one in notices if "Execution is held." in one)
    (about_transfer,) = (one for one in notices if "Transfer is overdue." in one)
    assert f'href="/admin/strategies/execution/{held.pk}/change/"' in about_held
    assert 'href="/admin/notices/alarm/"' in about_transfer
    for text in ("Not told yet.", "Over long ago.", "Told by the halt itself."):
        assert text not in html


def test_of_many_alarms_some_are_named_and_that_there_are_more(console, platform):
    Alarm.objects.all().delete()
    for number in range(6):
        raise_alarm(f"transfer:{number}:overdue", f"Alarm number {number}.")

    html = console.get("/admin/").content.decode()

    assert [f"Alarm number {number}." in html for number in range(6)] == [True] * 5 + [False]
    assert "There are more alarms." in html


def test_alarms_are_named_only_to_who_may_see_them(platform, staff):
    raise_alarm("transfer:7:overdue", "Transfer is overdue.")
    client = Client()
    client.force_login(staff)

    assert "Transfer is overdue." not in client.get("/admin/").content.decode()


def test_a_venue_under_maintenance_is_not_shown_as_one_in_order(console, user_api, platform):
    Venue.objects.filter(code="alpha").update(
        state="maintenance", state_reason=keep_sentence(Message("until noon"))
    )

    alpha, beta = user_api.get("/api/overview").json()["data"]["venues"]
    html = console.get("/admin/").content.decode()

    assert (alpha["is_ok"], alpha["state"], alpha["state_reason"]) == (
        False,
        "maintenance",
        "until noon",
    )
    assert (beta["is_ok"], beta["state"], beta["state_reason"]) == (True, "healthy", "")
    assert html.count("arb-dot-bad") == 1
    assert "under maintenance: until noon" in html


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "The venue alpha cannot be reached: x."), ("zh-hans", "无法连接交易所 alpha：x。")],
)
def test_trouble_of_a_venue_is_told_in_the_readers_language(
    console, user_api, platform, language, words
):
    kept = keep_sentence(VenueUnavailable(venue="alpha", cause="x").message)
    VenueAccount.objects.filter(venue__code="alpha").update(sync_error=kept)
    asked = {"headers": {"Accept-Language": language}}

    told = {
        venue["code"]: venue["error"]
        for venue in user_api.get("/api/overview", **asked).json()["data"]["venues"]
    }

    assert words in told["alpha"]
    assert told["beta"] == ""
    assert words in console.get("/admin/", **asked).content.decode()


@pytest.mark.parametrize(("profit", "is_shown"), [("-9.1", True), ("1.5", False)])
def test_dust_is_shown_beside_a_result_that_seems_to_be_a_loss(console, platform, profit, is_shown):
    Execution.objects.update(
        state=ExecutionState.COMPLETED, realised_profit=profit, residuals={"BTC": "0.000187"}
    )

    assert ("+0.000187 BTC" in console.get("/admin/").content.decode()) is is_shown


def test_links_lead_only_where_the_person_may_go(platform, staff):
    client = Client()
    client.force_login(staff)
    assert "/admin/strategies/strategy/" not in client.get("/admin/").content.decode()

    staff.user_permissions.add(Permission.objects.get(codename="view_strategy"))
    client.force_login(type(staff).objects.get(pk=staff.pk))

    html = client.get("/admin/").content.decode()
    assert "/admin/strategies/strategy/" in html
    assert "/admin/ledger/order/" not in html


@pytest.mark.parametrize("path", ["/admin/", "/admin/ledger/order/"])
def test_a_stranger_is_led_to_the_login(client, db, path):
    response = client.get(path)

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
