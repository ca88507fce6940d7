"""Lends ccxt instances to one call at a time, so that threads can share a gateway.

ccxt keeps what it is doing on the instance (last request and answer, nonces, options), and one
instance costs a few milliseconds and a quarter of a megabyte: a small pool is cheaper than proving
every class thread-safe. Each instance keeps its own connections open; the last one used is lent
first, so that they stay warm.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from markets.gateway.client import Client

POOL_SIZE = 16
"""Calls that one gateway makes at the same time."""


class PoolExhausted(Exception):
    """All instances were busy for as long as a call may take."""


class ClientPool:
    """A bounded pool that grows as far as calls overlap.

    Args:
        build: makes an instance.
        size: most instances at once.
        wait_s: longest wait for one [s].
    """

    def __init__(self, build: Callable[[], Client], *, size: int, wait_s: float) -> None:
        self._build = build
        self._wait_s = wait_s
        self._slots = threading.BoundedSemaphore(size)
        self._idle: deque[Client] = deque(maxlen=size)
        self._is_closed = False

    @contextmanager
    def lend(self) -> Iterator[Client]:
        """Lend an instance for one call.

        Raises:
            PoolExhausted: none became free in time.
        """
        if not self._slots.acquire(timeout=self._wait_s):
            raise PoolExhausted
        try:
            try:
                client = self._idle.pop()
            except IndexError:
                client = self._build()
            client.begin_call()
            try:
                yield client
            finally:
                if self._is_closed:
                    client.session.close()
                else:
                    self._idle.append(client)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close what is idle now and what comes back later."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().session.close()
