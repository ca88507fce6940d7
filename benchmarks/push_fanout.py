"""How many messages one web process delivers to 1,000 WebSockets, ours beside Channels' own way.

Ours: one subscription, ready frames, bounded outboxes (``arbplatform/push``). The reference is
``group_send`` of Channels with its layer in memory, without the search for expired messages that
takes a walk over all connections with each of them: that and the missing Redis flatter it. Both run
on the same server, uvicorn, with a consumer for each connection; clients are raw sockets in a
process of their own that only count. The processor time per delivery is the figure that another
load on the machine falsifies least.
"""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import selectors
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from channels.layers import InMemoryChannelLayer

from benchmarks.parts.results import Row, percentile, report, times_better
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import make_parser, run_loop, run_script

PACE_HZ = 5
MARK = b'"n":'
HANDSHAKE = (
    b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)
PATIENCE_S = 60.0

Publish = Callable[[int], Awaitable[None]]


class QuickLayer(InMemoryChannelLayer):  # type: ignore[misc]  # no type information
    """Channels' layer in memory without what takes a time that grows with the connections."""

    def _clean_expired(self) -> None:
        """Keep everything."""


class Server(uvicorn.Server):
    """A server that leaves signals to the script."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class Clients:
    """Sockets in a process of their own; what each one heard is counted there."""

    def __init__(self, port: int, number: int, expected: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (port, number, expected, theirs)
        self._process = context.Process(target=_listen, args=arguments, daemon=True)
        self._process.start()
        theirs.close()  # so that its end is the end of what is read here

    async def result(self) -> Any:
        """Return what the process says next."""
        return await asyncio.to_thread(self._pipe.recv)

    def close(self) -> None:
        """End the process; it has nothing to clean up."""
        self._process.kill()
        self._process.join()


def _listen(port: int, number: int, expected: int, pipe: Any) -> None:
    """Connect, say so, count messages until all have come, and tell how late each was."""
    sockets = []
    selector = selectors.DefaultSelector()
    for _ in range(number):
        each = socket.create_connection(("127.0.0.1", port))
        each.sendall(HANDSHAKE)
        sockets.append(each)
    for each in sockets:
        head = b""
        while b"\r\n\r\n" not in head:
            head += each.recv(4096)
        each.setblocking(False)
        selector.register(each, selectors.EVENT_READ)
    pipe.send("connected")
    heard, late_ms = 0, []
    until = time.monotonic() + PATIENCE_S
    while heard < number * expected and time.monotonic() < until:
        for key, _events in selector.select(1.0):
            data = key.fileobj.recv(262_144)  # type: ignore[union-attr]  # a socket
            now_ns = time.monotonic_ns()
            parts = data.split(MARK)[1:]
            heard += len(parts)
            sent = [int(part.partition(b",")[0]) for part in parts[-1:] if b"," in part]
            late_ms += [(now_ns - at_ns) / 1e6 for at_ns in sent]
    pipe.send((heard, late_ms))


@contextlib.asynccontextmanager
async def serving(application: Any) -> AsyncIterator[int]:
    """Serve as the product does; yield the port."""
    config = uvicorn.Config(
        application,
        port=0,
        lifespan="off",
        log_level="error",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn offers no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def measure(
    application: Any, publish: Publish, *, clients: int, messages: int, pace_s: float
) -> tuple[float, float, list[float]]:
    """Return deliveries per second, CPU per delivery [µs] and how late messages were [ms]."""
    async with serving(application) as port:
        listeners = Clients(port, clients, messages)
        try:
            assert await listeners.result() == "connected"
            await asyncio.sleep(1.0)
            began, cpu = time.monotonic(), time.process_time()
            for _ in range(messages):
                await publish(time.monotonic_ns())
                await asyncio.sleep(pace_s)
            heard, late_ms = await listeners.result()
            took_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
        finally:
            listeners.close()
    if heard < clients * messages:
        raise SystemExit(f"Only {heard} of {clients * messages} messages arrived.")
    return heard / took_s, cpu_s / heard * 1e6, late_ms


def make_ours() -> tuple[Any, Publish]:
    """Return our endpoint without its login, and how a message comes in from its source."""
    from arbplatform.push.credentials import Credential, Identity, Method  # noqa: PLC0415
    from arbplatform.push.endpoint import Connection  # noqa: PLC0415
    from arbplatform.push.hub import Hub  # noqa: PLC0415
    from arbplatform.push.topics import Topic, TopicKind  # noqa: PLC0415

    hub = Hub()
    topic = Topic(TopicKind.LOGS)

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        person = Identity(id(receive), False, Credential(Method.TOKEN, "x"))
        connection = Connection(person, send)
        hub.add(connection)
        hub.subscribe(connection, [topic])
        pump = asyncio.create_task(connection.pump())
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            hub.remove(connection)
            pump.cancel()

    async def publish(at_ns: int) -> None:
        hub.deliver(topic.channel, _message(at_ns))

    return application, publish


def make_reference() -> tuple[Any, Publish]:
    """Return a consumer of Channels in a group, and ``group_send`` to it."""
    from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: PLC0415
    from channels.layers import get_channel_layer  # noqa: PLC0415

    class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # no type information
        """What Channels' own guide shows."""

        async def connect(self) -> None:
            """Join the group."""
            await self.channel_layer.group_add("logs", self.channel_name)
            await self.accept()

        async def disconnect(self, code: int) -> None:
            """Leave it."""
            await self.channel_layer.group_discard("logs", self.channel_name)

        async def tell(self, event: dict[str, Any]) -> None:
            """Pass a message on."""
            await self.send(text_data=event["text"])

    async def publish(at_ns: int) -> None:
        await get_channel_layer().group_send("logs", {"type": "tell", "text": _message(at_ns)})

    return Consumer.as_asgi(), publish


def _message(at_ns: int) -> str:
    data = '{"id":7,"strategy_id":3,"level":"info","event":"x","message":"forty-two completed"}'
    return f'{{"topic":"logs","n":{at_ns},"at_ms":1767225600000,"data":{data}}}'


def compare(*, clients: int, messages: int) -> list[Row]:
    """Measure both, at most and at a pace; return the rows."""
    ours_most = run_loop(_both(make_ours, clients, messages, pace_s=0))
    reference_most = run_loop(_both(make_reference, clients, max(5, messages // 10), pace_s=0))
    paced = max(5, messages // 10)
    _rate, _cpu, ours_late = run_loop(_both(make_ours, clients, paced, pace_s=1 / PACE_HZ))
    _rate, _cpu, their_late = run_loop(_both(make_reference, clients, paced, pace_s=1 / PACE_HZ))
    name = "Channels group_send, in memory"
    return [
        times_better(
            *(f"CPU per delivery to {clients} clients", ours_most[1], "µs", 8),
            reference=reference_most[1],
            reference_name=name,
            is_cost=True,
        ),
        Row(
            *("deliveries", ours_most[0], "/s"),
            reference=reference_most[0],
            reference_name=name,
            ratio=ours_most[0] / reference_most[0],
        ),
        *(
            Row(
                f"late at {PACE_HZ} messages/s: p{share * 100:.0f}",
                percentile(ours_late, share),
                "ms",
                reference=percentile(their_late, share),
                reference_name=name,
            )
            for share in (0.5, 0.99)
        ),
    ]


async def _both(make: Any, clients: int, messages: int, *, pace_s: float) -> Any:
    application, publish = make()
    return await measure(application, publish, clients=clients, messages=messages, pace_s=pace_s)


def main() -> int:
    """Run it; return 1 if a target is missed."""
    options = make_parser(__doc__).parse_args()
    clients, messages = (100, 20) if options.quick else (1_000, 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4_096)), hard))
    os.environ["PUSH_CLIENTS_MAX"] = str(clients + 1)
    with scratch_platform(has_tables=False):
        from django.conf import settings  # noqa: PLC0415  needs the scratch directory

        settings.CHANNEL_LAYERS = {
            "default": {
                "BACKEND": f"{QuickLayer.__module__}.{QuickLayer.__name__}",
                "CONFIG": {"capacity": 10_000},
            }
        }
        return report(compare(clients=clients, messages=messages))


if __name__ == "__main__":
    run_script(main)
