"""Market streams over WebSocket."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.markets.simulator.worlds import ASKS, BIDS

TIMEOUT_S = 30


@pytest.fixture
async def socket(simulator):
    """Opens WebSockets below a venue."""
    async with aiohttp.ClientSession() as session:

        async def connect(path, venue="alpha"):
            return await session.ws_connect(f"{simulator.ws_url}/{venue}/{path}")

        yield connect


async def receive(socket):
    return await asyncio.wait_for(socket.receive_json(), TIMEOUT_S)


async def subscribe(socket, *names):
    await socket.send_json({"method": "SUBSCRIBE", "params": list(names), "id": 1})
    assert await receive(socket) == {"result": None, "id": 1}


async def test_differences_of_a_book_follow_its_snapshot_without_a_gap(simulator, anyone, socket):
    stream = await socket("ws/btcusdt@depth@100ms")
    await subscribe(stream)  # answered after the stream of the address is subscribed
    _, snapshot = anyone.get("api/v3/depth", symbol="BTCUSDT")

    simulator.control.set_book("alpha", "BTC/USDT", [("50001", "1"), *BIDS[1:]], ASKS)
    first = await receive(stream)
    simulator.control.set_book("alpha", "BTC/USDT", [("50001", "2"), *BIDS[1:]], ASKS[:1])
    second = await receive(stream)

    assert (first["e"], first["s"]) == ("depthUpdate", "BTCUSDT")
    assert first["U"] <= snapshot["lastUpdateId"] + 1 <= first["u"]
    assert first["b"] == [["50001.00000000", "1.00000000"], ["50000.00000000", "0.00000000"]]
    assert second["U"] == first["u"] + 1
    assert second["b"] == [["50001.00000000", "2.00000000"]]
    assert sorted(second["a"]) == [
        ["50010.50000000", "0.00000000"],
        ["50020.00000000", "0.00000000"],
    ]


async def test_applying_the_differences_to_a_snapshot_gives_the_book(
    simulator, anyone, ours, socket
):
    stream = await socket("ws/btcusdt@depth@100ms")
    await subscribe(stream)
    _, snapshot = anyone.get("api/v3/depth", symbol="BTCUSDT")
    book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
    seen = snapshot["lastUpdateId"]

    ours.order(price="50010.5", quantity="1.5", timeInForce="IOC")
    ours.order(price="49000", quantity="0.5")
    simulator.control.set_book("alpha", "BTC/USDT", BIDS[1:], [("50011", "4")])
    _, wanted = anyone.get("api/v3/depth", symbol="BTCUSDT")
    while seen < wanted["lastUpdateId"]:
        message = await receive(stream)
        if message["u"] <= seen:
            continue
        assert message["U"] <= seen + 1
        seen = message["u"]
        for side, key in (("bids", "b"), ("asks", "a")):
            for price, quantity in message[key]:
                book[side][price] = quantity
                if float(quantity) == 0:
                    del book[side][price]

    assert book["bids"] == dict(wanted["bids"])
    assert book["asks"] == dict(wanted["asks"])


async def test_trades_and_best_prices_are_sent_at_once(ours, socket):
    stream = await socket("stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@bookTicker")
    await subscribe(stream)

    _, order = ours.order(price="50010", quantity="0.4", timeInForce="IOC")
    messages = {
        message["stream"]: message["data"] for message in [await receive(stream) for _ in range(3)]
    }

    trade = messages["btcusdt@trade"]
    assert (trade["t"], trade["p"], trade["q"], trade["m"]) == (
        order["fills"][0]["tradeId"],
        "50010.00000000",
        "0.40000000",
        False,
    )
    assert messages["btcusdt@aggTrade"]["a"] == trade["t"]
    best = messages["btcusdt@bookTicker"]
    assert (best["b"], best["a"], best["A"]) == ("50000.00000000", "50010.00000000", "0.60000000")


async def test_best_prices_are_not_sent_again_when_only_deeper_levels_change(simulator, socket):
    stream = await socket("ws")
    await subscribe(stream, "btcusdt@bookTicker")

    simulator.control.set_book("alpha", "BTC/USDT", BIDS, ASKS[:1])
    first = await receive(stream)
    simulator.control.set_book("alpha", "BTC/USDT", BIDS[:2], ASKS[:1])
    simulator.control.set_book("alpha", "BTC/USDT", [("50002", "1")], ASKS[:1])
    second = await receive(stream)

    assert (first["b"], second["b"]) == ("50000.00000000", "50002.00000000")


async def test_partial_books_candles_and_tickers_come_at_a_pace(ours, socket, standing_time):
    ours.order(price="50010", quantity="0.4", timeInForce="IOC")
    stream = await socket("stream?streams=btcusdt@depth5@100ms/btcusdt@kline_1m/btcusdt@ticker")
    messages: dict[str, Any] = {}
    while len(messages) < 3:
        message = await receive(stream)
        messages[message["stream"]] = message["data"]

    depth = messages["btcusdt@depth5@100ms"]
    candle = messages["btcusdt@kline_1m"]["k"]
    ticker = messages["btcusdt@ticker"]
    assert depth["asks"][0] == ["50010.00000000", "0.60000000"]
    assert (candle["i"], candle["o"], candle["c"], candle["v"], candle["x"]) == (
        "1m",
        "50010.00000000",
        "50010.00000000",
        "0.40000000",
        False,
    )
    assert (ticker["e"], ticker["c"], ticker["v"]) == (
        "24hrTicker",
        "50010.00000000",
        "0.40000000",
    )


async def test_tickers_of_all_markets_come_as_one_list(socket):
    stream = await socket("ws/!miniTicker@arr")

    rows = await receive(stream)

    assert [(row["e"], row["s"]) for row in rows] == [
        ("24hrMiniTicker", "BTCUSDT"),
        ("24hrMiniTicker", "ETHBTC"),
    ]


async def test_subscriptions_are_listed_and_ended(ours, socket):
    stream = await socket("ws/0")
    await subscribe(stream, "btcusdt@trade", "ethbtc@trade")
    await stream.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
    assert await receive(stream) == {"result": None, "id": 2}

    ours.order(price="50010", quantity="0.4", timeInForce="IOC")
    await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})

    assert await receive(stream) == {"result": ["ethbtc@trade"], "id": 3}


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "SUBSCRIBE", "params": ["btcusdt@nonsense"], "id": 9},
        {"method": "SUBSCRIBE", "params": ["btcusdt@kline_7m"], "id": 9},
        {"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 9},
        {"method": "SUBSCRIBE", "params": ["x@trade"] * 1025, "id": 9},
        {"method": "DANCE", "params": [], "id": 9},
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_request_that_makes_no_sense_is_refused(socket, request_):
    stream = await socket("ws")
    await stream.send_json(request_)

    answer = await receive(stream)

    assert (answer["id"], answer["error"]["code"]) == (9, 2)


async def test_what_is_no_json_object_is_refused(socket):
    stream = await socket("ws")
    for text in ("[]", "{"):
        await stream.send_str(text)
        assert (await receive(stream))["error"]["code"] == 2


async def test_an_unknown_websocket_address_is_not_found(socket):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await socket("elsewhere")

    assert refused.value.status == 404


async def test_streams_without_listeners_leave_nothing_behind(simulator, socket):
    stream = await socket("ws/btcusdt@depth@100ms")
    await subscribe(stream)
    book = simulator.control.world.venues["alpha"].engine.listings["BTC/USDT"].book
    assert len(book.bids.watchers) == 1

    await stream.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 2})
    await receive(stream)

    assert book.bids.watchers == []
    assert book.asks.watchers == []
