"""A venue whose prices are bare numbers, verified by their digits alone, over real sockets."""

import zlib
from decimal import Decimal

import pytest
from aiohttp import web

from markets.gateway.base import VenueSpec
from tests.markets.fakes.kraken import FakeKraken
from tests.markets.feed.stage import SYMBOL, followed, reason_of

BIDS, ASKS = [("59990.0", "1.50000000")], [("60000.0", "0.10000000"), ("60010.5", "2.00000000")]


def checksum(bids, asks):
    """Return the CRC-32 over ten asks and ten bids, points and leading zeros left out."""
    levels = [*asks[:10], *bids[:10]]
    digits = "".join(part.replace(".", "").lstrip("0") for level in levels for part in level)
    return zlib.crc32(digits.encode())


def message(kind, bids, asks, number):
    """Return a message as the venue writes it: digits without quotes."""

    def side(levels):
        rows = (f'{{"price":{price},"qty":{quantity}}}' for price, quantity in levels)
        return f"[{','.join(rows)}]"

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{SYMBOL}","bids":{side(bids)},'
        f'"asks":{side(asks)},"checksum":{number},"timestamp":"2026-01-01T00:00:00.000000Z"}}]}}'
    )


@pytest.fixture
async def venue():
    """Sends a snapshot to whoever subscribes; a test tells the rest."""
    sockets, requests = [], []

    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sockets.append(socket)
        async for received in socket:
            asked = received.json()
            requests.append(asked["method"])
            if asked["method"] == "ping":
                await socket.send_str('{"method":"pong"}')
            elif asked["method"] == "subscribe":
                await socket.send_str('{"method":"subscribe","success":true}')
                await socket.send_str(message("snapshot", BIDS, ASKS, checksum(BIDS, ASKS)))
        return socket

    app = web.Application()
    app.router.add_get("/far/v2", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    with FakeKraken().running() as rest_origin:
        ws_origin = f"ws://127.0.0.1:{runner.addresses[0][1]}/far"
        yield VenueSpec("far", "kraken", rest_origin, ws_origin), sockets, requests
    await runner.cleanup()


async def test_its_books_are_exact_to_the_digit(venue):
    spec, sockets, _ = venue
    async with followed(spec) as told:
        await told.until_state("healthy", "far")
        bids = [("59995.0", "0.00000100"), *BIDS]
        await sockets[-1].send_str(message("update", bids[:1], [], checksum(bids, ASKS)))
        await told.until_bid(59995.0, "far")

        book = told.hub.book("far", SYMBOL).to_book(5)
        assert book.bids[0] == (Decimal("59995.0"), Decimal("0.00000100"))
        assert str(book.asks[0].quantity) == "0.10000000"
        assert told.states_of("far") == ["resyncing", "healthy"]


async def test_a_lost_level_shows_in_the_digits_and_is_fetched_anew(venue):
    spec, sockets, requests = venue
    async with followed(spec) as told:
        await told.until_state("healthy", "far")
        lost = [("59995.0", "1.00000000"), *BIDS]
        bids = [("59996.0", "1.00000000"), *lost]
        await sockets[-1].send_str(message("update", bids[:1], [], checksum(bids, ASKS)))
        await told.until_state("resyncing", "far")
        reason = reason_of(told)
        await told.until_bid(59990.0, "far")

        assert reason.startswith("The checksum of the book is ")
        asked = [method for method in requests if method != "ping"]
        assert asked == ["subscribe", "unsubscribe", "subscribe"]
        assert told.is_never_open_when_closed
