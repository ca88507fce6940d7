"""A venue that numbers its differences like Binance, and says what a test has it say."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from aiohttp import web

from markets.domain.book import Book, Level, Look
from markets.feed.reader import RestReader
from markets.gateway.base import VenueSpec
from markets.gateway.client import exchange_class
from tests.markets.feed.stage import SYMBOL

REFUSAL = {"error": {"code": 2, "msg": "Invalid request: too many streams"}}


class Stream:
    """The venue's side of its connections.

    Attributes:
        answers: what is answered to subscriptions, in turn; the last one from then on. ``None``:
            nothing.
        requests: methods of everything that was asked for.
    """

    def __init__(self):
        self.answers: list[Any] = [{"result": None}]
        self.requests: list[str] = []
        self.sockets: list[web.WebSocketResponse] = []

    async def serve(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for received in socket:
            asked = received.json()
            self.requests.append(asked["method"])
            answer = self.answers[0]
            if asked["method"] == "SUBSCRIBE" and len(self.answers) > 1:
                del self.answers[0]
            if answer is not None:
                await socket.send_json(answer | {"id": asked["id"]})
        return socket

    async def say(self, first, last, bids=(), asks=(), at_ms=5):
        """Tell a difference on the newest connection."""
        message = {"e": "depthUpdate", "E": at_ms, "s": "BTCUSDT", "U": first, "u": last}
        await self.sockets[-1].send_json(message | {"b": list(bids), "a": list(asks)})

    async def cut(self):
        """End the newest connection."""
        await self.sockets[-1].close()


class Shelf(RestReader):
    """Answers REST with what a test puts there.

    Attributes:
        books: of each request in turn; the last one from then on. An exception is raised, a future
            waited for.
        asked: how often a book was asked for.
        looks: of each look at a quiet market in turn, likewise.
        looked_at: the market of each look, in turn.
        listings: what is raised instead of the markets, in turn; ``None``: there is no market yet.
    """

    def __init__(self, *books):
        super().__init__()
        self.books = list(books)
        self.asked = 0
        self.looks: list[Any] = []
        self.looked_at: list[str] = []
        self.listings: list[Any] = []

    async def book(self, spec, symbol, depth):
        """Return the next book."""
        self.asked += 1
        return await _next(self.books)

    async def look(self, spec, symbol, depth):
        """Return what a quiet market shows."""
        self.looked_at.append(symbol)
        return await _next(self.looks)

    async def markets(self, spec):
        """Return one market."""
        source = exchange_class("binance")()
        if self.listings:
            listing = self.listings.pop(0)
            if listing is not None:
                raise listing
            source.set_markets([])
            return source
        market = {
            "id": "BTCUSDT",
            "lowercaseId": "btcusdt",
            "symbol": SYMBOL,
            "base": "BTC",
            "quote": "USDT",
            "type": "spot",
            "spot": True,
            "precision": {"price": 0.5, "amount": 0.001},
        }
        source.set_markets([source.safe_market_structure(market)])
        return source


async def _next(answers):
    """Return the next of some answers; the last one again and again."""
    book = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(book, asyncio.Future):
        book = await book
    if callable(book):
        book = book()
    if isinstance(book, Exception):
        raise book
    return book


def book_of(sequence, bids=((10, 1),), asks=((11, 1),), made_at_ms=None):
    """Return a book that came over REST."""
    sides = [
        tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in side)
        for side in (bids, asks)
    ]
    look = Look(0, made_at_ms)
    return Book("far", SYMBOL, sides[0], sides[1], 1, None, sequence, look=look)


@asynccontextmanager
async def binance_like():
    """Yield the stream and how to reach the venue."""
    stream = Stream()
    app = web.Application()
    app.router.add_get("/{path:.*}", stream.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield stream, VenueSpec("far", "binance", "http://127.0.0.1:9", f"ws://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
