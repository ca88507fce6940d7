"""Stock ccxt.pro.binance watches and trades on the simulator once its URLs are rewritten."""

import asyncio

import ccxt.pro
import pytest

from tests.markets.feed.stage import streams
from tests.markets.simulator.worlds import ASKS, BIDS

TIMEOUT_S = 30


@pytest.fixture
def exchange(pro_exchange):
    return pro_exchange


async def soon(work):
    return await asyncio.wait_for(work, TIMEOUT_S)


async def until_awaited(exchange, names):
    """Return when the client waits for all these messages."""
    async with asyncio.timeout(TIMEOUT_S):
        while not names <= {  # noqa: ASYNC110  the client tells nobody
            name for client in exchange.clients.values() for name in client.futures
        }:
            await asyncio.sleep(0.005)


async def until_listened(simulator, *names):
    """Return when somebody listens to all these streams: that is noted by another thread."""
    async with asyncio.timeout(TIMEOUT_S):
        while not streams(simulator) >= set(names):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_watched_book_follows_the_real_one(simulator, exchange):
    book = await soon(exchange.watch_order_book("BTC/USDT"))
    assert (book["bids"][0], book["asks"][0]) == ([50000.0, 1.0], [50010.0, 1.0])

    simulator.control.set_book("alpha", "BTC/USDT", [("50001", "2"), *BIDS], ASKS[1:])
    changed = await soon(exchange.watch_order_book("BTC/USDT"))

    assert changed["bids"][:2] == [[50001.0, 2.0], [50000.0, 1.0]]
    assert changed["asks"][0] == [50010.5, 2.0]


async def test_best_prices_tickers_trades_and_candles_are_watched(simulator, exchange):
    await exchange.load_markets()
    trades = asyncio.create_task(exchange.watch_trades("BTC/USDT"))
    candles = asyncio.create_task(exchange.watch_ohlcv("BTC/USDT", "1m"))
    best = asyncio.create_task(exchange.watch_bids_asks(["BTC/USDT"]))
    ticker = asyncio.create_task(exchange.watch_ticker("BTC/USDT"))
    kinds = ("trade", "kline_1m", "bookTicker", "miniTicker")
    await until_listened(simulator, *(f"btcusdt@{kind}" for kind in kinds))

    await exchange.create_order("BTC/USDT", "limit", "buy", 0.4, 50010, {"timeInForce": "IOC"})

    assert (await soon(trades))[-1]["amount"] == 0.4
    assert (await soon(best))["BTC/USDT"]["askVolume"] == 0.6
    assert (await soon(candles))[-1][4] == 50010.0
    assert (await soon(ticker))["symbol"] == "BTC/USDT"


async def test_orders_own_trades_and_balances_are_watched(exchange):
    await exchange.load_markets()
    await soon(exchange.authenticate({"type": "spot"}))
    balance = asyncio.create_task(exchange.watch_balance())
    orders = asyncio.create_task(exchange.watch_orders("BTC/USDT"))
    trades = asyncio.create_task(exchange.watch_my_trades("BTC/USDT"))
    await until_awaited(exchange, {"spot:balance", "orders:BTC/USDT", "myTrades:BTC/USDT"})

    placed = await exchange.create_order(
        "BTC/USDT", "limit", "buy", 0.4, 50010, {"timeInForce": "IOC"}
    )

    assert (await soon(orders))[-1]["id"] == placed["id"]
    [trade] = await soon(trades)
    assert (trade["amount"], trade["price"], trade["fee"]["cost"]) == (0.4, 50010.0, 0.0004)
    assert (await soon(balance))["BTC"]["free"] == 2.3996


async def test_orders_are_sent_listed_and_cancelled_over_a_socket(exchange):
    await exchange.load_markets()

    placed = await soon(exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.1, 45000))
    found = await soon(exchange.fetch_order_ws(placed["id"], "BTC/USDT"))
    open_orders = await soon(exchange.fetch_open_orders_ws("BTC/USDT"))
    cancelled = await soon(exchange.cancel_order_ws(placed["id"], "BTC/USDT"))

    assert (placed["status"], found["id"]) == ("open", placed["id"])
    assert [order["id"] for order in open_orders] == [placed["id"]]
    assert cancelled["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await soon(exchange.cancel_order_ws(placed["id"], "BTC/USDT"))
