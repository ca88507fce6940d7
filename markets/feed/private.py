"""Hears what a venue tells one account, and hears again after every lost connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Protocol

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from markets.domain.orders import VenueFill, VenueOrder
from markets.feed.pace import Backoff, DialBudget
from markets.feed.reader import RestReader
from markets.feed.timing import TIMING, Timing
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.private_streams import PrivateStreams

logger = logging.getLogger(__name__)


class PrivateListener(Protocol):
    """Hears what happens to an account; called on the loop, so it must be quick."""

    def order_changed(self, order: VenueOrder) -> None:
        """Something happened to an order of the account."""
        ...

    def fill_happened(self, fill: VenueFill) -> None:
        """An order of the account was executed."""
        ...

    def balance_changed(self) -> None:
        """A balance of the account is another one now."""
        ...

    def heard_again(self) -> None:
        """The streams stand, and what happened before was perhaps not told."""
        ...


class PrivateStream:
    """The private streams of one account, for as long as it is open; made on a running loop.

    Args:
        spec: how to reach the venue.
        credentials: of the account; they appear in no log.
        listener: is told; what it raises is logged and stops nothing.
        reader: reads the venue's markets.
        timeout_ms: for connecting and for REST requests that streams need [ms].
        timing: how long to wait for what.
        clock: tells the time.
    """

    def __init__(
        self,
        spec: VenueSpec,
        credentials: Credentials,
        *,
        listener: PrivateListener,
        reader: RestReader,
        timeout_ms: int,
        timing: Timing = TIMING,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.spec = spec
        self._listener = listener
        self._reader = reader
        self._timing = timing
        self._clock = clock
        self._streams = PrivateStreams(spec, credentials, timeout_ms=timeout_ms)
        self._dials = DialBudget(self._streams.facts.dials_per_minute)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Hear nothing more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._streams.close()

    async def _run(self) -> None:
        """Listen, and listen again when that has ended."""
        backoff = Backoff(
            Random(),  # noqa: S311  no secret depends on it
            first_ms=self._timing.first_pause_ms,
            longest_ms=self._timing.longest_pause_ms,
        )
        while True:
            started_ms = self._clock.monotonic_ms()
            try:
                self._streams.adopt_markets(await self._reader.markets(self.spec))
                await self._listen()
            except Exception as error:  # noqa: BLE001  whatever it was: it is tried again
                # The class says enough; the words could hold what was sent.
                logger.info("%s: private streams: %s", self.spec.code, type(error).__name__)
            if self._clock.monotonic_ms() - started_ms > self._timing.longest_pause_ms:
                backoff.reset()
            pause_ms = backoff.next_ms() + self._dials.reserve_ms(self._clock.monotonic_ms())
            await asyncio.sleep(pause_ms / 1_000)

    async def _listen(self) -> None:
        """Follow every stream that the venue has, until one of them ends."""
        streams = self._streams
        follow: dict[str, Callable[[], Awaitable[None]]] = {
            "watchOrders": self._hear_orders,
            "watchMyTrades": self._hear_fills,
            "watchBalance": self._hear_balances,
        }
        loop = asyncio.get_running_loop()
        tasks: list[asyncio.Task[Any]] = [
            loop.create_task(_repeat(hear)) for name, hear in follow.items() if streams.tells(name)
        ]
        tasks.append(loop.create_task(_repeat(self._ask_for_life)))
        self._tell(self._listener.heard_again)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()  # raises what ended it

    async def _hear_orders(self) -> None:
        for order in await self._streams.orders():
            self._tell(self._listener.order_changed, order)

    async def _hear_fills(self) -> None:
        for fill in await self._streams.fills():
            self._tell(self._listener.fill_happened, fill)

    async def _hear_balances(self) -> None:
        await self._streams.balances()
        self._tell(self._listener.balance_changed)

    async def _ask_for_life(self) -> None:
        """End a connection that says nothing, so that it is opened again."""
        await asyncio.sleep(self._timing.stale_after_ms / 1_000)
        self._streams.ping_silent(self._timing.stale_after_ms)
        self._streams.cut_silent(self._timing.dead_after_ms)

    def _tell(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception:
            logger.exception("What listens to an account failed")


async def _repeat(hear: Callable[[], Awaitable[None]]) -> None:
    while True:
        await hear()
