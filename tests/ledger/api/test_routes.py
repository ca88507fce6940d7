"""Logs, trades, orders, entries and equity over HTTP."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from django.utils import translation
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from arbplatform.api.filters import StrictOrdering
from ledger.api.views import LogListView
from ledger.models import EquitySnapshot, LogEntry, LogLevel
from ledger.services.fills import book_fills
from ledger.services.journal import submit_orders, write_orders
from ledger.services.logs import write_log
from markets.domain.orders import Side
from strategies.models import Strategy
from tests.ledger.fakes import make_fill

LISTS = ["/api/logs", "/api/trades", "/api/orders", "/api/entries"]
ROUTES = [*LISTS, "/api/equity", "/api/orders/1", "/api/entries/1"]


@pytest.fixture
def traded(make_plan, venue, clock):
    """Two filled orders, a purchase and a sale."""
    orders = write_orders(plans=[make_plan(0), make_plan(1, side=Side.SELL, price=D(60_100))])
    return submit_orders(order_ids=[order.pk for order in orders], clock=clock)


@pytest.fixture
def other(db):
    """A strategy that did nothing."""
    return Strategy.objects.create(name="other", type="cross-venue")


@pytest.mark.parametrize("path", ROUTES)
def test_nobody_reads_without_logging_in(anonymous_api, path, refusal, db):
    assert refusal(anonymous_api.get(path)) == (401, 1009, [])


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_facts_cannot_be_written_over_http(staff_api, path, method, refusal):
    assert refusal(getattr(staff_api, method)(path, {})) == (405, 1010, [])


@pytest.mark.parametrize("path", LISTS)
def test_a_slash_at_the_end_is_accepted(user_api, path, data):
    page = {"count": 0, "page": 1, "page_size": 50, "results": []}

    assert data(user_api.get(f"{path}/")) == data(user_api.get(path)) == page


def test_a_trade_as_a_client_sees_it(user_api, traded, data):
    order = traded[0]
    page = data(user_api.get(f"/api/trades?strategy_id={order.strategy_id}&side=buy&ordering=id"))

    assert page["count"] == 2
    first = page["results"][0]
    assert first.pop("id")
    # both legs leave together, so either venue may be the first to trade
    assert first.pop("executed_at") in {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.002000Z"}
    assert first == {
        "strategy_id": order.strategy_id,
        "strategy": "one",
        "execution_id": order.execution_id,
        "order_id": order.pk,
        "account_id": order.account_id,
        "account": "main",
        "venue": "alpha",
        "symbol": "BTC/USDT",
        "side": "buy",
        "price": "60000",
        "quantity": "0.25",
        "cost": "15000",
        "fee": "0.00025",
        "fee_asset": "BTC",
        "is_maker": False,
        "venue_trade_id": first["venue_trade_id"],
    }


def test_a_late_fee_is_shown_like_any_other(user_api, order, data):
    book_fills(order=order, fills=[make_fill(order, fee=None, fee_asset=None)])
    before = data(user_api.get("/api/trades"))["results"][0]
    book_fills(order=order, fills=[make_fill(order)])
    after = data(user_api.get("/api/trades"))["results"][0]

    assert (before["fee"], before["fee_asset"]) == (None, None)
    assert (after["fee"], after["fee_asset"]) == ("0.0005", "BTC")


def test_an_order_as_a_client_sees_it(user_api, traded, data, execution):
    order = traded[0]

    shown = data(user_api.get(f"/api/orders/{order.pk}"))

    assert shown["client_order_id"] == order.client_order_id
    assert (shown["state"], shown["leg_index"], shown["execution_id"]) == (
        "filled",
        0,
        execution.pk,
    )
    assert (shown["quantity"], shown["price"], shown["filled_quantity"], shown["filled_cost"]) == (
        "0.5",
        "60000",
        "0.5",
        "30000",
    )
    assert (shown["error_code"], shown["error"], shown["next_lookup_at"]) == (None, "", None)


def test_an_entry_shows_its_lines(user_api, traded, data, account):
    entry = data(user_api.get("/api/entries?ordering=id"))["results"][0]

    assert data(user_api.get(f"/api/entries/{entry['id']}")) == entry
    assert (entry["kind"], entry["execution_id"]) == ("fill", traded[0].execution_id)
    assert entry["postings"][0] == {
        "book": "wallet",
        "account_id": account.pk,
        "venue": "alpha",
        "wallet": "spot",
        "asset": "BTC",
        "amount": "0.25",
    }
    assert len(entry["postings"]) == 6


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("side=buy", 1),
        ("side=sell", 1),
        ("state=filled", 2),
        ("state=filled&state=open", 2),
        ("state=unknown", 0),
        ("venue=alpha", 2),
        ("venue=beta", 0),
        ("symbol=BTC/USDT", 2),
        ("symbol=ETH/USDT", 0),
        ("execution={execution}", 2),
        ("execution=999", 0),
        ("account={account}", 2),
        ("since=2020-01-01T00:00:00Z", 2),
        ("until=2020-01-01T00:00:00Z", 0),
        ("page_size=1", 2),
        ("page=9", 2),
    ],
)
def test_orders_can_be_narrowed(user_api, traded, data, query, count):
    order = traded[0]
    query = query.format(execution=order.execution_id, account=order.account_id)

    assert data(user_api.get(f"/api/orders?{query}"))["count"] == count


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("kind=fill", 4),
        ("kind=opening", 0),
        ("asset=BTC", 4),
        ("asset=ETH", 0),
        ("venue=alpha", 4),
        ("account={account}&asset=USDT", 4),
        ("since=2026-01-01T00:00:00Z", 4),
        ("until=2026-01-01T00:00:00Z", 0),
    ],
)
def test_entries_can_be_narrowed(user_api, traded, data, query, count):
    page = data(user_api.get(f"/api/entries?{query.format(account=traded[0].account_id)}"))

    assert (page["count"], len(page["results"])) == (count, count)


@pytest.mark.parametrize(
    ("query", "count"),
    [("side=sell", 2), ("order={order}", 2), ("venue=beta", 0), ("since=2026-01-02T00:00:00Z", 0)],
)
def test_trades_can_be_narrowed(user_api, traded, data, query, count):
    page = data(user_api.get(f"/api/trades?{query.format(order=traded[0].pk)}"))

    assert page["count"] == count


def test_logs_are_translated_for_whoever_reads_them(user_api, strategy, data):
    write_log(
        strategy_id=strategy.pk,
        level=LogLevel.WARNING,
        event="edge_seen",
        template="Edge {edge} on {symbol}.",
        edge=D("12.50"),
        symbol="BTC/USDT",
    )

    (line,) = data(user_api.get(f"/api/logs?strategy_id={strategy.pk}"))["results"]

    assert line.pop("id")
    assert line.pop("created_at")
    assert line == {
        "strategy_id": strategy.pk,
        "strategy": "one",
        "level": "warning",
        "event": "edge_seen",
        "message": "Edge 12.5 on BTC/USDT.",
        "context": {"edge": "12.5", "symbol": "BTC/USDT"},
    }


def test_a_log_template_is_looked_up_in_the_catalogue(user_api, data, db):
    template = "This field is required."
    write_log(strategy_id=None, level=LogLevel.INFO, event="x", template=template)
    with translation.override("zh-hans"):
        translated = translation.gettext(template)

    (line,) = data(user_api.get("/api/logs", headers={"accept-language": "zh-hans"}))["results"]

    assert line["message"] == translated != template


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("level=warning", ["w"]),
        ("level_min=warning", ["e", "w"]),
        ("level_min=debug", ["e", "w", "i", "d"]),
        ("event=i", ["i"]),
        ("ordering=level", ["d", "i", "w", "e"]),
        ("ordering=-level,id", ["e", "w", "i", "d"]),
    ],
)
def test_logs_can_be_narrowed_and_ordered(user_api, data, db, query, events):
    for level in LogLevel:
        write_log(strategy_id=None, level=level, event=level.name[0].lower(), template="x")

    page = data(user_api.get(f"/api/logs?{query}"))

    assert [line["event"] for line in page["results"]] == events


@pytest.mark.parametrize(
    ("ordering", "total"),
    [
        ("event", ["event", "pk"]),
        ("-level,-event", ["-level", "-event", "-pk"]),
        ("-id", ["-id"]),
        ("id,level", ["id", "level"]),
    ],
)
def test_equal_rows_have_an_order_too_or_pages_would_repeat_and_miss_them(ordering, total):
    request = Request(APIRequestFactory().get("/api/logs", {"ordering": ordering}))

    rows = StrictOrdering().filter_queryset(request, LogEntry.objects.all(), LogListView())

    assert list(rows.query.order_by) == total


@pytest.mark.parametrize("path", LISTS)
def test_a_strategy_that_does_not_exist_is_not_an_empty_list(user_api, path, refusal, other, data):
    assert refusal(user_api.get(f"{path}?strategy_id=999999")) == (404, 1002, [])
    assert data(user_api.get(f"{path}?strategy_id={other.pk}"))["count"] == 0


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("strategy_id=abc", "strategy_id"),
        ("strategy_id=1.5", "strategy_id"),
        ("strategy_id=-1", "strategy_id"),
        ("strategy_id=99999999999999999999", "strategy_id"),
        ("since=yesterday", "since"),
        ("until=2026-99-99", "until"),
        ("ordering=password", "ordering"),
        ("ordering=id,nonsense", "ordering"),
        ("page=0", "page"),
        ("page_size=201", "page_size"),
    ],
)
def test_a_bad_query_is_refused_with_its_field(user_api, path, query, field, refusal):
    assert refusal(user_api.get(f"{path}?{query}")) == (400, 1001, [field])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/logs?level=loud", "level"),
        ("/api/logs?level_min=30", "level_min"),
        ("/api/trades?side=both", "side"),
        ("/api/trades?order=x", "order"),
        ("/api/orders?state=lost", "state"),
        ("/api/orders?account=0", "account"),
        ("/api/entries?kind=magic", "kind"),
        ("/api/entries?account=x", "account"),
        (f"/api/orders?venue={'x' * 66}", "venue"),
        ("/api/equity?since=x", "since"),
        ("/api/equity?points=0", "points"),
        ("/api/equity?points=1001", "points"),
        ("/api/equity?points=many", "points"),
    ],
)
def test_a_bad_choice_is_refused_with_its_field(user_api, path, field, refusal, db):
    assert refusal(user_api.get(path)) == (400, 1001, [field])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/orders/999", 4004),
        ("/api/orders/99999999999999999999999", 4004),
        ("/api/entries/999", 4005),
        ("/api/entries/99999999999999999999999", 4005),
    ],
)
def test_what_does_not_exist_has_a_code_of_its_own(user_api, path, code, refusal, db):
    assert refusal(user_api.get(path)) == (404, code, [])


def test_equity_is_a_series_with_the_newest_breakdown(user_api, assets, data, settings):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for index in range(10):
        EquitySnapshot.objects.create(
            taken_at=start + timedelta(minutes=index),
            reporting_asset=assets["USDT"],
            total=D(100) + index,
            realised_pnl=D(index),
            breakdown=[{"venue": "alpha", "asset": "USDT", "amount": f"{index}",
                        "price": None, "value": None}],
        )  # fmt: skip

    series = data(user_api.get("/api/equity"))
    thinned = data(user_api.get("/api/equity?points=4"))
    part = data(user_api.get("/api/equity?until=2026-01-01T00:02:00Z"))

    assert series["reporting_asset"] == "USDT"
    assert series["points"][0] == {
        "taken_at": "2026-01-01T00:00:00Z",
        "total": "100",
        "realised_pnl": "0",
    }
    assert len(series["points"]) == 10
    assert series["breakdown"][0]["amount"] == "9"
    assert [point["total"] for point in thinned["points"]] == ["100", "103", "106", "109"]
    assert [point["total"] for point in part["points"]] == ["100", "101"]


def test_equity_before_the_first_snapshot_is_empty(user_api, data):
    assert data(user_api.get("/api/equity")) == {
        "reporting_asset": "USDT",
        "points": [],
        "breakdown": [],
    }


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.usefixtures("venue")
def test_a_page_costs_a_fixed_number_of_statements(
    user_api, make_plan, clock, path, django_assert_max_num_queries
):
    plans = [make_plan(index) for index in range(6)]
    orders = write_orders(plans=plans)
    submit_orders(order_ids=[order.pk for order in orders], clock=clock)
    LogEntry.objects.bulk_create(
        LogEntry(strategy_id=orders[0].strategy_id, event="x", template="x") for _ in range(6)
    )

    with django_assert_max_num_queries(4):
        response = user_api.get(path)

    assert response.json()["data"]["count"] >= 6


def test_no_secret_of_an_account_is_in_any_answer(user_api, traded):
    for path in [*LISTS, "/api/equity", f"/api/orders/{traded[0].pk}"]:
        text = user_api.get(path).content.decode()
        assert "key-of-alpha" not in text
        assert "s" * 20 not in text
