"""What feeds read over REST: in a few threads, never on the loop, and few calls at a time."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from markets.domain.book import Book
from markets.domain.quote import Ticker
from markets.gateway.base import VenueSpec
from markets.gateway.factory import gateway_for, markets_of
from markets.gateway.limiter import in_background

THREADS = 8
AT_ONCE = 2
"""Calls to one venue at the same time."""

T = TypeVar("T")


class RestReader:
    """Reads from venues for one loop.

    Args:
        threads: of this reader, at most.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="feeds")
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def book(self, spec: VenueSpec, symbol: str, depth: int) -> Book:
        """Return a book.

        Args:
            spec: how to reach the venue.
            symbol: unified symbol.
            depth: levels of each side, at most.

        Raises:
            VenueError, UnknownSymbol: it cannot be had.
        """
        return await self._call(spec, lambda: gateway_for(spec).fetch_book(symbol, depth))

    async def look(self, spec: VenueSpec, symbol: str, depth: int) -> Book:
        """Return a book that nobody waits for: everything else at the venue goes first.

        Args:
            spec: how to reach the venue.
            symbol: unified symbol.
            depth: levels of each side, at most.

        Raises:
            VenueError, UnknownSymbol: it cannot be had.
        """

        def read() -> Book:
            with in_background():
                return gateway_for(spec).fetch_book(symbol, depth)

        return await self._call(spec, read)

    async def tickers(self, spec: VenueSpec) -> Mapping[str, Ticker]:
        """Return the tickers of all markets of a venue.

        Raises:
            VenueError: they cannot be had.
        """
        return await self._call(spec, lambda: gateway_for(spec).fetch_tickers())

    async def markets(self, spec: VenueSpec) -> Any:
        """Return what holds the markets of a venue.

        Raises:
            VenueError: they cannot be had.
        """
        return await self._call(spec, lambda: markets_of(spec))

    def close(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(self, spec: VenueSpec, read: Callable[[], T]) -> T:
        turn = self._turns.setdefault(spec.code, asyncio.Semaphore(AT_ONCE))
        async with turn:
            return await asyncio.get_running_loop().run_in_executor(self._pool, read)
