"""What accounts may spend, as of a moment ago: to judge by, never to trade by."""

from collections.abc import Mapping
from threading import Lock

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount
from ledger.selectors import spendable_balances

NEVER_MS = float("-inf")
REUSE_MS = 500
"""Longest time for which what was read is used [ms]."""
ACCOUNTS_MAX = 10_000
"""Accounts that are remembered; beyond, everything is forgotten."""


class RecentFunds:
    """Spendable balances by our own books, read at most so often for all strategies together.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: dict[int, tuple[float, Mapping[str, Amount]]] = {}

    def of(self, account_id: int) -> Mapping[str, Amount]:
        """Return what an account may spend, by asset."""
        now_ms = self._clock.monotonic_ms()
        with self._lock:
            read_ms, amounts = self._known.get(account_id, (NEVER_MS, {}))
        if now_ms - read_ms <= REUSE_MS:
            return amounts
        amounts = dict(spendable_balances(account_id))
        with self._lock:
            if len(self._known) >= ACCOUNTS_MAX:
                self._known.clear()
            self._known[account_id] = (now_ms, amounts)
        return amounts

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()


FUNDS = RecentFunds()
