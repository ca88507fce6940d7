"""How often a lost connection is opened again: later and later, by chance, and within a cap."""

from collections import deque
from random import Random

FIRST_MS = 500.0
LONGEST_MS = 60_000.0
STEADY_MS = 60_000.0
"""A connection that stood this long starts anew with the shortest pause [ms]."""
WINDOW_MS = 60_000.0
_DOUBLINGS_MAX = 16


class Backoff:
    """Pauses that double from failure to failure, each of random length.

    Everybody who lost a connection at the same moment would come back at the same moment if the
    pauses were not random.

    Args:
        random: source of chance.
        first_ms: longest first pause [ms].
        longest_ms: no pause is longer [ms].
    """

    def __init__(
        self, random: Random, *, first_ms: float = FIRST_MS, longest_ms: float = LONGEST_MS
    ) -> None:
        self._random = random
        self._first_ms = first_ms
        self._longest_ms = longest_ms
        self._failures = 0

    def next_ms(self) -> float:
        """Return how long to wait now [ms], between half of the pause and all of it."""
        exponent = min(self._failures, _DOUBLINGS_MAX)
        self._failures += 1
        pause_ms = min(self._longest_ms, self._first_ms * 2.0**exponent)
        return pause_ms * (0.5 + self._random.random() / 2)

    def reset(self) -> None:
        """Start anew with the shortest pause."""
        self._failures = 0


class DialBudget:
    """How many connections to one venue may be opened within a minute.

    Args:
        per_minute: at most.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._taken_ms: deque[float] = deque(maxlen=per_minute)

    def reserve_ms(self, now_ms: float) -> float:
        """Take the next free turn and return how long to wait for it [ms].

        Args:
            now_ms: reading of the monotonic clock [ms].
        """
        turn_ms = now_ms
        if len(self._taken_ms) == self._per_minute:
            turn_ms = max(now_ms, self._taken_ms[0] + WINDOW_MS)
        self._taken_ms.append(turn_ms)
        return turn_ms - now_ms
