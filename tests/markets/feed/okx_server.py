"""The public books of an OKX-like venue over a real WebSocket, told message by message."""

import zlib
from contextlib import asynccontextmanager
from itertools import zip_longest

from aiohttp import web

from tests.markets.fakes.okx import FakeOkx

BIDS = [("59990.0", "1.50"), ("59980.0", "2")]
ASKS = [("60000.0", "1"), ("60010.0", "0.7")]


def checksum(bids, asks):
    """Return the CRC-32 over the levels, bid and ask in turn, as a signed number."""
    parts = []
    for bid, ask in zip_longest(bids[:25], asks[:25]):
        parts += [*(bid or ()), *(ask or ())]
    number = zlib.crc32(":".join(parts).encode())
    return number - (1 << 32) if number >= 1 << 31 else number


class OkxStream:
    """Sends what a test wants; a subscription is answered with a true snapshot.

    Attributes:
        requests: what clients sent, in turn.
        is_checked: whether a snapshot has a checksum.
    """

    def __init__(self):
        self.requests = []
        self.bids, self.asks = list(BIDS), list(ASKS)
        self.sequence = 100
        self._sockets = set()

    async def serve(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        async for message in socket:
            if message.data == "ping":
                await socket.send_str("pong")
                continue
            asked = message.json()
            self.requests.append(asked)
            for arg in asked["args"]:
                await socket.send_json({"event": asked["op"], "arg": arg, "connId": "1"})
                if asked["op"] == "subscribe":
                    await socket.send_json(self._book(arg, "snapshot", -1, self.bids, self.asks))
        self._sockets.discard(socket)
        return socket

    async def update(self, *, bids=(), asks=(), skips=0, checksum_off_by=0):
        """Tell a difference of one market: new first bids or asks.

        Args:
            bids, asks: put in front.
            skips: messages that were lost before it.
            checksum_off_by: by how much its checksum is wrong.
        """
        previous = self.sequence + skips
        self.sequence = previous + 1
        self.bids, self.asks = [*bids, *self.bids], [*asks, *self.asks]
        arg = {"channel": "books", "instId": "BTC-USDT"}
        message = self._book(arg, "update", previous, bids, asks)
        message["data"][0]["checksum"] += checksum_off_by
        for socket in self._sockets:
            await socket.send_json(message)

    def _book(self, arg, action, previous, bids, asks):
        book = {
            "bids": [[price, quantity, "0", "1"] for price, quantity in bids],
            "asks": [[price, quantity, "0", "1"] for price, quantity in asks],
            "ts": "1767225600000",
            "checksum": checksum(self.bids, self.asks),
            "prevSeqId": previous,
            "seqId": self.sequence,
        }
        return {"arg": arg, "action": action, "data": [book]}


@asynccontextmanager
async def okx_like():
    """Run such a venue; yield its stream, its REST origin and its WebSocket origin."""
    stream, rest = OkxStream(), FakeOkx()
    app = web.Application()
    app.router.add_get("/okx/ws/v5/public", stream.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        with rest.running() as rest_url:
            yield stream, rest_url, f"ws://127.0.0.1:{port}/okx"
    finally:
        await runner.cleanup()
