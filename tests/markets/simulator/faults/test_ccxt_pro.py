"""What a stock WebSocket client makes of faults."""

import asyncio
from itertools import cycle

import ccxt
import pytest

from tests.markets.simulator.worlds import ASKS, BIDS

TIMEOUT_S = 30


async def watch(simulator, exchange, prices):
    """Return the next book that a client sees, while the best bid keeps moving."""
    waiting = asyncio.ensure_future(exchange.watch_order_book("BTC/USDT"))
    while not waiting.done():
        simulator.control.set_book("alpha", "BTC/USDT", [(next(prices), "1"), *BIDS], ASKS)
        await asyncio.wait({waiting}, timeout=0.05)
    return waiting.result()


@pytest.fixture
def prices():
    """Prices below the best ask, each another one than the one before."""
    return cycle(f"{50_001 + number * 0.1:.1f}" for number in range(80))


async def until_raised(simulator, exchange, prices):
    """Watch until the client says that something is wrong."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            await watch(simulator, exchange, prices)


async def test_a_gap_is_noticed_and_the_book_is_read_anew(simulator, pro_exchange, prices):
    await watch(simulator, pro_exchange, prices)
    simulator.control.add_fault("alpha", "ws_gap", symbol="BTC/USDT")

    with pytest.raises(ccxt.ChecksumError):
        await until_raised(simulator, pro_exchange, prices)

    book = await watch(simulator, pro_exchange, prices)
    assert book["bids"][1][:2] == [50000.0, 1.0]


async def test_a_cut_connection_is_noticed(simulator, pro_exchange, prices):
    await watch(simulator, pro_exchange, prices)
    simulator.control.add_fault("alpha", "ws_disconnect", stream="market")

    with pytest.raises(ccxt.NetworkError):
        await until_raised(simulator, pro_exchange, prices)


async def test_a_crossed_book_is_seen_crossed(simulator, pro_exchange, prices):
    await watch(simulator, pro_exchange, prices)
    simulator.control.add_fault("alpha", "crossed_book", bps=20)

    async with asyncio.timeout(TIMEOUT_S):
        book = await watch(simulator, pro_exchange, prices)
        while book["bids"][0][0] < book["asks"][0][0]:
            book = await watch(simulator, pro_exchange, prices)

    assert (book["bids"][0][0], book["asks"][0][0]) == (50110.1, 50010.0)


async def test_an_order_over_a_socket_is_refused_by_code_although_it_was_taken(
    simulator, pro_exchange
):
    await pro_exchange.load_markets()
    simulator.control.add_fault(
        "alpha", "refuse", endpoint="order.create", code=-1007, is_carried_out=True
    )

    with pytest.raises(ccxt.RequestTimeout):
        async with asyncio.timeout(TIMEOUT_S):
            await pro_exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.1, 45000)

    [order] = await pro_exchange.fetch_open_orders("BTC/USDT")
    assert order["price"] == 45000.0
