"""What comparisons could not read to its end, for the next ones.

Only what one process has read: it saves requests, and who has none of it begins anew.
"""

from collections import OrderedDict
from threading import Lock
from typing import Final

from markets.gateway.histories import Histories

ACCOUNTS_MAX: Final = 16
"""Accounts of which something is kept; what was used longest ago goes first."""


class KeptHistories:
    """Histories of accounts that are still being read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[int, Histories] = OrderedDict()

    def take(self, account_id: int) -> Histories:
        """Return what is kept of an account, for one round of its own."""
        with self._lock:
            histories = self._kept.pop(account_id, None) or Histories()
        histories.begin_round()
        return histories

    def keep(self, account_id: int, histories: Histories) -> None:
        """Keep what a round has read that could not read everything."""
        with self._lock:
            self._kept[account_id] = histories
            while len(self._kept) > ACCOUNTS_MAX:
                self._kept.popitem(last=False)


KEPT = KeptHistories()
