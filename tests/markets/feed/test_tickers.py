"""Best prices of whole simulated venues, over real sockets."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal as D
from random import Random

import ccxt
import pytest

from markets.domain.health import VenueHealth, VenueState
from markets.feed.tickers import TickerHub
from markets.gateway.ccxt_tickers import NoTickerStream, TickerStream
from markets.gateway.factory import markets_of
from tests.markets.feed.stage import SYMBOL, TIMEOUT_S, move, spec_of


class Recorder:
    """Remembers the newest prices and how they came."""

    def __init__(self):
        self.bids = {}
        self.ways = {}
        self.lost = {}
        self._news = asyncio.Event()

    def tickers_changed(self, venue, tickers, *, is_streamed):
        told = list(tickers)
        self.bids.update({(venue, ticker.symbol): ticker.bid for ticker in told})
        self.ways.setdefault(venue, []).append(is_streamed)
        self._news.set()

    def venue_lost(self, venue, error):
        self.lost[venue] = error
        self._news.set()

    async def until(self, is_so):
        async with asyncio.timeout(TIMEOUT_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def followed(*specs):
    recorder = Recorder()
    hub = TickerHub(listener=recorder, random=Random(1), poll_s=0.05)  # noqa: S311
    try:
        hub.want(specs)
        yield recorder
    finally:
        await hub.close()


async def test_all_prices_are_read_once_and_then_told_by_one_stream(simulator, alpha):
    async with followed(alpha) as told:
        await told.until(lambda: True in told.ways.get("alpha", ()))
        assert told.ways["alpha"][0] is False

        move(simulator, "50001.5")
        await told.until(lambda: told.bids["alpha", SYMBOL] == D("50001.5"))

    assert told.ways["alpha"].count(False) == 1
    assert told.lost == {}


async def test_a_venue_without_a_stream_is_asked_again_and_again(simulator, alpha):
    async with followed(replace(alpha, ws_origin="")) as told:
        await told.until(lambda: len(told.ways.get("alpha", ())) > 1)
        move(simulator, "50002")
        await told.until(lambda: told.bids["alpha", SYMBOL] == D(50002))

    assert set(told.ways["alpha"]) == {False}


async def test_a_venue_that_does_not_answer_is_told_to_be_lost_and_comes_back(simulator, alpha):
    # nothing listens at the discard port
    away = replace(alpha, code="away", rest_origin="http://127.0.0.1:9", ws_origin="")
    async with followed(alpha, away) as told:
        await told.until(lambda: "away" in told.lost and ("alpha", SYMBOL) in told.bids)

    assert told.lost["away"].code == 2004


async def test_a_block_and_its_end_are_heard_of_while_a_venue_is_followed(simulator, alpha):
    spec = replace(alpha, ws_origin="")
    recorder = Recorder()
    hub = TickerHub(listener=recorder, random=Random(1), poll_s=0.05)  # noqa: S311
    hub.want([spec])
    await recorder.until(lambda: "alpha" in recorder.ways)

    hub.want([replace(spec, health=VenueHealth(VenueState.BLOCKED, 1))])
    await recorder.until(lambda: "alpha" in recorder.lost)
    recorder.ways.clear()
    hub.want([replace(spec, health=VenueHealth(VenueState.HEALTHY, 2))])
    await recorder.until(lambda: "alpha" in recorder.ways)
    await hub.close()

    assert recorder.lost["alpha"].code == 2054


async def test_only_wanted_venues_are_followed(simulator, alpha, beta):
    recorder = Recorder()
    hub = TickerHub(listener=recorder, random=Random(1), poll_s=0.05)  # noqa: S311
    hub.want([alpha, beta])
    await recorder.until(lambda: {"alpha", "beta"} <= recorder.ways.keys())

    hub.want([beta])
    recorder.ways.clear()
    await recorder.until(lambda: "beta" in recorder.ways)
    await hub.close()

    assert "alpha" not in recorder.ways


async def test_a_class_that_watches_named_markets_only_has_no_stream_of_all(simulator):
    spec = spec_of(simulator, ccxt_id="okx")
    source = ccxt.okx()
    parts = {"base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
    source.set_markets([{"id": "BTC-USDT", "symbol": SYMBOL, **parts}])
    stream = TickerStream(spec, source, timeout_ms=1_000)
    try:
        with pytest.raises(NoTickerStream):
            await stream.next(timeout_s=1)
    finally:
        await stream.close()


async def test_a_class_without_streams_has_no_stream_of_prices(simulator, alpha):
    source = await asyncio.to_thread(markets_of, alpha)

    with pytest.raises(NoTickerStream):
        TickerStream(replace(alpha, ccxt_id="zebpay"), source, timeout_ms=1_000)
