"""How long something has gone on, where a clock that jumps must not shorten it.

A row can keep a moment of the wall clock only, which an operator, NTP or a virtual machine may set
an hour on. Whoever concludes something from a long silence has listened for so long itself.
"""

import threading
from collections.abc import Hashable
from typing import Final

from arbplatform.core.clock import Clock

WATCHED_MAX: Final = 10_000

FORGOTTEN_AFTER_MS: Final = 3_600_000
"""What was not asked about for so long makes room for others, if there is none [ms]."""


class Vigil:
    """Remembers, in this process, since when it has known of things, by the monotonic clock.

    What is forgotten, with the process or because it is asked about no more, begins anew: a
    conclusion comes later for it, never earlier.
    """

    def __init__(self, capacity: int = WATCHED_MAX) -> None:
        """Know of nothing yet.

        Args:
            capacity: things that are remembered. Beyond it a new one has to wait for its turn, for
                if it took another's place, of too many none would ever last.
        """
        self._capacity = capacity
        # since when, and when last asked about, by the monotonic clock [ms]
        self._watched: dict[Hashable, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def lasted_ms(self, thing: Hashable, clock: Clock) -> float:
        """Return how long ago this was first asked about the thing [ms]; the first time zero.

        Args:
            thing: what goes on; another name for each time that it begins.
            clock: whose monotonic reading counts.
        """
        reading_ms = clock.monotonic_ms()
        with self._lock:
            since_ms, _asked_ms = self._watched.pop(thing, (reading_ms, reading_ms))
            if len(self._watched) >= self._capacity:
                longest_ago = next(iter(self._watched))
                if reading_ms - self._watched[longest_ago][1] <= FORGOTTEN_AFTER_MS:
                    return 0.0
                del self._watched[longest_ago]
            self._watched[thing] = since_ms, reading_ms  # last: in the order of being asked about
        return reading_ms - since_ms
