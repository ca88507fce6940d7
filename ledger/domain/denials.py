"""When to ask again for an order of which a venue says that there is none.

A venue may list an execution before its look-up knows the order, so one denial says nothing; but
one that denies an order for good must not be asked for it in every round, before all others.
"""

from dataclasses import dataclass
from typing import Final

from ledger.domain.reconciliation import ROUNDS_MIN

FIRST_WAIT_MS: Final = 2 * 60_000
"""The first wait, once it was denied in as many rounds as an alarm takes; each later one is twice
as long [ms]."""
WAIT_MS_MAX: Final = 3_600_000
"""The longest wait [ms]."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A venue has said that it knows no such order.

    Attributes:
        count: in how many rounds.
        asked_at_ms: when the last of them began [ms since epoch].
    """

    count: int
    asked_at_ms: int

    @property
    def wait_ms(self) -> int:
        """How long it rests [ms]; not at all in the rounds that lead to an alarm.

        >>> [Denial(count, 0).wait_ms // 60_000 for count in (4, 5, 6, 9, 10, 1_000)]
        [0, 2, 4, 32, 60, 60]
        """
        if self.count < ROUNDS_MIN:
            return 0
        return min(FIRST_WAIT_MS << min(self.count - ROUNDS_MIN, 10), WAIT_MS_MAX)

    def is_due(self, now_ms: int) -> bool:
        """Return whether it is to be asked for again.

        Args:
            now_ms: when [ms since epoch]; before the last question if clocks were set.
        """
        return not 0 <= now_ms - self.asked_at_ms < self.wait_ms
