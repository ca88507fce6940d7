"""Who watches which market: from a changed book to the strategies that it concerns."""

from collections.abc import Collection
from typing import Protocol

from markets.domain.live_book import LiveBook
from strategies.sdk import MarketKey


class Watcher(Protocol):
    """A strategy as the board knows it. Both calls are quick and raise nothing."""

    def book_changed(self, key: MarketKey, book: LiveBook, at_ns: int) -> None:
        """Take note of a book that has changed and may be decided on.

        Args:
            key: its market.
            book: as it is now.
            at_ns: when it had changed (``time.perf_counter_ns``).
        """

    def book_lost(self, key: MarketKey) -> None:
        """Take note that the book of a market must not be decided on any more."""


class Board:
    """Watchers by market; touched by the loop only."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], tuple[MarketKey, tuple[Watcher, ...]]] = {}
        self._keys: dict[Watcher, frozenset[MarketKey]] = {}

    def place(self, watcher: Watcher, keys: Collection[MarketKey]) -> None:
        """Let ``watcher`` watch exactly these markets from now on."""
        before, after = self._keys.get(watcher, frozenset()), frozenset(keys)
        for key in before - after:
            self._leave(watcher, key)
        for key in after - before:
            _key, others = self._places.get(key, (key, ()))
            self._places[key] = (key, (*others, watcher))
        self._keys[watcher] = after

    def remove(self, watcher: Watcher) -> None:
        """Let ``watcher`` watch nothing any more."""
        for key in self._keys.pop(watcher, frozenset()):
            self._leave(watcher, key)

    def book_changed(self, book: LiveBook, at_ns: int) -> None:
        """Tell everybody whom it concerns that a book has changed."""
        place = self._places.get((book.venue, book.symbol))
        if place is not None:
            key, watchers = place
            for watcher in watchers:
                watcher.book_changed(key, book, at_ns)

    def book_lost(self, venue: str, symbol: str) -> None:
        """Tell everybody whom it concerns that a book cannot be used any more."""
        place = self._places.get((venue, symbol))
        if place is not None:
            key, watchers = place
            for watcher in watchers:
                watcher.book_lost(key)

    def _leave(self, watcher: Watcher, key: MarketKey) -> None:
        _key, watchers = self._places[key]
        others = tuple(other for other in watchers if other is not watcher)
        if others:
            self._places[key] = (key, others)
        else:
            del self._places[key]
