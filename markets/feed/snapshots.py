"""Snapshots over REST for the markets of one venue: one after the other, within its rates."""

import asyncio
import logging
from collections.abc import Callable

from arbplatform.core.errors import ArbError, Message
from markets.domain.book import Book
from markets.feed.reader import AT_ONCE, RestReader
from markets.feed.reasons import NO_SNAPSHOT
from markets.gateway.base import VenueSpec

logger = logging.getLogger(__name__)


class Snapshots:
    """Reads snapshots for one venue, each market at most once at a time.

    Args:
        spec: how to reach the venue.
        reader: reads over REST.
        depth: says how many levels of a side to ask for.
        now_ms: reads the clock of the feeds [ms].
        arrived: is told symbol, book, the depth that was asked for, and when it was asked [ms].
        failed: is told symbol and reason.
    """

    def __init__(
        self,
        spec: VenueSpec,
        reader: RestReader,
        *,
        depth: Callable[[], int],
        now_ms: Callable[[], float],
        arrived: Callable[[str, Book, int, float], None],
        failed: Callable[[str, Message], None],
    ) -> None:
        self._spec = spec
        self._reader = reader
        self._depth = depth
        self._now_ms = now_ms
        self._arrived = arrived
        self._failed = failed
        self._waiting: dict[str, None] = {}
        self._workers: set[asyncio.Task[None]] = set()

    def ask(self, symbol: str) -> None:
        """Read the snapshot of a market as soon as its turn comes."""
        self._waiting[symbol] = None
        if len(self._workers) < AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(task)
            task.add_done_callback(self._workers.discard)

    def forget(self, symbol: str) -> None:
        """Nobody wants this snapshot any more."""
        self._waiting.pop(symbol, None)

    async def close(self) -> None:
        """Read nothing more."""
        self._waiting.clear()
        workers = list(self._workers)
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            symbol = next(iter(self._waiting))
            del self._waiting[symbol]
            depth, asked_at_ms = self._depth(), self._now_ms()
            try:
                book = await self._reader.book(self._spec, symbol, depth)
            except ArbError as error:
                self._failed(symbol, error.message)
            except Exception:
                logger.exception("The snapshot of %s could not be read", symbol)
                self._failed(symbol, NO_SNAPSHOT)
            else:
                self._arrived(symbol, book, depth, asked_at_ms)
