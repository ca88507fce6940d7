"""Keeps the rate of requests to one venue below what it allows, without queueing bursts."""

import threading
import time
from collections.abc import Callable

BURST_MS = 5_000
"""A silence of this long may be spent at once: venues count per minute, not per request."""

WAIT_MS_MAX = 2_000
"""Longest wait for a request's turn [ms]; a price that comes later is worth nothing."""


class TooManyRequests(Exception):
    """The turn of a request would come too late, or the venue has told us to be silent.

    Args:
        wait_ms: until there would be room [ms].
    """

    def __init__(self, wait_ms: float) -> None:
        self.wait_ms = wait_ms
        super().__init__(f"no room for another request for {wait_ms:.0f} ms")


class RateLimiter:
    """A token bucket that is shared by every connection of this process to one venue.

    Args:
        unit_ms: what one unit of cost takes [ms]; 0 is no limit.
        now_ms: a monotonic clock [ms].
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        unit_ms: float,
        *,
        now_ms: Callable[[], float] = lambda: time.monotonic_ns() / 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.unit_ms = unit_ms
        self._now_ms = now_ms
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_from_ms = now_ms() - BURST_MS
        self._silent_until_ms = 0.0

    def acquire(self, cost: float = 1.0) -> None:
        """Wait until ``cost`` units fit; several callers wait at the same time.

        Raises:
            TooManyRequests: that would take longer than ``WAIT_MS_MAX``; nothing is reserved.
        """
        with self._lock:
            now_ms = self._now_ms()
            start_ms = max(self._free_from_ms, now_ms - BURST_MS)
            end_ms = start_ms + cost * self.unit_ms
            wait_ms = max(end_ms - now_ms, self._silent_until_ms - now_ms, 0.0)
            if wait_ms > WAIT_MS_MAX:
                raise TooManyRequests(wait_ms)
            self._free_from_ms = end_ms
        if wait_ms > 0:
            self._sleep(wait_ms / 1_000)

    def silence(self, duration_ms: float) -> None:
        """Send nothing for ``duration_ms`` [ms]: the venue asked for it."""
        with self._lock:
            self._silent_until_ms = max(self._silent_until_ms, self._now_ms() + duration_ms)
