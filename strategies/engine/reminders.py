"""When a strategy has to decide though none of its books asks for it."""

from typing import Final

from strategies.services.deciding import Basis

EXPLAIN_EVERY_MS: Final = 5_000
"""A strategy of which nothing is new decides, and says what it found, that often [ms]."""


class Reminder:
    """Knows when one strategy was last looked at, and whether that is enough.

    Not every intent comes from a book: funds arrive, a halt is lifted, an execution ends. And who
    looks at a strategy wants to know why it does not trade. But as long as nothing is new, the
    nominator has said of every book that nothing can come of it, so looking again each second
    would only cost time.

    Args:
        strategy_id: of the strategy.
    """

    def __init__(self, strategy_id: int) -> None:
        # not all of those that began together explain themselves together ever after
        self._ahead_ms: float = strategy_id * 997 % EXPLAIN_EVERY_MS if EXPLAIN_EVERY_MS else 0
        self._decided_ms = -float(EXPLAIN_EVERY_MS)
        self._is_new = True

    def read(self, before: Basis | None, basis: Basis) -> None:
        """Take note of what the strategy rests on now."""
        if before is None or not basis.resembles(before):
            self._is_new = True

    def begun(self) -> None:
        """Take note that a decision begins on what was read last."""
        self._is_new = False

    def decided(self, *, is_open: bool, now_ms: float) -> None:
        """Take note of the end of a decision.

        Args:
            is_open: whether the next one may come to something else on the same books.
            now_ms: the monotonic clock [ms].
        """
        self._is_new |= is_open
        self._decided_ms, self._ahead_ms = now_ms - self._ahead_ms, 0

    def is_due(self, now_ms: float) -> bool:
        """Return whether it is time to decide, by the monotonic clock [ms]."""
        return self._is_new or now_ms - self._decided_ms >= EXPLAIN_EVERY_MS
