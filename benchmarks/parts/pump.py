"""A venue that does nothing but send updates of books, as many as it is told to.

It speaks OKX's protocol: instruments over REST, subscriptions and books over WebSockets. Every
update takes ten levels; the quantity of its best bid is the moment at which it was sent (monotonic
clock of the machine [µs]), so that whoever receives it can say how old it is. It sends at most as
fast as it is told and as the other side takes it.

It is run by ``running_pump``. Commands over HTTP: ``/rate?per_s=N``, ``/drop`` (every connection is
cut), ``/sent`` (how many updates there were).
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop
from aiohttp import web

from benchmarks.parts.processes import outlive_interrupts, running
from tests.markets.fakes.exchange import Spec
from tests.markets.fakes.okx import FakeOkx

LEVELS = 50
STEP_S = 0.001
BACKLOG_MAX = 1 << 20
"""Bytes that may wait for a slow reader; meanwhile it gets no more."""
STAMP_MODULUS = 10**10
"""Stamps are this many microseconds long: nearly three hours."""


@dataclass(slots=True, eq=False)
class Reader:
    """One connection.

    Attributes:
        transport: what its frames are written to.
        markets: ids that it has subscribed to, with the number of the last message.
    """

    transport: Any
    markets: dict[str, int] = field(default_factory=dict)


class Pump:
    """The WebSocket side of the venue."""

    def __init__(self) -> None:
        self.rate = 0
        self.sent = 0
        self.readers: set[Reader] = set()
        self._turns: Iterator[tuple[Reader, str]] = iter(())

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Answer one connection."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        reader = Reader(request.transport)
        self.readers.add(reader)
        try:
            async for message in socket:
                if message.data == "ping":
                    await socket.send_str("pong")
                    continue
                asked = json.loads(message.data)
                for arg in asked["args"]:
                    await socket.send_json({"event": asked["op"], "arg": arg, "connId": "1"})
                    if asked["op"] == "subscribe":
                        reader.markets[arg["instId"]] = 1
                        await socket.send_str(snapshot_of(arg["instId"]))
                    else:
                        reader.markets.pop(arg["instId"], None)
                self._turns = iter(())
        finally:
            self.readers.discard(reader)
            self._turns = iter(())
        return socket

    async def run(self) -> None:
        """Send updates of all markets in turn."""
        began, due = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(STEP_S)
            now = time.monotonic()
            due = min(due + self.rate * (now - began), self.rate * 0.02)
            began = now
            if due >= 1:
                due -= self._send(int(due))

    def _send(self, count: int) -> int:
        frames: dict[Reader, list[bytes]] = {}
        for number in range(count):
            turn = next(self._turns, None)
            if turn is None:
                pairs = [(reader, key) for reader in self.readers for key in reader.markets]
                if not pairs:
                    return number
                self._turns = itertools.cycle(pairs)
                turn = next(self._turns)
            reader, key = turn
            is_open = not reader.transport.is_closing()
            if (
                is_open
                and key in reader.markets
                and reader.transport.get_write_buffer_size() < BACKLOG_MAX
            ):
                reader.markets[key] += 1
                frames.setdefault(reader, []).append(update_of(key, reader.markets[key]))
        for reader, parts in frames.items():
            if not reader.transport.is_closing():
                reader.transport.write(b"".join(parts))
                self.sent += len(parts)
        return count

    async def drop(self, _request: web.Request) -> web.Response:
        """Cut every connection."""
        for reader in list(self.readers):
            reader.transport.abort()
        return web.Response(text="dropped")

    async def set_rate(self, request: web.Request) -> web.Response:
        """Send so many updates a second from now on."""
        self.rate = int(request.query["per_s"])
        return web.Response(text="set")

    async def tell(self, _request: web.Request) -> web.Response:
        """Return how many updates were sent."""
        return web.Response(text=str(self.sent))


def stamp() -> int:
    """Return the present moment as an update bears it [µs]."""
    return time.monotonic_ns() // 1_000 % STAMP_MODULUS


def snapshot_of(key: str) -> str:
    """Return a whole book of one market."""
    bids = [[f"{100 - number / 100:.2f}", "1", "0", "1"] for number in range(LEVELS)]
    asks = [[f"{100.1 + number / 100:.2f}", "1", "0", "1"] for number in range(LEVELS)]
    book = {"bids": bids, "asks": asks, "ts": "1767225600000", "prevSeqId": -1, "seqId": 1}
    arg = {"channel": "books", "instId": key}
    return json.dumps({"arg": arg, "action": "snapshot", "data": [book]})


def update_of(key: str, number: int) -> bytes:
    """Return a frame with ten changed levels; the best bid says when."""
    size = 1 + number % 7
    bids = ",".join(f'["{100 - level / 100:.2f}","{size}","0","1"]' for level in range(1, 5))
    asks = ",".join(f'["{100.1 + level / 100:.2f}","{size}","0","1"]' for level in range(5))
    text = (
        f'{{"arg":{{"channel":"books","instId":"{key}"}},"action":"update","data":[{{"bids":'
        f'[["100.00","{stamp()}","0","1"],{bids}],"asks":[{asks}],"ts":"1767225600000",'
        f'"prevSeqId":{number - 1},"seqId":{number}}}]}}'
    ).encode()
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text


async def serve(symbols: Sequence[str]) -> None:
    """Run the venue until it is ended; say on the first line where it is."""
    pump = Pump()
    rest = FakeOkx([Spec(symbol, "0.01", "0.0001", "0.0001") for symbol in symbols])
    app = web.Application()
    app.router.add_get("/okx/ws/v5/public", pump.serve)
    app.router.add_get("/rate", pump.set_rate)
    app.router.add_get("/drop", pump.drop)
    app.router.add_get("/sent", pump.tell)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with rest.running() as rest_url:
        print(json.dumps({"rest": rest_url, "port": runner.addresses[0][1]}), flush=True)
        await pump.run()


@dataclass(frozen=True, slots=True)
class RunningPump:
    """Where a pump is.

    Attributes:
        rest_origin: of its REST.
        ws_origin: of its WebSockets.
        control: address of its commands.
    """

    rest_origin: str
    ws_origin: str
    control: str

    def command(self, path: str) -> str:
        """Give a command; return the answer."""
        with urllib.request.urlopen(f"{self.control}/{path}", timeout=10) as answer:  # noqa: S310
            return str(answer.read().decode())


@contextmanager
def running_pump(symbols: Sequence[str]) -> Iterator[RunningPump]:
    """Run a pump in a process of its own."""
    command = ("-m", "benchmarks.parts.pump", len(symbols))
    with running(command, output=subprocess.PIPE) as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        host = f"127.0.0.1:{where['port']}"
        yield RunningPump(where["rest"], f"ws://{host}/okx", f"http://{host}")


def make_symbols(count: int) -> list[str]:
    """Return unified symbols of made-up coins."""
    return [f"C{number}/USDT" for number in range(count)]


def main() -> None:
    """Be the venue."""
    outlive_interrupts()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(make_symbols(int(sys.argv[1]))))


if __name__ == "__main__":
    main()
