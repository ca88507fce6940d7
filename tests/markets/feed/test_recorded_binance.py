"""The recorded session of Binance over real sockets: through connection, hub and gate."""

import asyncio
import gzip
from itertools import islice

import orjson
import pytest
from aiohttp import web

from markets.gateway.base import VenueSpec
from markets.gateway.factory import close_all
from tests.markets.fakes.recordings import recorded_ticks
from tests.markets.feed.stage import followed

SESSIONS = {"BTC": 12_000, "ETH": None}
"""How many lines of each spot session are sent; the price stays within the snapshot in them."""
EXCHANGE_INFO = {
    "timezone": "UTC",
    "serverTime": 0,
    "rateLimits": [],
    "symbols": [
        {
            "symbol": f"{asset}USDT",
            "status": "TRADING",
            "baseAsset": asset,
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True,
            "permissions": ["SPOT"],
            "permissionSets": [["SPOT"]],
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": "0.01",
                    "maxPrice": "1000000",
                    "tickSize": "0.01",
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": "0.00001",
                    "maxQty": "9000",
                    "stepSize": "0.00001",
                },
            ],
        }
        for asset in SESSIONS
    ],
}


AT_ONCE = 100
"""Changes sent before the client has a book; it holds 200 at most while it reads the snapshot."""


class RecordedBinance:
    """Serves what was recorded: the snapshot when it is asked for, the rest after it."""

    def __init__(self, path, lines):
        self.snapshot, self.before, self.after, self.tickers = {}, [], [], {}
        with gzip.open(path) as file:
            for line in islice(file, lines):
                self._sort(line.split(b" ", 1)[1].decode())
        self.asked, self.followed = asyncio.Event(), asyncio.Event()

    def _sort(self, text):
        message = orjson.loads(text)
        if "lastUpdateId" in message:
            self.snapshot = message
        elif message["stream"].endswith("@bookTicker"):
            data = message["data"]
            self.tickers[data["u"]] = (data["b"], data["B"]), (data["a"], data["A"])
        elif "@depth" in message["stream"]:
            (self.after if self.snapshot else self.before).append(text)

    async def answer(self, request):
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        if request.path.endswith("/exchangeInfo"):
            return web.json_response(EXCHANGE_INFO)
        if request.path.endswith("/depth"):
            self.asked.set()
            limit = int(request.query["limit"])
            sides = {side: self.snapshot[side][:limit] for side in ("bids", "asks")}
            return web.json_response(self.snapshot | sides)
        return web.json_response({"serverTime": 0} if request.path.endswith("/time") else [])

    async def _stream(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            said = orjson.loads(frame.data)
            await socket.send_json({"result": None, "id": said["id"]})
            if said["method"] == "SUBSCRIBE":
                for text in self.before:
                    await socket.send_str(text)
                await self.asked.wait()
                for text in self.after[:AT_ONCE]:
                    await socket.send_str(text)
                await self.followed.wait()
                for text in self.after[AT_ONCE:]:
                    await socket.send_str(text)
        return socket


@pytest.fixture(params=SESSIONS)
async def recorded(request):
    path = recorded_ticks(f"spot_{request.param.lower()}usdt_20240808.gz")
    venue = RecordedBinance(path, SESSIONS[request.param])
    runner = web.ServerRunner(web.Server(venue.answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield venue, f"{request.param}/USDT", runner.addresses[0][1]
    await runner.cleanup()
    await asyncio.to_thread(close_all)


async def test_the_hub_hands_out_the_venues_own_best_prices_at_every_update_id(recorded):
    venue, symbol, port = recorded
    spec = VenueSpec("recorded", "binance", f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
    ours, last = {}, orjson.loads(venue.after[-1])["data"]["u"]

    async with followed(spec, symbols=[symbol]) as told:
        remember = told.book_changed

        def book_changed(book):
            ours[book.sequence] = book.bids.top(1)[0], book.asks.top(1)[0]
            remember(book)
            venue.followed.set()

        told.book_changed = book_changed
        await told.until(lambda: last in ours)

        assert told.is_never_open_when_closed
        assert told.states_of("recorded", symbol) == ["resyncing", "healthy"]
    both = ours.keys() & venue.tickers.keys()
    assert len(both) > 100
    assert [number for number in both if ours[number] != venue.tickers[number]] == []
