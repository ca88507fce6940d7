"""Follows what is traded on any number of markets: trades and bars, exactly those that are wanted.

Of one venue everything comes over the connections of one instance of ccxt.pro, a task for each
topic. After a failure all tasks of a venue pause together, later and later, so that many topics
make no more connections than one.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final, NoReturn, Protocol

from arbplatform.core.errors import ArbError
from arbplatform.push.topics import Topic
from markets.domain.quote import Candle, Trade
from markets.errors import NotSupportedByVenue
from markets.feed.pace import Backoff
from markets.gateway.base import VenueSpec
from markets.gateway.ccxt_tapes import TapeStream
from markets.gateway.factory import markets_of

logger = logging.getLogger(__name__)

TIMEOUT_MS: Final = 10_000
REFUSED_S: Final = 60.0
"""What a venue does not tell is asked for again after so long [s]."""


class TapeListener(Protocol):
    """Is told, on the loop; must be quick."""

    def traded(self, topic: Topic, trades: Sequence[Trade]) -> None:
        """Others have traded."""

    def candles_changed(self, topic: Topic, candles: Sequence[Candle]) -> None:
        """Bars have changed, oldest first."""

    def tape_lost(self, topic: Topic, error: ArbError) -> None:
        """What is traded is not known any more, until something is told again."""


class TapeHub:
    """Trades and bars of any number of venues; made and used on one running loop.

    Args:
        listener: is told of everything.
        random: source of chance for pauses between connections.
    """

    def __init__(self, *, listener: TapeListener, random: Random | None = None) -> None:
        self._listener = listener
        self._random = random or Random()  # noqa: S311  no secret depends on it
        self._venues: dict[VenueSpec, VenueTapes] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def want(self, wanted: Mapping[VenueSpec, Collection[Topic]]) -> None:
        """Follow exactly these topics from now on; the connections of a venue without any end."""
        for spec in [spec for spec in self._venues if not wanted.get(spec)]:
            task = asyncio.get_running_loop().create_task(self._venues.pop(spec).close())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        for spec, topics in wanted.items():
            if topics:
                if spec not in self._venues:
                    self._venues[spec] = VenueTapes(spec, self._listener, Backoff(self._random))
                self._venues[spec].want(frozenset(topics))

    async def close(self) -> None:
        """End every connection."""
        self.want({})
        await asyncio.gather(*self._ending, return_exceptions=True)


class VenueTapes:
    """Trades and bars of one venue.

    Args:
        spec: how to reach it.
        listener: is told of everything.
        pauses: between connections.
    """

    def __init__(self, spec: VenueSpec, listener: TapeListener, pauses: Backoff) -> None:
        self._spec = spec
        self._listener = listener
        self._pauses = pauses
        self._resumed_s = 0.0
        self._stream: TapeStream | None = None
        self._opening = asyncio.Lock()
        self._tasks: dict[Topic, asyncio.Task[None]] = {}
        self._leaving: dict[Topic, asyncio.Task[None]] = {}

    def want(self, topics: frozenset[Topic]) -> None:
        """Follow exactly these topics from now on."""
        loop = asyncio.get_running_loop()
        for topic in self._tasks.keys() - topics:
            leaving = loop.create_task(self._leave(topic, self._tasks.pop(topic)))
            self._leaving[topic] = leaving
            leaving.add_done_callback(partial(self._has_left, topic))
        for topic in topics - self._tasks.keys():
            self._tasks[topic] = loop.create_task(self._follow(topic))

    async def close(self) -> None:
        """End the connections."""
        tasks = [*self._tasks.values(), *self._leaving.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._stream is not None:
            await self._stream.close()

    async def _follow(self, topic: Topic) -> None:
        """Hand on what one topic tells, until cancelled."""
        if topic in self._leaving:
            await asyncio.wait([self._leaving[topic]])
        while True:
            try:
                await self._listen(topic)
            except NotSupportedByVenue as error:
                self._listener.tape_lost(topic, error)
                pause_s = REFUSED_S
            except ArbError as error:
                logger.info("%s: %s", topic.name, error)
                self._listener.tape_lost(topic, error)
                pause_s = self._pause_s()
            except Exception as error:
                logger.exception("%s could not be followed", topic.name)
                self._listener.tape_lost(topic, ArbError(str(error)))
                pause_s = REFUSED_S
            await asyncio.sleep(pause_s)

    async def _listen(self, topic: Topic) -> NoReturn:
        stream = await self._opened()
        while True:
            if topic.timeframe:
                candles = await stream.next_candles(topic.symbol, topic.timeframe)
                self._listener.candles_changed(topic, candles)
            else:
                self._listener.traded(topic, await stream.next_trades(topic.symbol))
            self._pauses.reset()

    async def _opened(self) -> TapeStream:
        """Return the instance, which opens connections itself, once the markets are known."""
        async with self._opening:
            if self._stream is None:
                source = await asyncio.to_thread(markets_of, self._spec)
                self._stream = TapeStream(self._spec, source, timeout_ms=TIMEOUT_MS)
            return self._stream

    async def _leave(self, topic: Topic, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._stream is not None:
            await self._stream.leave(topic.symbol, topic.timeframe)

    def _has_left(self, topic: Topic, done: asyncio.Task[None]) -> None:
        if self._leaving.get(topic) is done:
            del self._leaving[topic]

    def _pause_s(self) -> float:
        """Return how long to wait: whoever fails first sets the moment for all topics."""
        now_s = time.monotonic()
        if now_s >= self._resumed_s:
            self._resumed_s = now_s + self._pauses.next_ms() / 1_000
        return self._resumed_s - now_s
