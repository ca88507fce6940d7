"""WebSockets that fall silent, lose a message, or end; and requests over them that go wrong."""

import asyncio
import json

import aiohttp
import pytest

from markets.simulator.faults.config import parse_fault
from tests.markets.simulator.protocol.test_user_streams import listen_key, signed
from tests.markets.simulator.worlds import ASKS, BIDS, KEYS

TIMEOUT_S = 30
DEPTH = "btcusdt@depth@100ms"


@pytest.fixture
async def connect(simulator):
    async with aiohttp.ClientSession() as session:

        async def open_socket(path):
            return await session.ws_connect(f"{simulator.ws_url}/alpha/{path}")

        yield open_socket


async def receive(socket):
    return await asyncio.wait_for(socket.receive_json(), TIMEOUT_S)


async def ended(socket):
    """Return whether the next thing that a socket hears is its end."""
    message = await asyncio.wait_for(socket.receive(), TIMEOUT_S)
    return message.type in {
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
        aiohttp.WSMsgType.CLOSE,
    }


async def subscribed(connect, *names):
    socket = await connect("ws")
    await socket.send_json({"method": "SUBSCRIBE", "params": list(names), "id": 1})
    await receive(socket)
    return socket


def move(simulator, price):
    simulator.control.set_book("alpha", "BTC/USDT", [(price, "1"), *BIDS], ASKS)


async def wait_until_struck(simulator, kind, times=1):
    async with asyncio.timeout(TIMEOUT_S):
        while simulator.control.count_strikes("alpha").get(kind, 0) < times:  # noqa: ASYNC110
            await asyncio.sleep(0)  # what happens in the simulator's thread sets no event here


async def test_a_lost_difference_leaves_a_gap_in_the_numbers(simulator, connect):
    socket = await subscribed(connect, DEPTH)
    simulator.control.add_fault("alpha", "ws_gap", symbol="BTC/USDT")

    move(simulator, "50001")
    await wait_until_struck(simulator, "ws_gap")
    before = simulator.control.world.venues["alpha"].listings["BTCUSDT"].book.changes
    move(simulator, "50002")
    message = await receive(socket)

    assert message["U"] == before + 1
    assert ["50002.00000000", "1.00000000"] in message["b"]
    assert simulator.control.list_faults("alpha") == []


async def test_an_overtaken_difference_comes_after_the_next_one(simulator, connect):
    socket = await subscribed(connect, DEPTH)
    simulator.control.add_fault("alpha", "ws_reorder", symbol="BTC/USDT")

    move(simulator, "50001")
    await wait_until_struck(simulator, "ws_reorder")
    move(simulator, "50002")
    later, earlier = await receive(socket), await receive(socket)

    assert later["U"] == earlier["u"] + 1
    assert earlier["b"] == [["50001.00000000", "1.00000000"]]


async def test_a_doubled_difference_comes_twice(simulator, connect):
    socket = await subscribed(connect, DEPTH)
    simulator.control.add_fault("alpha", "ws_double", symbol="BTC/USDT")

    move(simulator, "50001")
    one, same = await receive(socket), await receive(socket)
    move(simulator, "50002")
    after = await receive(socket)

    assert one == same
    assert after["U"] == one["u"] + 1


async def test_after_a_silence_nothing_is_missing_from_a_book(simulator, connect):
    socket = await subscribed(connect, DEPTH)
    first = simulator.control.world.venues["alpha"].listings["BTCUSDT"].book.changes + 1
    simulator.control.add_fault("alpha", "ws_silence", stream="market")

    move(simulator, "50001")
    await wait_until_struck(simulator, "ws_silence", times=3)
    simulator.control.clear_faults("alpha")
    message = await receive(socket)

    assert message["U"] == first
    assert ["50001.00000000", "1.00000000"] in message["b"]


async def test_a_silent_account_hears_nothing_of_its_orders(simulator, connect, ours):
    socket = await connect(f"ws/{listen_key(ours)}")
    simulator.control.add_fault("alpha", "ws_silence", stream="user", account="ours")

    ours.order(price="45000", newClientOrderId="unheard")
    simulator.control.clear_faults("alpha")
    ours.order(price="45000", newClientOrderId="heard")
    report = await receive(socket)

    assert (report["e"], report["c"]) == ("executionReport", "heard")
    assert len(ours.get("api/v3/openOrders")[1]) == 2


def told_of(report):
    return report["e"], report.get("x")


NEW = ("executionReport", "NEW")
BALANCES = ("outboundAccountPosition", None)


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        ("ws_gap", [BALANCES]),
        ("ws_double", [NEW, NEW, BALANCES]),
        ("ws_reorder", [BALANCES, NEW]),
    ],
)
async def test_an_event_of_an_account_is_lost_doubled_or_overtaken(
    simulator, connect, ours, kind, heard
):
    socket = await connect(f"ws/{listen_key(ours)}")
    simulator.control.add_fault("alpha", kind, stream="user", account="ours")

    ours.order(price="45000")

    assert [told_of(await receive(socket)) for _ in heard] == heard
    assert len(ours.get("api/v3/openOrders")[1]) == 1


async def test_faults_of_one_kind_of_stream_leave_the_other_alone(simulator, connect, ours):
    books = await subscribed(connect, DEPTH)
    account = await connect(f"ws/{listen_key(ours)}")
    simulator.control.add_fault("alpha", "ws_disconnect", stream="user")

    move(simulator, "50001")
    assert (await receive(books))["e"] == "depthUpdate"
    ours.order(price="45000")

    assert await ended(account)
    assert simulator.control.count_strikes("alpha") == {"ws_disconnect": 1}


async def test_a_connection_ends_when_it_should_have_heard_something(simulator, connect, anyone):
    socket = await subscribed(connect, DEPTH)
    simulator.control.add_fault("alpha", "ws_disconnect")

    move(simulator, "50001")

    assert await ended(socket)
    again = await subscribed(connect, DEPTH)
    move(simulator, "50002")
    assert (await receive(again))["e"] == "depthUpdate"
    assert anyone.get("api/v3/ping")[0] == 200


async def test_maintenance_ends_connections_and_refuses_new_ones(simulator, connect):
    socket = await subscribed(connect, DEPTH)
    simulator.control.add_fault("alpha", "maintenance")

    move(simulator, "50001")

    assert await ended(socket)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await connect("ws")
    assert refusal.value.status == 503


ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.1",
    "price": "45000",
}


async def place(socket, client, name):
    params = signed(client, newClientOrderId=name, **ORDER)
    await socket.send_json({"id": "q", "method": "order.place", "params": params})


def orders(client):
    return [order["clientOrderId"] for order in client.get("api/v3/openOrders")[1]]


@pytest.mark.parametrize("is_carried_out", [False, True])
async def test_a_request_over_a_socket_is_refused_by_code(simulator, connect, ours, is_carried_out):
    socket = await connect("ws-api/v3")
    simulator.control.add_fault(
        "alpha",
        "refuse",
        endpoint="order.create",
        symbol="BTC/USDT",
        side="buy",
        account="ours",
        code=-1007,
        is_carried_out=is_carried_out,
    )

    await place(socket, ours, "mine")
    answer = await receive(socket)

    assert (answer["id"], answer["status"], answer["error"]["code"]) == ("q", 504, -1007)
    assert orders(ours) == (["mine"] if is_carried_out else [])


@pytest.mark.parametrize(("kind", "taken"), [("drop_request", []), ("drop_answer", ["mine"])])
async def test_a_request_over_a_socket_ends_it(simulator, connect, ours, kind, taken):
    socket = await connect("ws-api/v3")
    simulator.control.add_fault("alpha", kind, endpoint="order.create")

    await place(socket, ours, "mine")

    assert await ended(socket)
    assert orders(ours) == taken


@pytest.mark.parametrize("kind", ["html", "bad_json", "empty", "truncate"])
async def test_an_answer_over_a_socket_cannot_be_read(simulator, connect, ours, kind):
    socket = await connect("ws-api/v3")
    simulator.control.add_fault("alpha", kind, endpoint="order.create")

    await place(socket, ours, "mine")
    message = await asyncio.wait_for(socket.receive(), TIMEOUT_S)

    with pytest.raises(json.JSONDecodeError):
        json.loads(message.data)
    assert orders(ours) == ["mine"]


@pytest.mark.parametrize("kind", ["late_request", "late_answer"])
async def test_an_answer_over_a_socket_is_late(simulator, connect, ours, kind):
    socket = await connect("ws-api/v3")
    simulator.control.add_fault("alpha", kind, endpoint="order.create", delay_ms=20)

    await place(socket, ours, "mine")

    assert (await receive(socket))["result"]["clientOrderId"] == "mine"


@pytest.mark.parametrize("kind", ["rate_limit", "ban"])
async def test_a_socket_is_told_to_slow_down(simulator, connect, kind):
    socket = await connect("ws-api/v3")
    simulator.control.add_fault("alpha", kind)

    await socket.send_json({"id": 7, "method": "ping"})
    refused = await receive(socket)
    await socket.send_json({"id": 8, "method": "ping"})

    assert (refused["id"], refused["error"]["code"]) == (7, -1003)
    assert refused["status"] == (429 if kind == "rate_limit" else 418)
    assert (await receive(socket))["status"] == 200


async def test_a_list_over_a_socket_can_lack_its_rows(simulator, connect, ours):
    ours.order(price="45000")
    socket = await connect("ws-api/v3")
    simulator.control.add_fault("alpha", "empty_list", endpoint="orders.open", account="ours")
    await socket.send_json({"id": 1, "method": "session.logon", "params": signed(ours)})
    logged_on = await receive(socket)

    found = []
    for number in (2, 3):
        params = {"timestamp": ours.now_ms()}
        await socket.send_json({"id": number, "method": "openOrders.status", "params": params})
        found.append(len((await receive(socket))["result"]))

    assert logged_on["result"]["apiKey"] == KEYS["alpha"][0]
    assert found == [0, 1]


async def test_what_is_no_request_is_refused_as_ever(simulator, connect):
    socket = await connect("ws-api/v3")
    simulator.control.add_fault("alpha", "refuse", endpoint="order.create")

    await socket.send_str("[]")

    assert (await receive(socket))["error"]["code"] == -1100


def test_a_silence_lasts_and_a_gap_does_not():
    assert parse_fault({"kind": "ws_silence"}).times is None
    assert parse_fault({"kind": "ws_gap"}).times == 1
