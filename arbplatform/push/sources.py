"""Where a process gets the messages of all processes from: one subscription, however many clients.

What nobody here wants is not even asked for.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from arbplatform.push.publisher import listen_here
from arbplatform.push.topics import PREFIX

logger = logging.getLogger(__name__)

Deliver = Callable[[str, str], None]
"""Takes a channel and a frame, on the loop."""
Announce = Callable[[bool], None]
"""Told whether messages come in, whenever that changes; on the loop."""

PING_S: Final = 5.0
"""A connection that has been silent for so long is asked whether it lives [s]."""
SILENCES_MAX: Final = 2
PAUSE_MIN_S: Final = 0.25
PAUSE_MAX_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 3.0
_ANCHOR: Final = PREFIX + "anchor"
"""A channel that is always subscribed to: a subscription to nothing is none."""


class Source(Protocol):
    """Where messages come from."""

    def want(self, channels: Collection[str]) -> None:
        """Say which channels are wanted from now on; the others are not."""
        ...

    async def settled(self) -> None:
        """Return once everything that is wanted comes in; that may take for ever."""
        ...

    async def run(self) -> None:
        """Take in messages until cancelled."""
        ...


def make_source(deliver: Deliver, announce: Announce) -> Source:
    """Return the source that the settings ask for."""
    if settings.REDIS_URL.startswith("memory:"):
        return LocalSource(deliver, announce)
    return RedisSource(settings.REDIS_URL, deliver, announce)


class LocalSource:
    """Messages of this process only: the broker is in memory."""

    def __init__(self, deliver: Deliver, announce: Announce) -> None:
        self._deliver = deliver
        self._announce = announce
        self._wanted: frozenset[str] = frozenset()

    def want(self, channels: Collection[str]) -> None:
        """Say which channels are wanted from now on."""
        self._wanted = frozenset(channels)

    async def settled(self) -> None:
        """Return at once."""

    async def run(self) -> None:
        """Take in messages until cancelled."""
        loop = asyncio.get_running_loop()

        def hear(frames: list[tuple[str, bytes]]) -> None:
            loop.call_soon_threadsafe(self._hand_over, frames)

        end = listen_here(hear)
        self._announce(True)
        try:
            await asyncio.Event().wait()
        finally:
            end()

    def _hand_over(self, frames: list[tuple[str, bytes]]) -> None:
        for channel, frame in frames:
            if channel in self._wanted:
                self._deliver(channel, frame.decode())


class RedisSource:
    """Messages of all processes, through one connection that is opened again whenever it breaks.

    Args:
        url: of the server.
        deliver: takes messages.
        announce: told whether they come in.
    """

    def __init__(self, url: str, deliver: Deliver, announce: Announce) -> None:
        self._url = url
        self._deliver = deliver
        self._announce = announce
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._confirmed: set[str] = set()
        self._settled = asyncio.Event()

    def want(self, channels: Collection[str]) -> None:
        """Say which channels are wanted from now on."""
        self._wanted = frozenset(channels)
        self._changed.set()
        self._look_whether_settled()

    async def settled(self) -> None:
        """Return once Redis has confirmed every channel that is wanted."""
        await self._settled.wait()

    async def run(self) -> None:
        """Take in messages until cancelled."""
        pause_s = PAUSE_MIN_S
        while True:
            began_s = asyncio.get_running_loop().time()
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("No messages for clients come in, Redis is away: %s", error)
            finally:
                self._confirmed.clear()
                self._look_whether_settled()
                self._announce(False)
            lasted_s = asyncio.get_running_loop().time() - began_s
            pause_s = PAUSE_MIN_S if lasted_s > PAUSE_MAX_S else min(pause_s * 2, PAUSE_MAX_S)
            await asyncio.sleep(pause_s)

    async def _listen(self) -> None:
        client = Redis.from_url(
            self._url,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=None,  # silence is no failure here; see PING_S
            retry=Retry(NoBackoff(), 0),
        )
        async with client, client.pubsub() as pubsub:
            await pubsub.subscribe(_ANCHOR)
            self._announce(True)
            keeper = asyncio.create_task(self._keep_subscribed(pubsub))
            reader = asyncio.create_task(self._read(pubsub))
            try:
                done, _ = await asyncio.wait({keeper, reader}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                keeper.cancel()
                reader.cancel()
                await asyncio.gather(keeper, reader, return_exceptions=True)

    async def _keep_subscribed(self, pubsub: Any) -> None:
        subscribed: frozenset[str] = frozenset()
        while True:
            self._changed.clear()
            wanted = self._wanted
            if new := wanted - subscribed:
                await pubsub.subscribe(*new)
            if old := subscribed - wanted:
                await pubsub.unsubscribe(*old)
            subscribed = wanted
            await self._changed.wait()

    async def _read(self, pubsub: Any) -> None:
        silences = 0
        while silences <= SILENCES_MAX:
            message = await pubsub.get_message(timeout=PING_S)
            if message is None:
                silences += 1
                await pubsub.ping()
                continue
            silences = 0
            kind, channel = message["type"], (message["channel"] or b"").decode()
            if kind == "message":
                self._deliver(channel, message["data"].decode())
            elif kind == "subscribe":
                self._confirmed.add(channel)
                self._look_whether_settled()
            elif kind == "unsubscribe":
                self._confirmed.discard(channel)
                self._look_whether_settled()
        raise TimeoutError("it has not answered")

    def _look_whether_settled(self) -> None:
        if self._wanted <= self._confirmed:
            self._settled.set()
        else:
            self._settled.clear()
