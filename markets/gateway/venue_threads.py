"""Threads that ask venues, some for each: a venue that hangs keeps those of no other one."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakSet

_T = TypeVar("_T")


class VenueThreads:
    """Threads of one process, made when they are first needed.

    Args:
        size: of each venue, at most.
        name: what their names begin with.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._pools: dict[str, ThreadPoolExecutor] = {}
        _ALL.add(self)

    def submit(self, venue: str, work: Callable[[], _T]) -> Future[_T]:
        """Have something done that asks a venue, after what it was asked before.

        Args:
            venue: code of the venue.
            work: what blocks.
        """
        pool = self._pools.get(venue)
        if pool is None:
            # one that loses a race has no threads yet, and is forgotten
            made = ThreadPoolExecutor(self._size, thread_name_prefix=f"{self._name}-{venue}")
            pool = self._pools.setdefault(venue, made)
        return pool.submit(work)

    def forget(self) -> None:
        """Begin anew: threads do not survive a fork, and a child makes its own."""
        self._pools.clear()

    def close(self, *, is_waiting: bool = True) -> None:
        """End all threads; the next call makes new ones.

        Args:
            is_waiting: until they have done what was asked for; else what has not begun is not
                done any more, and what has is left to itself.
        """
        for venue in list(self._pools):
            self._pools.pop(venue).shutdown(wait=is_waiting, cancel_futures=not is_waiting)


_ALL: WeakSet[VenueThreads] = WeakSet()


def _forget_all() -> None:
    for threads in _ALL:
        threads.forget()


os.register_at_fork(after_in_child=_forget_all)
