"""What ccxt.pro would say to the certified venues, without saying it; and where it may be said."""

import zlib
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest
from aiohttp import web

from markets.gateway import ccxt_clients
from markets.gateway.base import VenueSpec
from markets.gateway.capabilities import list_certified
from markets.gateway.ccxt_stream import Astray, VenueStreams, has_streams
from markets.gateway.client import exchange_class
from markets.gateway.wire.protocols import wire_book_for

SYMBOLS = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT"}
WS_ORIGIN = "ws://127.0.0.1:9/far"
SAID: dict[str, dict[str, Any]] = {
    "binance": {"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms", "ethusdt@depth@100ms"]},
    "bitget": {
        "op": "subscribe",
        "args": [
            {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"},
            {"instType": "SPOT", "channel": "books", "instId": "ETHUSDT"},
        ],
    },
    "bybit": {"op": "subscribe", "args": ["orderbook.200.BTCUSDT", "orderbook.200.ETHUSDT"]},
    "gate": {"event": "subscribe", "channel": "spot.obu", "payload": ["ob.BTCUSDT.50"]},
    "kraken": {
        "method": "subscribe",
        "params": {"channel": "book", "symbol": ["BTC/USDT", "ETH/USDT"], "depth": 100},
    },
    "okx": {
        "op": "subscribe",
        "args": [
            {"channel": "books", "instId": "BTCUSDT"},
            {"channel": "books", "instId": "ETHUSDT"},
        ],
    },
}
MOVING = {"id", "req_id", "time"}


def streams_of(ccxt_id, **origins):
    """Return a phrase book that knows two markets."""
    source = exchange_class(ccxt_id)()
    source.set_markets(
        [
            source.safe_market_structure(
                {
                    "id": market_id,
                    "lowercaseId": market_id.lower(),
                    "symbol": symbol,
                    "base": symbol.split("/")[0],
                    "quote": "USDT",
                    "type": "spot",
                    "spot": True,
                }
            )
            for symbol, market_id in SYMBOLS.items()
        ]
    )
    spec = VenueSpec("far", ccxt_id, **origins)
    streams = VenueStreams(spec, timeout_ms=1_000, is_phrase_book=True)
    streams.adopt_markets(source)
    return streams


def told(message):
    return {key: value for key, value in message.items() if key not in MOVING}


def test_every_certified_venue_has_a_protocol_and_streams():
    assert sorted(SAID) == list_certified()
    for ccxt_id in SAID:
        assert has_streams(ccxt_id)
        assert wire_book_for(ccxt_id, is_spot=True) is not None


@pytest.mark.parametrize("ccxt_id", sorted(SAID))
async def test_a_subscription_and_its_end_are_said_in_the_venues_own_words(ccxt_id):
    streams = streams_of(ccxt_id, rest_origin="http://127.0.0.1:9/far", ws_origin=WS_ORIGIN)
    symbols = list(SYMBOLS)[: streams.facts.batch]

    begin = await streams.compose(symbols)
    end = await streams.compose(symbols, is_leaving=True)
    again = await streams.compose(symbols)
    await streams.close()

    assert told(begin.message) == told(again.message) == SAID[ccxt_id]
    assert begin.url == end.url == again.url
    assert begin.url.startswith(WS_ORIGIN)
    verb = {"subscribe": "unsubscribe", "SUBSCRIBE": "UNSUBSCRIBE"}
    key = next(key for key, value in SAID[ccxt_id].items() if str(value) in verb)
    assert told(end.message) == SAID[ccxt_id] | {key: verb[SAID[ccxt_id][key]]}


@pytest.mark.parametrize("ccxt_id", sorted(SAID))
async def test_thousands_of_markets_are_subscribed_without_a_limit_of_the_class(ccxt_id):
    streams = streams_of(ccxt_id)

    urls = {(await streams.compose(["BTC/USDT"])).url for _ in range(500)}
    await streams.close()

    assert [url.startswith("wss://") for url in urls] == [True]
    assert streams.exchange.clients == {}


async def test_a_market_that_the_class_does_not_know_is_refused():
    streams = streams_of("okx")

    with pytest.raises(ccxt.BadSymbol):
        await streams.compose(["DOGE/USDT"])
    await streams.close()

    assert streams.market_id("DOGE/USDT") is None


@pytest.mark.parametrize(
    ("origins", "url"),
    [
        ({"rest_origin": "http://127.0.0.1:9/far"}, "wss://ws.okx.com:8443/ws/v5/public"),
        ({"ws_origin": WS_ORIGIN}, "wss://ws.okx.com:8443/ws/v5/public"),
        ({"ws_origin": WS_ORIGIN}, "ws://127.0.0.1:9/farther/ws"),
    ],
)
async def test_nothing_is_opened_outside_the_configured_origin(origins, url):
    streams = streams_of("okx", **origins)

    with pytest.raises(Astray):
        await streams.connect(url)
    with pytest.raises(Astray):
        streams.exchange.client(url)
    await streams.close()


async def test_no_request_of_a_stream_leaves_the_configured_origin():
    streams = streams_of("okx", rest_origin="http://127.0.0.1:9/far")

    with pytest.raises(Astray):
        await streams.exchange.fetch("https://www.okx.com/api/v5/public/time")
    await streams.close()


def heard(**formats):
    """Return a connection of ccxt's whose messages are kept."""
    messages: list[Any] = []
    settings = {"gunzip": False, "inflate": False, "decompressBinary": True} | formats
    return SimpleNamespace(
        **settings,
        messages=messages,
        on_message_callback=lambda _client, message: messages.append(message),
    )


@pytest.mark.parametrize(("name", "bits"), [("gunzip", 16 + zlib.MAX_WBITS), ("inflate", -15)])
def test_a_packed_message_is_unpacked_and_one_that_grows_without_end_is_not(
    name, bits, monkeypatch
):
    monkeypatch.setattr(ccxt_clients, "UNPACKED_BYTES_MAX", 1_000)
    client = heard(**{name: True})
    unpack = ccxt_clients._unpacker(client)

    def pack(text):
        packer = zlib.compressobj(wbits=bits)
        return packer.compress(text) + packer.flush()

    ccxt_clients._hand_over(client, unpack, pack(b'{"price":1.10}'))
    with pytest.raises(ValueError, match="too large"):
        ccxt_clients._hand_over(client, unpack, pack(b"0" * 2_000))

    assert client.messages == [{"price": "1.10"}]


def test_a_class_that_reads_bytes_itself_gets_bytes():
    client = heard()
    ccxt_clients._hand_over(client, ccxt_clients._unpacker(client), b"[1]")
    client.decompressBinary = False
    ccxt_clients._hand_over(client, ccxt_clients._unpacker(client), b"[1]")

    assert client.messages == [[1], b"[1]"]


async def test_a_redirect_is_not_followed(aiohttp_redirect):
    here, elsewhere = aiohttp_redirect
    streams = streams_of("okx", ws_origin=here)

    with pytest.raises(Astray):
        await streams.connect(f"{here}/public")
    await streams.close()

    assert elsewhere == []


@pytest.fixture
async def aiohttp_redirect():
    """A server that sends everybody elsewhere, and who came there."""

    came: list[str] = []

    async def move(_request):
        raise web.HTTPFound("/elsewhere")

    async def arrive(request):
        came.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_get("/far/public", move)
    app.router.add_get("/elsewhere", arrive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}/far", came
    await runner.cleanup()
