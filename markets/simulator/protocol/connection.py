"""One open WebSocket, with a bounded outbox: a client that does not read is let go."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

if TYPE_CHECKING:
    from markets.simulator.venue import ApiKey

logger = logging.getLogger(__name__)

OUTBOX_MAX = 5_000
"""Messages that wait for a client at most."""
MESSAGE_BYTES_MAX = 64 * 1024
HEARTBEAT_S = 20.0


class Connection:
    """A client's WebSocket.

    Attributes:
        is_combined: whether stream messages are wrapped with the stream's name.
        streams: names that it subscribed to.
        key: of a session that logged on; ``None`` before.
    """

    def __init__(self, *, is_combined: bool) -> None:
        self.is_combined = is_combined
        self.streams: set[str] = set()
        self.key: ApiKey | None = None
        self._socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, compress=False, max_msg_size=MESSAGE_BYTES_MAX
        )
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue(OUTBOX_MAX)
        self._writer: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def socket(self) -> web.WebSocketResponse:
        """The WebSocket itself, to read from."""
        return self._socket

    async def open(self, request: web.BaseRequest) -> None:
        """Shake hands and start to send what is put in the outbox."""
        await self._socket.prepare(request)
        self._transport = request.transport
        self._writer = asyncio.get_running_loop().create_task(self._write())

    def send(self, value: Any) -> None:
        """Put a JSON value in the outbox."""
        self.send_ready(orjson.dumps(value))

    def send_ready(self, message: bytes) -> None:
        """Put a message that is JSON already in the outbox."""
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            if self._writer is not None:
                logger.warning("a WebSocket client does not read: it is disconnected")
            self.cut()

    def cut(self) -> None:
        """End it without a word."""
        self._stop()
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Say goodbye."""
        self._stop()
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    def _stop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None

    async def _write(self) -> None:
        try:
            while True:
                await self._socket.send_frame(await self._outbox.get(), WSMsgType.TEXT)
        except ConnectionError:
            # The reader sees the end of the connection and cleans up.
            return
