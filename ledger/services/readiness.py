"""Whether a strategy's accounts were found equal to their venues before it trades.

A worker that has just started does not know what happened while nobody looked: a person may have
traded, an order that was being sent may have filled. So nothing trades on an account until one
reconciliation that began after the start came out clean; and a strategy that is started wants one
that is not old. A difference that is exactly a transfer of ours on its way is known, and set aside
as long. Opening the books is one: they are made equal to the venue's statement.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from ledger.selectors.reconciliation import list_unreconciled

AGE_MAX: Final = timedelta(minutes=10)
"""How old the last clean reconciliation may be when a strategy is started."""

RUNS_MAX: Final = 1_000
"""Runs that are remembered as ready; when there are more, all are asked about again."""


ASK_EVERY_MS: Final = 5_000
"""How often a strategy that waits has its accounts compared, besides the schedule [ms]."""


class Readiness:
    """What this process knows; one that is no worker has no start that counts.

    Args:
        clock: tells when a comparison was asked for.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = Lock()
        self._asked_ms: float | None = None
        self._began_at: datetime | None = None
        self._ready: set[int] = set()
        self._distrusted: dict[int, datetime] = {}

    def begin(self, now: datetime | None) -> None:
        """Trust nothing that was found before this moment; ``None`` forgets the moment."""
        with self._lock:
            self._began_at = now
            self._ready.clear()
            self._distrusted.clear()

    def distrust(self, run_id: int, *, since: datetime) -> None:
        """Trust nothing about a run's accounts that was found before ``since``.

        Args:
            run_id: somebody else who carried it out has died.
            since: when it was taken over.
        """
        with self._lock:
            self._ready.discard(run_id)
            self._distrusted[run_id] = since
            while len(self._distrusted) > RUNS_MAX:
                del self._distrusted[next(iter(self._distrusted))]

    def is_ready(self, *, run_id: int, started_at: datetime, account_ids: Collection[int]) -> bool:
        """Return whether a run of a strategy may trade on its accounts.

        Once it may, it may until this process ends: no query is spent on it again.

        Args:
            run_id: from one start of the strategy to its next stop.
            started_at: when it was started.
            account_ids: what it trades on.
        """
        if run_id in self._ready:
            return True
        distrusted_at = self._distrusted.get(run_id)
        since = [self._began_at, distrusted_at, started_at - AGE_MAX]
        waiting = list_unreconciled(account_ids, max(filter(None, since)))
        if waiting:
            self._ask(waiting)
            return False
        with self._lock:
            if self._distrusted.get(run_id) != distrusted_at:
                return False  # it was taken over while this was read
            if len(self._ready) >= RUNS_MAX:
                self._ready.clear()
            self._ready.add(run_id)
            self._distrusted.pop(run_id, None)
        return True

    def _ask(self, account_ids: Collection[int]) -> None:
        """Have accounts compared before their turn, now and then."""
        now_ms = self._clock.monotonic_ms()
        with self._lock:
            if self._asked_ms is not None and now_ms - self._asked_ms < ASK_EVERY_MS:
                return
            self._asked_ms = now_ms
        for account_id in account_ids:
            enqueue_on_commit("ledger.reconcile_account", account_id=account_id)


READINESS = Readiness()
"""Of this process."""


def prepare(*, account_ids: Collection[int], now: datetime) -> None:
    """Have those accounts compared now whose last clean reconciliation is too old.

    Args:
        account_ids: that a strategy is about to trade on.
        now: the present moment.
    """
    for account_id in list_unreconciled(account_ids, now - AGE_MAX):
        enqueue_on_commit("ledger.reconcile_account", account_id=account_id)
