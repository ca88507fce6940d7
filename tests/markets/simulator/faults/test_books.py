"""Books that stand still or are crossed, over REST and WebSocket; the true book trades on."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.markets.simulator.worlds import ASKS, BIDS

TIMEOUT_S = 30


@pytest.fixture
async def listen(simulator):
    """Opens a WebSocket that has subscribed to streams."""
    async with aiohttp.ClientSession() as session:

        async def connect(names):
            socket = await session.ws_connect(f"{simulator.ws_url}/alpha/stream")
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            assert (await receive(socket))["id"] == 1
            return socket

        yield connect


async def receive(socket):
    return await asyncio.wait_for(socket.receive_json(), TIMEOUT_S)


async def receive_until(socket, is_enough):
    messages: list[dict[str, Any]] = []
    while not is_enough(messages):
        messages.append(await receive(socket))
    return messages


def streams_of(messages):
    return {message["stream"] for message in messages}


def test_a_stale_book_stands_still_while_the_true_one_trades(simulator, exchange):
    simulator.control.add_fault("alpha", "stale_book", symbol="BTC/USDT")
    simulator.control.set_book("alpha", "BTC/USDT", [("40000", "1")], [("40010", "1")])

    book = exchange.fetch_order_book("BTC/USDT")
    ticker = exchange.fetch_ticker("BTC/USDT")
    best = exchange.fetch_bids_asks(["BTC/USDT"])["BTC/USDT"]
    bought = exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 50010, {"timeInForce": "IOC"})
    simulator.control.clear_faults("alpha")

    assert [level[:2] for level in book["asks"]] == [[50010.0, 1.0], [50010.5, 2.0], [50020.0, 3.0]]
    assert (ticker["bid"], best["ask"]) == (50000.0, 50010.0)
    assert bought["average"] == 40010.0
    assert exchange.fetch_order_book("BTC/USDT")["asks"] == [[40010.0, 0.5]]


def test_other_books_and_the_next_stale_book_are_fresh(simulator, anyone):
    simulator.control.set_book("alpha", "ETH/BTC", [("0.05", "1")], [("0.051", "1")])
    first = simulator.control.add_fault("alpha", "stale_book", symbol="BTC/USDT")
    simulator.control.set_book("alpha", "ETH/BTC", [("0.04", "1")], [("0.041", "1")])
    other = anyone.get("api/v3/depth", symbol="ETHBTC")[1]
    simulator.control.remove_fault("alpha", first)
    anyone.get("api/v3/depth", symbol="BTCUSDT")
    simulator.control.set_book("alpha", "BTC/USDT", [("40000", "1")], [("40010", "1")])
    simulator.control.add_fault("alpha", "stale_book", symbol="BTC/USDT")
    simulator.control.set_book("alpha", "BTC/USDT", BIDS, ASKS)

    assert other["bids"] == [["0.04000000", "1.00000000"]]
    assert anyone.get("api/v3/depth", symbol="BTCUSDT")[1]["bids"][0][0] == "40000.00000000"


def test_a_crossed_book_has_a_false_best_bid(simulator, exchange):
    simulator.control.add_fault("alpha", "crossed_book", bps=20)

    book = exchange.fetch_order_book("BTC/USDT")
    best = exchange.fetch_bids_asks(["BTC/USDT"])["BTC/USDT"]
    sold = exchange.create_order("BTC/USDT", "limit", "sell", 0.5, 50000, {"timeInForce": "IOC"})
    simulator.control.clear_faults("alpha")

    assert [level[:2] for level in book["bids"][:2]] == [[50110.1, 1.0], [50000.0, 1.0]]
    assert (best["bid"], best["ask"]) == (50110.1, 50010.0)
    assert sold["average"] == 50000.0
    assert exchange.fetch_order_book("BTC/USDT")["bids"][0] == [50000.0, 0.5]


def test_an_empty_book_cannot_be_crossed(simulator, anyone):
    simulator.control.add_fault("alpha", "crossed_book")

    assert anyone.get("api/v3/depth", symbol="ETHBTC")[1]["bids"] == []


async def test_streams_of_a_stale_book_say_nothing_new_and_then_everything(simulator, listen):
    depth, best = "btcusdt@depth@100ms", "btcusdt@bookTicker"
    socket = await listen([depth, best, "btcusdt@depth5@100ms"])
    simulator.control.set_book("alpha", "BTC/USDT", [("50001", "1")], ASKS)
    seen = await receive_until(socket, lambda messages: {depth, best} <= streams_of(messages))
    simulator.control.add_fault("alpha", "stale_book")
    simulator.control.set_book("alpha", "BTC/USDT", [("40000", "1")], [("40010", "1")])
    during = [await receive(socket) for _ in range(3)]
    simulator.control.clear_faults("alpha")
    after = await receive_until(socket, lambda messages: depth in streams_of(messages))

    last = max(m["data"]["u"] for m in seen if m["stream"] == depth)
    later = [m for m in during if m not in seen]
    assert {message["stream"] for message in later} <= {"btcusdt@depth5@100ms"}
    assert {message["data"]["bids"][0][0] for message in later} <= {"50001.00000000"}
    assert after[-1]["data"]["U"] == last + 1
    assert ["40000.00000000", "1.00000000"] in after[-1]["data"]["b"]


async def test_differences_of_a_crossed_book_cross_it_and_then_mend_it(simulator, listen):
    socket = await listen(["btcusdt@depth@100ms"])
    simulator.control.add_fault("alpha", "crossed_book", bps=20)
    simulator.control.set_book("alpha", "BTC/USDT", [("50001", "2")], ASKS)
    crossed = (await receive(socket))["data"]
    simulator.control.clear_faults("alpha")
    simulator.control.set_book("alpha", "BTC/USDT", [("50002", "2")], ASKS)
    mended = (await receive(socket))["data"]

    assert crossed["b"][0] == ["50110.10000000", "2.00000000"]
    assert ["50001.00000000", "2.00000000"] in crossed["b"]
    assert ["50110.10000000", "0.00000000"] in mended["b"]
    assert mended["U"] == crossed["u"] + 1


async def test_an_old_snapshot_stands_still_while_differences_are_told(simulator, anyone, listen):
    socket = await listen(["btcusdt@depth@100ms"])
    simulator.control.add_fault("alpha", "old_snapshot", symbol="BTC/USDT")

    simulator.control.set_book("alpha", "BTC/USDT", [("50001", "1"), *BIDS], ASKS)
    told = (await receive(socket))["data"]
    read = anyone.get("api/v3/depth", symbol="BTCUSDT")[1]
    simulator.control.clear_faults("alpha")
    fresh = anyone.get("api/v3/depth", symbol="BTCUSDT")[1]

    assert told["b"] == [["50001.00000000", "1.00000000"]]
    assert (read["bids"][0][0], read["lastUpdateId"]) == ("50000.00000000", told["U"] - 1)
    assert (fresh["bids"][0][0], fresh["lastUpdateId"]) == ("50001.00000000", told["u"])
