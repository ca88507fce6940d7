"""How old things are, by a clock that nobody sets; and when they were, by the one on the wall."""

from collections.abc import Callable
from math import ceil

from arbplatform.core.clock import SYSTEM_CLOCK, Clock, elapsed_ms


class Ages:
    """The clocks of the feeds of one process.

    A wall clock that is set back would make a dead feed look current for that much longer. So
    every moment that an age is made of is a reading of a steady clock, which also goes on while
    the machine sleeps; it becomes a moment on the wall where it is shown, stored or compared with
    what others say.

    Args:
        clock: of the wall.
        read_ms: reads the steady clock [ms].
    """

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, read_ms: Callable[[], float] = elapsed_ms
    ) -> None:
        self.wall_ms = clock.now_ms
        self.now_ms = read_ms

    def to_wall_ms(self, at_ms: float) -> int:
        """Return when a reading was made, as the wall clock counts now [ms since epoch].

        Args:
            at_ms: reading of the steady clock, not from the future [ms].
        """
        return self.wall_ms() - ceil(self.now_ms() - at_ms)
