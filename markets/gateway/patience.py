"""Reads that nobody waits for: they wait for room in the rate budget and hold nothing meanwhile."""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from markets.errors import VenueRateLimited
from markets.gateway.limiter import Background, background

T = TypeVar("T")
P = ParamSpec("P")

PATIENCE_MS = 20_000
"""Longest wait of a whole read, besides what each request waits [ms]: who compares an account
would lose the claim to it."""


class Patience:
    """What one read may wait between its calls; nothing at all, unless it is in the background.

    Args:
        sleep: waits so many seconds.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._block = background() or Background(left_ms=0.0)
        self._left_ms = float(PATIENCE_MS)
        self._sleep = sleep

    def take(self, ask: Callable[[], T]) -> T:
        """Make one call, and again when the budget has room; nothing is lent meanwhile.

        Args:
            ask: lends an instance for the call; one that was held back sent nothing.

        Raises:
            VenueRateLimited: there is no room in time, or the venue wants silence.
        """
        while True:
            try:
                return ask()
            except VenueRateLimited as error:
                wait_ms = max(1.0, error.wait_ms or 0.0)
                if error.wait_ms is None or wait_ms > min(self._left_ms, self._block.left_ms):
                    raise
                self._left_ms -= wait_ms
                self._block.left_ms -= wait_ms
            self._sleep(wait_ms / 1_000)


def patient(read: Callable[P, T]) -> Callable[P, T]:
    """Let a read that is one call wait for room in the background."""

    @wraps(read)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return Patience().take(lambda: read(*args, **kwargs))

    return call
