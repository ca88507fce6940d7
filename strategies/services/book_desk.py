"""Books for the scanner, asked for venue by venue: one that hangs holds up its own only."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from markets.domain.book import Book
from markets.gateway.base import VenueSpec
from strategies.domain.view import MarketKey

Books = Mapping[MarketKey, Book]
FetchBooks = Callable[[Sequence[tuple[VenueSpec, str]]], Books]

ANSWER_S: Final = 2.0
"""So long is an answer waited for; one that comes later counts in the scan that it comes in [s]."""
THREADS: Final = 16
"""Venues that are asked at the same time, at most."""


class BookDesk:
    """Asks venues for books. Used by one thread.

    Args:
        fetch: asks one venue; books that cannot be had are left out.
        answer_s: how long an answer is waited for [s].
    """

    def __init__(self, fetch: FetchBooks, *, answer_s: float = ANSWER_S) -> None:
        self._fetch = fetch
        self._answer_s = answer_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="scanner-books")
        self._asked: dict[str, tuple[Future[Books], tuple[MarketKey, ...]]] = {}
        self._new: list[Future[Books]] = []

    @property
    def busy(self) -> frozenset[str]:
        """Venues that have not answered yet; they are not asked again until then."""
        return frozenset(self._asked)

    def ask(self, keys: Sequence[MarketKey], specs: Mapping[str, VenueSpec]) -> None:
        """Ask for books.

        Args:
            keys: of venues that are not busy.
            specs: how to reach the venues; those of others are not asked for.
        """
        for venue in dict.fromkeys(key.venue for key in keys if key.venue in specs):
            wanted = tuple(key for key in keys if key.venue == venue)
            pairs = [(specs[venue], key.symbol) for key in wanted]
            future = self._threads.submit(self._fetch, pairs)
            self._asked[venue] = (future, wanted)
            self._new.append(future)

    def answers(self) -> dict[MarketKey, Book | None]:
        """Return what was answered since the last call; ``None``: the book cannot be had.

        Whoever was asked before and has not answered by now is not waited for again.
        """
        wait(self._new, timeout=self._answer_s)
        self._new.clear()
        answers: dict[MarketKey, Book | None] = {}
        for venue, (future, keys) in list(self._asked.items()):
            if future.done():
                del self._asked[venue]
                books = future.result()
                answers.update((key, books.get(key)) for key in keys)
        return answers
