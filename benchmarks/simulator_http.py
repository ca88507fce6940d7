"""How fast the simulator answers signed orders over HTTP, one after another.

One client, one persistent raw connection, the next order only after the answer to the last. In the
same run and with the same client: a bare aiohttp echo server on the same loop, and the simulator's
own share, measured inside it around what is not aiohttp.

Usage: ``python -m benchmarks.simulator_http [--orders 5000]``. Targets: >= 1,500 orders/s, own
share <= 0.3 ms at the median.
"""

import asyncio
import hmac
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiohttp import web

from arbplatform.core.clock import SYSTEM_CLOCK
from benchmarks.parts.results import at_least, at_most, percentile, report
from benchmarks.parts.scripts import make_parser, run_script
from markets.simulator import server
from markets.simulator.demo import demo_config
from markets.simulator.running import HOST, start_in_thread

KEY, SECRET = "benchmark-key", "benchmark-secret"
TARGET_PER_S = 1_500
TARGET_SHARE_MS = 0.3
WARM_UP = 300
PATH = "/alpha/api/v3/order"


def signed_request(number: int) -> bytes:
    """Return one signed order as it goes over the wire."""
    side = "BUY" if number % 2 else "SELL"
    price = "61000" if number % 2 else "59000"
    body = (
        f"symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=IOC&quantity=0.0002&price={price}"
        f"&newClientOrderId=bench-{number}&newOrderRespType=FULL&recvWindow=5000"
        f"&timestamp={SYSTEM_CLOCK.now_ms()}"
    )
    signature = hmac.digest(SECRET.encode(), body.encode(), "sha256").hex()
    body = f"{body}&signature={signature}"
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nX-MBX-APIKEY: {KEY}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        f"{body}"
    ).encode()


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send a request and return the body of the answer."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    marker = head.lower().index(b"content-length:") + len(b"content-length:")
    length = int(head[marker:].split(b"\r\n", 1)[0])
    while len(body) < length:
        body += connection.recv(65536)
    return body


def drive(port: int, orders: int, check: Callable[[bytes], None]) -> tuple[float, list[float]]:
    """Return requests per second and every latency [ms] of one after another."""
    latencies = []
    with socket.create_connection((HOST, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(WARM_UP):
            check(exchange(connection, signed_request(number)))
        started = time.perf_counter()
        for number in range(WARM_UP, WARM_UP + orders):
            sent = time.perf_counter()
            check(exchange(connection, signed_request(number)))
            latencies.append((time.perf_counter() - sent) * 1000)
        took = time.perf_counter() - started
    return orders / took, latencies


def check_order(body: bytes) -> None:
    """Refuse to count anything that is not an accepted order."""
    if orjson.loads(body).get("status") not in {"FILLED", "EXPIRED"}:
        raise SystemExit(f"not an accepted order: {body!r}")


class EchoServer:
    """A bare aiohttp server that reads a request and returns a body of the same size."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._loop = uvloop.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Stop it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()

    async def _open(self) -> None:
        async def echo(request: web.BaseRequest) -> web.Response:
            await request.read()
            return web.Response(body=self._body, headers={"Content-Type": "application/json"})

        runner = web.ServerRunner(web.Server(echo, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        self.port = runner.addresses[0][1]


def measure_share(shares: list[float]) -> Callable[[], None]:
    """Time what the simulator itself does for each request; return how to stop that."""
    plain = server.answer

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        value = plain(*args, **kwargs)
        orjson.dumps(value)
        shares.append((time.perf_counter() - began) * 1000)
        return value

    server.answer = timed

    def restore() -> None:
        server.answer = plain

    return restore


def main() -> int:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--orders", type=int, default=5_000)
    options = parser.parse_args()
    orders = options.orders // 10 if options.quick else options.orders
    keys = {"alpha": (KEY, SECRET), "beta": ("b", "b"), "gamma": ("c", "c")}
    with tempfile.TemporaryDirectory() as directory:
        config = demo_config(seed=1, keys=keys)
        with start_in_thread(config, Path(directory)) as simulator:
            rate, latencies = drive(simulator.port, orders, check_order)
            with socket.create_connection((HOST, simulator.port)) as connection:
                sample = exchange(connection, signed_request(10_000_000))
            echo = EchoServer(sample)
            echo_rate, echo_latencies = drive(echo.port, orders, lambda _: None)
            echo.stop()
            shares: list[float] = []
            restore = measure_share(shares)
            share_config_orders = orders + 20_000_000
            with socket.create_connection((HOST, simulator.port)) as connection:
                for number in range(20_000_000, share_config_orders):
                    check_order(exchange(connection, signed_request(number)))
            restore()
    share = statistics.median(shares)
    print(f"{'':<34}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for name, per_s, found in (
        ("simulator, signed orders, journal", rate, latencies),
        ("bare aiohttp echo", echo_rate, echo_latencies),
    ):
        p99 = percentile(found, 0.99)
        print(f"{name:<34}{per_s:>9.0f}{statistics.median(found):>9.3f}{p99:>9.3f}")
    return report(
        [
            at_least(
                *("signed orders over HTTP, journal written", rate, "orders/s", TARGET_PER_S),
                reference=echo_rate,
                reference_name="bare aiohttp echo",
            ),
            at_most("the simulator's own share of an order: p50", share, "ms", TARGET_SHARE_MS),
        ]
    )


if __name__ == "__main__":
    run_script(main)
