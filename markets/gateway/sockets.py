"""One open WebSocket to a venue: frames in and out, and the pings that prove that it lives."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import orjson
from aiohttp import WSMsgType

from arbplatform.core.errors import Message

logger = logging.getLogger(__name__)

CLOSE_WAIT_S = 2.0
"""Longest wait for the venue's goodbye [s]."""

CLOSED = Message("The venue closed the connection.")
BROKEN = Message("The connection broke off.")
UNREADABLE = Message("A message of the stream could not be read.")


class Settings(Protocol):
    """How a class wants its WebSockets, as ccxt's client holds it."""

    ping: Callable[[Any], Any] | None


Hear = Callable[[str | bytes, float], None]
"""Takes what a message says and when it came [ms, the steady clock]."""


class Socket:
    """An open connection; used by one task to read and by another to write.

    Args:
        connection: of aiohttp.
        settings: of the class.
        read_ms: reads the steady clock, which stamps what comes in [ms].

    Attributes:
        frame_at_ms: when the last frame came, of whatever kind [ms].
    """

    def __init__(
        self,
        connection: aiohttp.ClientWebSocketResponse,
        settings: Settings,
        read_ms: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._read_ms = read_ms
        self.frame_at_ms = read_ms()

    async def pump(self, hear: Hear) -> Message:
        """Hand over every message until the connection ends, and return why it did."""
        connection, read_ms = self._connection, self._read_ms
        while True:
            frame = await connection.receive()
            kind = frame.type
            self.frame_at_ms = now_ms = read_ms()
            if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                payload = frame.data
            elif kind is WSMsgType.PING:
                await connection.pong(frame.data)
                continue
            elif kind is WSMsgType.PONG:
                continue
            else:
                return BROKEN if kind is WSMsgType.ERROR else CLOSED
            try:
                hear(payload, now_ms)
            except Exception:
                # What a message did could not be worked out, so nothing after it can be trusted.
                logger.exception("A message of a stream could not be read")
                return UNREADABLE

    async def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            ConnectionError: the connection has ended.
        """
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        await self._connection.send_str(text)

    async def ping(self) -> None:
        """Ask for a sign of life, in the venue's own manner.

        Raises:
            ConnectionError: the connection has ended.
        """
        if self._settings.ping is None:
            await self._connection.ping()
            return
        made = self._settings.ping(self._settings)
        await self.send(await made if inspect.isawaitable(made) else made)

    async def close(self) -> None:
        """End the connection; wait no longer than needed."""
        try:
            await asyncio.wait_for(self._connection.close(), CLOSE_WAIT_S)
        except (TimeoutError, aiohttp.ClientError, OSError):
            logger.debug("A connection did not close in time")
