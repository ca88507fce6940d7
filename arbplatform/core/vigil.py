"""How long something has gone on, where a clock that jumps must not shorten it.

A row can keep a moment of the wall clock only, which an operator, NTP or a virtual machine may set
an hour on. Whoever concludes something from a long silence goes by what processes have listened.
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

    What is forgotten, with the process or because it is asked about no more, begins anew, or from
    what was kept of it: a conclusion comes later for it, never earlier.
    """

    def __init__(self, capacity: int = WATCHED_MAX) -> None:
        """Know of nothing yet.

        Args:
            capacity: things that are remembered. Beyond it a new one has to wait for its turn, for
                if it took another's place, of too many none would ever last.
        """
        self._capacity = capacity
        # how long it had lasted, and when that was, by the monotonic clock [ms]
        self._watched: dict[Hashable, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def lasted_ms(self, thing: Hashable, clock: Clock, *, kept_ms: float = 0.0) -> float:
        """Return for how long the thing is known to have gone on [ms].

        Several processes may ask about one thing, and keep what they are told: what two of them
        listened at the same time is not counted twice, since each only adds to what was kept when
        it asked last.

        Args:
            thing: what goes on; another name for each time that it begins.
            clock: whose monotonic reading counts.
            kept_ms: for how long any process has known it to go on [ms]; what is returned first.
        """
        return self._hear(thing, clock, kept_ms, is_counted=True)

    def interrupt(self, thing: Hashable, clock: Clock) -> None:
        """Do not count the time since this was last asked about the thing: nobody could listen."""
        if thing in self._watched:
            self._hear(thing, clock, 0.0, is_counted=False)

    def _hear(self, thing: Hashable, clock: Clock, kept_ms: float, *, is_counted: bool) -> float:
        reading_ms = clock.monotonic_ms()
        with self._lock:
            lasted_ms, heard_ms = self._watched.pop(thing, (kept_ms, reading_ms))
            if is_counted:
                lasted_ms += reading_ms - heard_ms
            lasted_ms = max(lasted_ms, kept_ms)
            if len(self._watched) >= self._capacity:
                longest_ago = next(iter(self._watched))
                if reading_ms - self._watched[longest_ago][1] <= FORGOTTEN_AFTER_MS:
                    return kept_ms
                del self._watched[longest_ago]
            self._watched[thing] = lasted_ms, reading_ms  # last: in the order of being asked about
        return lasted_ms
