"""Best prices of all markets of whole venues: by one stream where there is one, else over REST.

All prices are read over REST first, since a stream tells only what changes, and again now and then,
since some streams say nothing of markets in which nobody trades. A venue without a stream, or whose
stream is down, is asked every two seconds. When it does not answer, whoever listens is told that
its prices are lost.
"""

import asyncio
import logging
import math
import time
from collections.abc import Iterable
from random import Random
from typing import Protocol

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError
from markets.domain.quote import Ticker
from markets.errors import VenueUnavailable
from markets.feed.pace import Backoff
from markets.gateway.base import VenueSpec
from markets.gateway.ccxt_tickers import NoTickerStream, TickerStream
from markets.gateway.factory import gateway_for, heed_venues, markets_of

logger = logging.getLogger(__name__)

POLL_S = 2.0
REFRESH_S = 60.0
"""After so long all prices are read again although a stream tells changes [s]."""
SILENCE_S = 15.0
"""A stream that says nothing for so long is opened anew [s]."""
LONGEST_MS = 600_000.0
"""A stream that broke off or says nothing is opened anew after so long at the latest [ms]."""
TIMEOUT_MS = 10_000


class TickerListener(Protocol):
    """Is told, on the loop; must be quick."""

    def tickers_changed(self, venue: str, tickers: Iterable[Ticker], *, is_streamed: bool) -> None:
        """New best prices of some markets of a venue came in."""

    def venue_lost(self, venue: str, error: ArbError) -> None:
        """The prices of a venue are not known any more."""


class TickerHub:
    """Follows the best prices of any number of venues; made and used on one running loop.

    Args:
        listener: is told of every change.
        clock: stamps what comes in.
        random: source of chance for pauses between connections.
        poll_s: between two readings of a venue without a stream [s].
    """

    def __init__(
        self,
        *,
        listener: TickerListener,
        clock: Clock = SYSTEM_CLOCK,
        random: Random | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._listener = listener
        self._clock = clock
        self._random = random or Random()  # noqa: S311  no secret depends on it
        self._poll_s = poll_s
        self._followed: dict[VenueSpec, asyncio.Task[None]] = {}

    def want(self, specs: Iterable[VenueSpec]) -> None:
        """Follow exactly these venues from now on, as they were read a moment ago."""
        wanted = set(specs)
        heed_venues(wanted)
        for spec in [spec for spec in self._followed if spec not in wanted]:
            self._followed.pop(spec).cancel()
        for spec in wanted - self._followed.keys():
            self._followed[spec] = asyncio.get_running_loop().create_task(self._follow(spec))

    async def close(self) -> None:
        """End every connection."""
        tasks = list(self._followed.values())
        self._followed.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, spec: VenueSpec) -> None:
        """Follow one venue until cancelled, by whatever it offers."""
        pauses = Backoff(self._random, longest_ms=LONGEST_MS)
        pause_s = math.inf
        while True:
            try:
                if await self._poll(spec):
                    await self._stream(spec, pauses)
            except NoTickerStream:
                pause_s = math.inf
            except VenueUnavailable as error:
                logger.info("%s", error)
                pause_s = pauses.next_ms() / 1_000
            except Exception:
                logger.exception("The prices of %s could not be followed", spec.code)
                pause_s = pauses.next_ms() / 1_000
            else:  # it did not answer
                pause_s = self._poll_s
            await self._poll_for(spec, pause_s)

    async def _poll_for(self, spec: VenueSpec, duration_s: float) -> None:
        """Read all prices again and again for a while."""
        until = time.monotonic() + duration_s
        while time.monotonic() < until:
            await asyncio.sleep(self._poll_s)
            await self._poll(spec)

    async def _stream(self, spec: VenueSpec, pauses: Backoff) -> None:
        """Hand on what a venue's stream tells; it does not end but by an error."""
        source = await asyncio.to_thread(markets_of, spec)
        stream = TickerStream(spec, source, timeout_ms=TIMEOUT_MS, clock=self._clock)
        read_at = time.monotonic()
        try:
            while True:
                tickers = await stream.next(timeout_s=SILENCE_S)
                self._listener.tickers_changed(spec.code, tickers, is_streamed=True)
                pauses.reset()
                if time.monotonic() - read_at > REFRESH_S:
                    await self._poll(spec, is_streamed=True)
                    read_at = time.monotonic()
        finally:
            await stream.close()

    async def _poll(self, spec: VenueSpec, *, is_streamed: bool = False) -> bool:
        """Read all prices of a venue over REST; return whether it answered."""
        try:
            gateway = gateway_for(spec)
            tickers = await asyncio.to_thread(gateway.fetch_tickers)
        except ArbError as error:
            logger.info("%s", error)
            if not is_streamed:
                self._listener.venue_lost(spec.code, error)
            return False
        self._listener.tickers_changed(spec.code, tickers.values(), is_streamed=is_streamed)
        return True
