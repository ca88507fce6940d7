"""How long something has gone on, where a clock that jumps must not shorten it.

A row can keep a moment of the wall clock only, which an operator, NTP or a virtual machine may set
an hour on. Whoever concludes something from a long silence has listened for so long itself.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from arbplatform.core.clock import Clock

WATCHED_MAX: Final = 10_000


class Vigil:
    """Remembers, in this process, since when it has known of things, by the monotonic clock.

    What is forgotten, with the process or because there is too much, begins anew: a conclusion
    comes later for it, never earlier.
    """

    def __init__(self, capacity: int = WATCHED_MAX) -> None:
        """Know of nothing yet.

        Args:
            capacity: things that are remembered; beyond it what was not asked for longest goes.
        """
        self._capacity = capacity
        self._since_ms: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def lasted_ms(self, thing: Hashable, clock: Clock) -> float:
        """Return how long ago this was first asked about the thing [ms]; the first time zero.

        Args:
            thing: what goes on; another name for each time that it begins.
            clock: whose monotonic reading counts.
        """
        reading_ms = clock.monotonic_ms()
        with self._lock:
            since_ms = self._since_ms.setdefault(thing, reading_ms)
            self._since_ms.move_to_end(thing)
            if len(self._since_ms) > self._capacity:
                self._since_ms.popitem(last=False)
        return reading_ms - since_ms
