"""What feeds read over REST: never on the loop, and in few threads of each venue.

A venue that hangs keeps its own: snapshots of other books, and looks at them, go on.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from markets.domain.book import Book
from markets.domain.quote import Ticker
from markets.gateway.base import VenueSpec
from markets.gateway.factory import gateway_for, markets_of
from markets.gateway.limiter import in_background
from markets.gateway.venue_threads import VenueThreads

AT_ONCE = 2
"""Calls to one venue at the same time."""

T = TypeVar("T")


class RestReader:
    """Reads from venues for one loop."""

    def __init__(self) -> None:
        self._threads = VenueThreads(AT_ONCE, "feeds")
        self._is_closed = False

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
        self._is_closed = True
        self._threads.close(is_waiting=False)

    async def _call(self, spec: VenueSpec, read: Callable[[], T]) -> T:
        if self._is_closed:
            raise RuntimeError("a reader was asked after it was closed")
        return await asyncio.wrap_future(self._threads.submit(spec.code, read))
