"""Reads books over REST for as long as a venue has no stream, at a bounded pace."""

import asyncio
import logging
from collections.abc import Callable

from markets.domain.book import Book
from markets.feed.reader import RestReader
from markets.feed.timing import Timing
from markets.gateway.base import VenueSpec

logger = logging.getLogger(__name__)

DEPTH = 20


class Polling:
    """Reads the books of one venue in turn.

    Args:
        spec: how to reach the venue.
        reader: reads over REST.
        timing: how long to wait for what.
        next_symbol: names the market whose turn it is; ``None``: none is to be read.
        arrived: is told symbol, book and when it was asked for [ms].
        now_ms: reads the steady clock [ms].
    """

    def __init__(
        self,
        spec: VenueSpec,
        reader: RestReader,
        *,
        timing: Timing,
        next_symbol: Callable[[], str | None],
        arrived: Callable[[str, Book, float], None],
        now_ms: Callable[[], float],
    ) -> None:
        self._spec = spec
        self._reader = reader
        self._timing = timing
        self._next_symbol = next_symbol
        self._arrived = arrived
        self._now_ms = now_ms
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Read for as long as there is something to read."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Read nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while (symbol := self._next_symbol()) is not None:
            asked_at_ms = self._now_ms()
            try:
                book = await self._reader.book(self._spec, symbol, DEPTH)
            except Exception as error:  # noqa: BLE001  whatever it was: its turn comes again
                logger.info("%s: %s could not be read: %r", self._spec.code, symbol, error)
            else:
                self._arrived(symbol, book, asked_at_ms)
            await asyncio.sleep(self._timing.poll_pause_ms / 1_000)
