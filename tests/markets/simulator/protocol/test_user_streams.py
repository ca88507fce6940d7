"""User data over WebSocket: by listen key, by signed subscription, and requests over a socket."""

import asyncio
import hmac

import aiohttp
import pytest

from tests.markets.simulator.worlds import KEYS, READER_KEY

TIMEOUT_S = 30
USER_STREAM = "api/v3/userDataStream"


@pytest.fixture
async def socket(simulator):
    async with aiohttp.ClientSession() as session:

        async def connect(path, venue="alpha"):
            return await session.ws_connect(f"{simulator.ws_url}/{venue}/{path}")

        yield connect


async def receive(socket, count=1):
    found = [await asyncio.wait_for(socket.receive_json(), TIMEOUT_S) for _ in range(count)]
    return found if count > 1 else found[0]


def signed(client, key=KEYS["alpha"], **params):
    """Return parameters signed as over a socket: in the order of their names."""
    sent = {"apiKey": key[0], "timestamp": client.now_ms()} | params
    payload = "&".join(f"{name}={sent[name]}" for name in sorted(sent))
    return sent | {"signature": hmac.digest(key[1].encode(), payload.encode(), "sha256").hex()}


async def ask(socket, method, **params):
    await socket.send_json({"id": "q", "method": method, "params": params})
    return await receive(socket)


def listen_key(client):
    return client.send("POST", USER_STREAM)[1]["listenKey"]


async def test_an_order_is_told_with_its_execution_and_the_new_balances(ours, socket):
    stream = await socket(f"ws/{listen_key(ours)}")

    _, order = ours.order(
        price="50010.5", quantity="1.5", timeInForce="IOC", newClientOrderId="mine"
    )
    new, first, second, position = await receive(stream, 4)

    assert [(row["x"], row["X"], row["z"]) for row in (new, first, second)] == [
        ("NEW", "NEW", "0.00000000"),
        ("TRADE", "PARTIALLY_FILLED", "1.00000000"),
        ("TRADE", "FILLED", "1.50000000"),
    ]
    assert {row["i"] for row in (new, first, second)} == {order["orderId"]}
    assert (first["l"], first["L"], first["n"], first["N"], first["m"]) == (
        "1.00000000",
        "50010.00000000",
        "0.00100000",
        "BTC",
        False,
    )
    assert second["t"] == order["fills"][1]["tradeId"]
    assert second["Z"] == order["cummulativeQuoteQty"]
    assert position["e"] == "outboundAccountPosition"
    assert {row["a"]: (row["f"], row["l"]) for row in position["B"]} == {
        "BTC": ("3.49850000", "0.00000000"),
        "USDT": ("24984.75000000", "0.00000000"),
    }


async def test_the_resting_side_of_a_trade_hears_of_it_too(ours, other, socket):
    _, resting = other.order(side="SELL", price="50001", quantity="0.3")
    stream = await socket(f"ws/{listen_key(other)}")

    ours.order(price="50001", quantity="0.2", timeInForce="IOC")
    report, position = await receive(stream, 2)

    assert (report["i"], report["x"], report["X"], report["m"]) == (
        resting["orderId"],
        "TRADE",
        "PARTIALLY_FILLED",
        True,
    )
    assert position["B"][0] == {"a": "BTC", "f": "1.70000000", "l": "0.10000000"}


async def test_a_quote_of_the_house_that_fills_a_resting_order_is_told(simulator, ours, socket):
    ours.order(price="50005", quantity="0.3")
    stream = await socket(f"ws/{listen_key(ours)}")

    simulator.control.set_book("alpha", "BTC/USDT", [], [("50005", "1")])
    report, _ = await receive(stream, 2)

    assert (report["x"], report["X"], report["l"]) == ("TRADE", "FILLED", "0.30000000")


async def test_cancellation_expiry_and_self_trade_are_told(ours, socket):
    stream = await socket(f"ws/{listen_key(ours)}")
    _, order = ours.order(price="45000", newClientOrderId="mine")
    await receive(stream, 2)

    ours.call("DELETE", "api/v3/order", symbol="BTCUSDT", orderId=order["orderId"])
    cancelled, _ = await receive(stream, 2)
    ours.order(price="45000", timeInForce="IOC")
    _, expired, _ = await receive(stream, 3)
    ours.order(side="SELL", price="50005", newClientOrderId="resting")
    await receive(stream, 2)
    ours.order(price="50005", timeInForce="IOC")
    _, prevented, ended, _ = await receive(stream, 4)

    assert (cancelled["x"], cancelled["X"], cancelled["C"]) == ("CANCELED", "CANCELED", "mine")
    assert (expired["x"], expired["X"]) == ("EXPIRED", "EXPIRED")
    assert (prevented["c"], prevented["x"], prevented["X"]) == (
        "resting",
        "TRADE_PREVENTION",
        "EXPIRED_IN_MATCH",
    )
    assert (ended["x"], ended["X"]) == ("EXPIRED", "EXPIRED")


async def test_movements_of_funds_are_told(ours, socket):
    stream = await socket(f"ws/{listen_key(ours)}")

    ours.call("POST", "sapi/v1/asset/transfer", type="MAIN_FUNDING", asset="USDT", amount="250.5")
    update, position = await receive(stream, 2)

    assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "USDT", "-250.50000000")
    assert position["B"] == [{"a": "USDT", "f": "99749.50000000", "l": "0.00000000"}]


async def test_a_listen_key_in_a_combined_stream_wraps_its_events(ours, socket):
    key = listen_key(ours)
    stream = await socket(f"stream?streams={key}/btcusdt@trade")

    ours.order(price="45000")
    message = await receive(stream)

    assert (message["stream"], message["data"]["x"]) == (key, "NEW")


async def test_a_listen_key_is_kept_alive_and_closed(ours, anyone):
    key = listen_key(ours)

    assert listen_key(ours) == key
    assert ours.send("PUT", USER_STREAM, f"listenKey={key}") == (200, {})
    assert ours.send("DELETE", USER_STREAM, f"listenKey={key}") == (200, {})
    status, answer = ours.send("PUT", USER_STREAM, f"listenKey={key}")
    assert (status, answer["code"]) == (400, -1125)
    assert anyone.send("POST", USER_STREAM)[1]["code"] == -2014


async def test_a_signed_subscription_wraps_events_with_its_number(ours, socket):
    requests = await socket("ws-api/v3")

    answer = await ask(requests, "userDataStream.subscribe.signature", **signed(ours))
    ours.order(price="45000")
    message = await receive(requests)

    assert (answer["status"], answer["result"]) == (200, {"subscriptionId": 0})
    assert (message["subscriptionId"], message["event"]["x"]) == (0, "NEW")


async def test_a_subscription_ends_when_it_is_asked_to(ours, socket):
    requests = await socket("ws-api/v3")
    await ask(requests, "userDataStream.subscribe.signature", **signed(ours))

    await ask(requests, "userDataStream.unsubscribe")
    ours.order(price="45000")

    assert (await ask(requests, "ping"))["result"] == {}


async def test_orders_go_over_a_socket(ours, socket):
    requests = await socket("ws-api/v3")
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "45000",
        "newClientOrderId": "mine",
    }

    placed = await ask(requests, "order.place", **signed(ours, **order))
    repeated = await ask(requests, "order.place", **signed(ours, **order))
    found = await ask(
        requests,
        "order.status",
        **signed(ours, symbol="BTCUSDT", orderId=placed["result"]["orderId"]),
    )
    cancelled = await ask(
        requests, "order.cancel", **signed(ours, symbol="BTCUSDT", origClientOrderId="mine")
    )

    assert placed["result"]["status"] == "NEW"
    assert (repeated["status"], repeated["error"]) == (
        400,
        {"code": -2010, "msg": "Duplicate order sent."},
    )
    assert found["result"]["clientOrderId"] == "mine"
    assert cancelled["result"]["status"] == "CANCELED"


async def test_a_session_that_logged_on_needs_no_more_signatures(ours, socket):
    requests = await socket("ws-api/v3")

    logged_on = await ask(requests, "session.logon", **signed(ours))
    subscribed = await ask(requests, "userDataStream.subscribe")
    account = await ask(requests, "account.status", timestamp=ours.now_ms())
    await ask(requests, "session.logout")
    refused = await ask(requests, "account.status", timestamp=ours.now_ms())

    assert logged_on["result"]["apiKey"] == KEYS["alpha"][0]
    assert subscribed["result"] == {"subscriptionId": 0}
    assert account["result"]["balances"][0]["asset"] == "BTC"
    assert refused["error"]["code"] == -2014


async def test_a_session_has_the_rights_of_its_key(ours, socket):
    requests = await socket("ws-api/v3")
    await ask(requests, "session.logon", **signed(ours, key=READER_KEY))

    refused = await ask(requests, "openOrders.cancelAll", symbol="BTCUSDT", timestamp=ours.now_ms())

    assert refused["error"]["code"] == -2015


async def test_public_questions_and_listen_keys_go_over_a_socket(ours, socket):
    requests = await socket("ws-api/v3")

    depth = await ask(requests, "depth", symbol="BTCUSDT", limit=1)
    info = await ask(requests, "exchangeInfo", symbols=["ETHBTC"])
    started = await ask(requests, "userDataStream.start", apiKey=KEYS["alpha"][0])

    assert depth["result"]["bids"] == [["50000.00000000", "1.00000000"]]
    assert [market["symbol"] for market in info["result"]["symbols"]] == ["ETHBTC"]
    assert started["result"]["listenKey"] == listen_key(ours)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("nonsense", -1100),
        ("[]", -1100),
        ('{"id": 1, "method": "order.dance"}', -1020),
        ('{"id": 1, "method": "depth", "params": []}', -1102),
        ('{"id": 1, "method": "depth", "params": "BTCUSDT"}', -1100),
        ('{"id": 1, "method": "userDataStream.subscribe"}', -2015),
        ('{"id": 1, "method": "account.status", "params": {"apiKey": "stranger"}}', -2015),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(socket, sent, code):
    requests = await socket("ws-api/v3")

    await requests.send_str(sent)
    answer = await receive(requests)

    assert answer["error"]["code"] == code
    assert answer["status"] >= 400


async def test_a_wrong_signature_is_refused_over_a_socket(ours, socket):
    requests = await socket("ws-api/v3")

    answer = await ask(
        requests, "account.status", **signed(ours, key=(KEYS["alpha"][0], "guessed"))
    )

    assert answer["error"]["code"] == -1022
