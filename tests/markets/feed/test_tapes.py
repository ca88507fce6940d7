"""Trades and bars of simulated venues, over real sockets, and on to who watches."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal as D
from random import Random

import orjson
import pytest
import redis

from arbplatform.push.publisher import listen_here
from arbplatform.push.topics import parse_topic
from markets.domain.orders import Side
from markets.feed import interest
from markets.feed.hub import FeedHub
from markets.feed.tapes import TapeHub
from markets.gateway.ccxt_tapes import can_tell
from markets.services import live_tapes
from markets.services.live_feeds import LiveFeeds
from tests.markets.feed.stage import FAST, SYMBOL, TIMEOUT_S, Recorder, streams
from tests.markets.simulator.conftest import clients, ours
from tests.processes import redis_server

__all__ = ["clients", "ours", "redis_server"]

TRADES = parse_topic(f"trades:alpha:{SYMBOL}")
KLINE = parse_topic(f"kline:alpha:{SYMBOL}:1m")
FAR_MS = 4_000_000_000_000


class Told:
    """Remembers what it is told."""

    def __init__(self):
        self.trades = []
        self.candles = []
        self.lost = []
        self._news = asyncio.Event()

    def traded(self, topic, trades):
        self.trades.extend((topic, trade) for trade in trades)
        self._news.set()

    def candles_changed(self, topic, candles):
        self.candles.extend((topic, candle) for candle in candles)
        self._news.set()

    def tape_lost(self, topic, error):
        self.lost.append((topic, error.code))
        self._news.set()

    async def until(self, is_so):
        async with asyncio.timeout(TIMEOUT_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def followed(wanted):
    told = Told()
    hub = TapeHub(listener=told, random=Random(1))  # noqa: S311
    try:
        hub.want(wanted)
        yield told, hub
    finally:
        await hub.close()


async def until_followed(simulator, *names):
    """Return when exactly these streams are listened to: nobody is told."""
    async with asyncio.timeout(TIMEOUT_S):
        while streams(simulator) != set(names):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def bars_of(told, volume):
    """Return the bars with a volume: a new minute may begin with an empty one at any moment."""
    return [row for row in told.candles if row[1].volume == D(volume)]


async def buy(ours, quantity):
    _, order = await asyncio.to_thread(
        ours.order, price="50010", quantity=quantity, timeInForce="IOC"
    )
    return order["fills"][0]["tradeId"]


async def test_trades_and_bars_come_with_the_digits_of_the_venue(simulator, alpha, ours):
    async with followed({alpha: [TRADES, KLINE]}) as (told, _):
        await until_followed(simulator, "btcusdt@trade", "btcusdt@kline_1m")
        number = await buy(ours, "0.123")
        await told.until(lambda: told.trades and bars_of(told, "0.123"))

    [(topic, trade)] = told.trades
    assert topic == TRADES
    assert (trade.price, trade.quantity, trade.side) == (D(50010), D("0.123"), Side.BUY)
    assert trade.id == str(number)
    of, candle = bars_of(told, "0.123")[0]
    assert of == KLINE
    assert (candle.open, candle.close, candle.volume) == (D(50010), D(50010), D("0.123"))
    assert candle.opened_at_ms % 60_000 == 0
    assert candle.opened_at_ms <= trade.traded_at_ms
    assert told.lost == []


async def test_exactly_what_is_wanted_is_followed_and_nothing_once_nobody_listens(
    simulator, alpha, ours
):
    async with followed({alpha: [TRADES, KLINE]}) as (told, hub):
        await until_followed(simulator, "btcusdt@trade", "btcusdt@kline_1m")
        hub.want({alpha: [KLINE]})
        await until_followed(simulator, "btcusdt@kline_1m")

        hub.want({alpha: [KLINE, TRADES]})
        await until_followed(simulator, "btcusdt@trade", "btcusdt@kline_1m")
        await buy(ours, "0.5")
        await told.until(lambda: told.trades)

        hub.want({})
        await until_followed(simulator)

    assert [trade.quantity for _, trade in told.trades] == [D("0.5")]
    assert told.lost == []


async def test_a_connection_that_broke_off_is_told_and_opened_again(simulator, alpha, ours):
    async with followed({alpha: [TRADES]}) as (told, _):
        await until_followed(simulator, "btcusdt@trade")
        simulator.control.add_fault("alpha", "ws_disconnect", times=1)
        await buy(ours, "0.1")  # the message of it is where the connection ends
        await told.until(lambda: told.lost)
        async with asyncio.timeout(TIMEOUT_S):
            while not told.trades:  # nobody is told that the venue listens again
                await buy(ours, "0.01")
                await asyncio.sleep(0.05)

    assert told.lost == [(TRADES, 2004)]
    assert {trade.quantity for _, trade in told.trades} == {D("0.01")}


async def test_a_width_of_bars_that_the_venue_does_not_know_is_told_to_be_lost(simulator, alpha):
    odd = parse_topic(f"kline:alpha:{SYMBOL}:7m")
    async with followed({alpha: [odd]}) as (told, _):
        await told.until(lambda: told.lost)

    assert told.lost == [(odd, 2009)]
    assert streams(simulator) == set()


def test_what_a_venue_can_tell_is_known_without_asking_it(alpha):
    assert can_tell(alpha)
    assert can_tell(alpha, "1m")
    assert not can_tell(alpha, "7m")
    assert not can_tell(replace(alpha, ccxt_id="zebpay"))
    assert not can_tell(replace(alpha, ws_origin=""))  # its REST is elsewhere, its streams nowhere


def open_feeds(client, told, specs, name="one"):
    return LiveFeeds(
        listener=told,
        name=name,
        open_hub=lambda listener: FeedHub(listener=listener, timing=FAST, random=Random(1)),  # noqa: S311
        client=client,
        list_specs=lambda: specs,
    )


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as made:
        yield made


def drawings(frames):
    """Return the messages in which the bar of the trade is."""
    return [frame for of, frame in frames if of == KLINE.channel and b'"volume":"0.4"' in frame]


async def test_what_is_watched_is_told_to_clients_by_the_one_engine_that_follows_it(
    simulator, alpha, client, ours
):
    frames: list[tuple[str, bytes]] = []
    stop = listen_here(frames.extend)
    interest.register_topics(client, [TRADES, KLINE], now_ms=FAR_MS)
    told = Recorder()
    told.hub = feeds = open_feeds(client, told, [alpha])
    try:
        await until_followed(simulator, "btcusdt@trade", "btcusdt@kline_1m")
        number = await buy(ours, "0.4")
        await told.until_so(lambda: TRADES.channel in dict(frames) and drawings(frames))
        client.delete(interest.TOPICS_KEY)
        await until_followed(simulator)
    finally:
        stop()
        await feeds.close()

    traded = orjson.loads(dict(frames)[TRADES.channel])["data"]
    [trade] = traded.pop("trades")
    assert traded == {"venue": "alpha", "symbol": SYMBOL, "state": "healthy"}
    assert trade.pop("traded_at").endswith("Z")
    assert trade == {"id": str(number), "side": "buy", "price": "50010", "quantity": "0.4"}
    drawn = orjson.loads(drawings(frames)[0])["data"]
    assert (drawn["timeframe"], drawn["state"]) == ("1m", "healthy")
    assert {bar["close"] for bar in drawn["candles"]} == {"50010"}
    assert told.books == []  # the book of the market is of no interest to anybody


async def test_no_more_is_followed_than_may_be_and_clients_of_the_rest_are_told(
    simulator, alpha, monkeypatch
):
    monkeypatch.setattr(live_tapes, "TAPES_MAX", 1)
    frames: list[tuple[str, bytes]] = []
    stop = listen_here(frames.extend)
    tapes = live_tapes.LiveTapes()
    try:
        tapes.want([TRADES], {"alpha": alpha})
        await until_followed(simulator, "btcusdt@trade")
        tapes.want([KLINE, TRADES], {"alpha": alpha})
        async with asyncio.timeout(TIMEOUT_S):
            while not frames:  # noqa: ASYNC110  it is published by a thread
                await asyncio.sleep(0.005)
        assert streams(simulator) == {"btcusdt@trade"}
    finally:
        stop()
        await tapes.close()

    [(channel, frame)] = frames
    assert channel == KLINE.channel
    assert orjson.loads(frame)["data"] == {
        "venue": "alpha",
        "symbol": SYMBOL,
        "timeframe": "1m",
        "state": "down",
        "candles": [],
    }


def test_interest_in_trades_and_bars_ends_by_itself(client):
    interest.register_topics(client, [TRADES], now_ms=FAR_MS)
    interest.register_topics(client, [KLINE], now_ms=FAR_MS + 1_000)

    assert interest.current_topics(client, now_ms=FAR_MS) == [KLINE, TRADES]
    assert interest.current_topics(client, now_ms=FAR_MS + 30_500) == [KLINE]
    assert interest.current(client, now_ms=FAR_MS) == []
