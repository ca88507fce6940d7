"""When to ask again for an order of which a venue denies what it lists: all of it, or some.

A venue may list an execution before its look-up knows the order, so one denial says nothing; but
one that denies an order for good must not be asked for it in every round, before all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arbplatform.core.decimals import Quantity, to_plain
from ledger.domain.reconciliation import ROUNDS_MIN

FIRST_WAIT_MS: Final = 2 * 60_000
"""The first wait, once it was denied in as many rounds as an alarm takes; each later one is twice
as long [ms]."""
WAIT_MS_MAX: Final = 3_600_000
"""The longest wait [ms]."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A venue has said that it knows no such order, or that less of it was filled than it lists.

    Attributes:
        count: in how many rounds.
        asked_at_ms: when the last of them began [ms since epoch].
        filled: how much was filled, as it said in the last of them [base]; ``None``: it knows no
            such order.
        order_id: ours, where only the order's mark tells which: the journal does not know it by
            the venue's id; ``None`` together with ``filled``.
    """

    count: int
    asked_at_ms: int
    filled: Quantity | None = None
    order_id: int | None = None

    @classmethod
    def from_json(cls, figures: Sequence[int | str]) -> "Denial":
        """Return what ``to_json`` was made of.

        >>> Denial.from_json(Denial(3, 7, Decimal("0.10")).to_json()).filled
        Decimal('0.1')
        >>> Denial.from_json(Denial(3, 7, Decimal(0), 12).to_json())
        Denial(count=3, asked_at_ms=7, filled=Decimal('0'), order_id=12)
        """
        count, asked_at_ms, *more = figures
        return cls(
            int(count),
            int(asked_at_ms),
            Decimal(more[0]) if more else None,
            int(more[1]) if len(more) > 1 else None,
        )

    def to_json(self) -> list[int | str]:
        """Return its figures as JSON keeps them."""
        filled = [] if self.filled is None else [to_plain(self.filled)]
        order_id = [] if self.order_id is None else [self.order_id]
        return [self.count, self.asked_at_ms, *filled, *order_id]

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
