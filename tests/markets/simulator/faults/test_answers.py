"""Spoilt answers: what the client sees and what really happened."""

import asyncio
import http.client
import json
import threading
from types import SimpleNamespace

import ccxt
import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.simulator.faults import answers
from tests.markets.simulator.worlds import KEYS

CREATE = {"endpoint": "order.create"}


def open_orders(clients):
    status, found = clients(key=KEYS["alpha"]).get("api/v3/openOrders")
    assert status == 200
    return [order["clientOrderId"] for order in found]


@pytest.mark.parametrize(
    ("kind", "is_carried_out"), [("drop_request", False), ("drop_answer", True)]
)
def test_a_cut_connection_tells_nothing(simulator, clients, ours, kind, is_carried_out):
    simulator.control.add_fault("alpha", kind, **CREATE)

    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ours.order(price="45000", newClientOrderId="mine")

    assert open_orders(clients) == (["mine"] if is_carried_out else [])
    status, answer = clients(key=KEYS["alpha"]).order(price="45000", newClientOrderId="mine")
    assert (status, answer.get("code")) == ((400, -2010) if is_carried_out else (200, None))


def test_a_refusal_is_told_and_nothing_is_carried_out(simulator, clients, ours):
    simulator.control.add_fault(
        "alpha", "refuse", **CREATE, status=429, code=-1003, text="Too many requests."
    )

    refused = ours.order(price="45000")
    taken, _ = ours.order(price="45000", newClientOrderId="second")

    assert refused == (429, {"code": -1003, "msg": "Too many requests."})
    assert taken == 200
    assert open_orders(clients) == ["second"]


CODES = [
    (-1000, 500, ccxt.OperationFailed),
    (-1006, 500, ccxt.OperationFailed),
    (-1007, 504, ccxt.RequestTimeout),
    (-1008, 503, ccxt.ExchangeError),
    (-1015, 429, ccxt.DDoSProtection),
    (-1021, 400, ccxt.InvalidNonce),
    (-2010, 400, ccxt.InvalidOrder),
    (-2015, 401, ccxt.AuthenticationError),
]


@pytest.mark.parametrize("is_carried_out", [False, True])
@pytest.mark.parametrize("case", CODES)
def test_any_code_can_be_told_whether_the_order_was_taken_or_not(
    simulator, clients, exchange, case, is_carried_out
):
    code, status, error = case
    ours = clients(key=KEYS["alpha"])
    simulator.control.add_fault(
        "alpha", "refuse", **CREATE, code=code, is_carried_out=is_carried_out, times=2
    )

    answered, body = ours.order(price="45000", newClientOrderId="raw")
    with pytest.raises(error) as told:
        exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 45000, {"clientOrderId": "ccxt"})

    assert told.type is error
    assert (answered, body["code"]) == (status, code)
    assert open_orders(clients) == (["raw", "ccxt"] if is_carried_out else [])


def test_an_order_that_exists_can_be_said_not_to(simulator, exchange):
    exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 45000, {"clientOrderId": "mine"})
    simulator.control.add_fault("alpha", "refuse", endpoint="order.query", code=-2013)

    with pytest.raises(ccxt.OrderNotFound):
        exchange.fetch_order(None, "BTC/USDT", {"clientOrderId": "mine"})

    found = exchange.fetch_order(None, "BTC/USDT", {"clientOrderId": "mine"})
    assert found["status"] == "open"


@pytest.mark.parametrize("kind", ["html", "truncate", "bad_json"])
def test_an_answer_that_cannot_be_read_belongs_to_an_order_that_was_taken(
    simulator, clients, ours, kind
):
    simulator.control.add_fault("alpha", kind, **CREATE)

    with pytest.raises(json.JSONDecodeError):
        ours.order(price="45000", newClientOrderId="mine")

    assert open_orders(clients) == ["mine"]


@pytest.mark.parametrize("is_carried_out", [False, True])
@pytest.mark.parametrize(
    "case",
    [
        ("html", {"status": 502}, ccxt.ExchangeNotAvailable),
        ("html", {"status": 504}, ccxt.RequestTimeout),
        ("refuse", {"status": 502, "text": "Bad gateway"}, ccxt.ExchangeError),
        ("bad_json", {"status": 503}, ccxt.ExchangeNotAvailable),
        ("empty", {"status": 502}, ccxt.ExchangeNotAvailable),
    ],
)
def test_what_a_gateway_in_between_answers_says_nothing_about_the_order(
    simulator, clients, exchange, case, is_carried_out
):
    kind, more, error = case
    exchange.load_markets()
    simulator.control.add_fault("alpha", kind, **CREATE, **more, is_carried_out=is_carried_out)

    with pytest.raises(error) as told:
        exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 45000, {"clientOrderId": "mine"})

    assert told.type is error
    assert open_orders(clients) == (["mine"] if is_carried_out else [])


def test_a_stock_client_takes_a_page_with_status_200_for_an_order_without_an_id(
    simulator, clients, exchange
):
    simulator.control.add_fault("alpha", "html", **CREATE)

    placed = exchange.create_order(
        "BTC/USDT", "limit", "buy", 0.1, 45000, {"clientOrderId": "mine"}
    )

    assert (placed["id"], placed["status"]) == (None, None)
    assert open_orders(clients) == ["mine"]


def test_an_empty_answer_has_status_200_and_no_body(simulator, clients, ours):
    simulator.control.add_fault("alpha", "empty", **CREATE)

    with pytest.raises(json.JSONDecodeError, match="Expecting value"):
        ours.order(price="45000", newClientOrderId="mine")

    assert open_orders(clients) == ["mine"]


def test_a_late_answer_comes_after_the_order_was_taken(simulator, clients, ours):
    simulator.control.add_fault("alpha", "late_answer", **CREATE, delay_ms=30)

    status, _ = ours.order(price="45000", newClientOrderId="mine")

    assert status == 200
    assert open_orders(clients) == ["mine"]


def test_a_late_request_is_carried_out_after_the_client_gave_up(simulator, clients, monkeypatch):
    may_go_on = threading.Event()
    delay = SimpleNamespace(sleep=lambda _s: asyncio.to_thread(may_go_on.wait, 30))
    monkeypatch.setattr(answers, "asyncio", delay)
    simulator.control.add_fault("alpha", "late_request", **CREATE, delay_ms=300)
    hasty = clients(key=KEYS["alpha"])
    hasty.connection.timeout = 0.05

    with pytest.raises(TimeoutError):
        hasty.order(price="45000", newClientOrderId="mine")
    before = open_orders(clients)
    may_go_on.set()
    account = simulator.control.world.venues["alpha"].engine.accounts["ours"]
    deadline = SYSTEM_CLOCK.monotonic_ms() + 10_000
    while not account.has_open_orders and SYSTEM_CLOCK.monotonic_ms() < deadline:
        simulator.control.call(lambda: None)

    assert before == []
    assert open_orders(clients) == ["mine"]


def test_lists_can_lack_their_rows_or_have_them_twice(simulator, exchange):
    for name in ("first", "second"):
        exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 45000, {"clientOrderId": name})
    for kind in ("double_rows", "lost_row", "empty_list"):
        simulator.control.add_fault("alpha", kind, endpoint="orders.open")

    shown = [
        [order["clientOrderId"] for order in exchange.fetch_open_orders("BTC/USDT")]
        for _ in range(4)
    ]

    assert shown == [[], ["first"], ["first", "first", "second", "second"], ["first", "second"]]


def test_the_balances_of_an_account_can_be_missing(simulator, exchange):
    simulator.control.add_fault("alpha", "empty_list", endpoint="account")

    assert exchange.fetch_balance()["total"] == {}
    assert exchange.fetch_balance()["total"]["BTC"] == 2.0


def raw_headers(simulator, path):
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.headers.get("Retry-After"), json.loads(answer.read())
    connection.close()
    return found


def test_a_rate_limit_says_when_to_come_back(simulator, exchange):
    simulator.control.add_fault("alpha", "rate_limit", endpoint="time", retry_after_s=7, times=2)

    status, retry_after, body = raw_headers(simulator, "/alpha/api/v3/time")
    with pytest.raises(ccxt.DDoSProtection):
        exchange.fetch_time()

    assert (status, retry_after, body["code"]) == (429, "7", -1003)
    assert exchange.fetch_time() > 0


def test_a_ban_says_until_when_and_holds_for_every_request(
    simulator, exchange, ours, standing_time
):
    simulator.control.add_fault("alpha", "ban", for_ms=60_000)

    status, retry_after, body = raw_headers(simulator, "/alpha/api/v3/depth?symbol=BTCUSDT")
    with pytest.raises(ccxt.DDoSProtection, match="banned until"):
        exchange.fetch_time()
    ordered, _ = ours.order(price="45000")

    until_ms = int(body["msg"].partition("banned until ")[2].partition(".")[0])
    assert (status, retry_after, body["code"], ordered) == (418, "60", -1003, 418)
    assert until_ms == standing_time + 60_000
    simulator.control.clear_faults("alpha")
    assert ours.get("api/v3/openOrders") == (200, [])


def test_maintenance_closes_all_but_the_system_status(simulator, exchange, ours):
    simulator.control.add_fault("alpha", "maintenance")

    status = exchange.fetch_status()
    refused = ours.order(price="45000")
    with pytest.raises(ccxt.OnMaintenance):
        exchange.fetch_time()
    simulator.control.clear_faults("alpha")

    assert status["status"] == "maintenance"
    assert refused == (503, {"code": -1000, "msg": "System is under maintenance."})
    assert exchange.fetch_status()["status"] == "ok"
    assert ours.get("api/v3/openOrders") == (200, [])


@pytest.mark.parametrize("offset_ms", [-15_000, 15_000])
def test_a_venue_whose_clock_is_off_refuses_what_is_on_time(simulator, exchange, ours, offset_ms):
    now_ms = exchange.fetch_time()
    simulator.control.add_fault("alpha", "clock_skew", offset_ms=offset_ms)

    stated_ms = exchange.fetch_time()
    status, body = ours.order(price="45000")
    with pytest.raises(ccxt.InvalidNonce):
        exchange.fetch_balance()
    exchange.load_time_difference()
    exchange.options["adjustForTimeDifference"] = True

    assert abs(stated_ms - now_ms - offset_ms) < 5_000
    assert (status, body["code"]) == (400, -1021)
    assert exchange.fetch_open_orders("BTC/USDT") == []
