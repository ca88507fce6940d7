"""Whether a strategy's accounts were found equal to their venues before it trades.

A worker that has just started does not know what happened while nobody looked: a person may have
traded, an order that was being sent may have filled. So nothing trades on an account until one
reconciliation that began after the start came out clean; and a strategy that is started wants one
that is not old. A difference that is exactly a transfer of ours on its way is known, and set aside
as long. Opening the books is one: they are made equal to the venue's statement.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from ledger.selectors.reconciliation import list_unreconciled, map_last_clean

AGE_MAX: Final = timedelta(minutes=10)
"""How old the last clean reconciliation may be when a strategy is started."""

RUNS_MAX: Final = 20_000
"""Runs that are remembered as ready; when there are more, all are asked about again."""
ASK_EVERY_MS: Final = 5_000
"""How often a strategy that waits has its accounts compared, besides the schedule [ms]."""


@dataclass(frozen=True, slots=True)
class Trader:
    """A run of a strategy that may be ready to trade.

    Attributes:
        run_id: from one start of the strategy to its next stop.
        started_at: when it was started.
        account_ids: what it trades on.
    """

    run_id: int
    started_at: datetime
    account_ids: Collection[int]


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
            if len(self._distrusted) > RUNS_MAX:
                # none may be forgotten: what was found before then is not believed of anybody
                since = max(self._distrusted.values())
                self._began_at = max(filter(None, (self._began_at, since)))
                self._ready.clear()
                self._distrusted.clear()

    def find_ready(self, traders: Collection[Trader]) -> frozenset[int]:
        """Return the runs that may trade on their accounts, of all these.

        Once one may, it may until this process ends: no query is spent on it again.

        Args:
            traders: runs of strategies.
        """
        ready = {trader.run_id for trader in traders if trader.run_id in self._ready}
        asked = [trader for trader in traders if trader.run_id not in ready]
        return frozenset(ready | self._look(asked) if asked else ready)

    def _look(self, traders: Sequence[Trader]) -> set[int]:
        began_at = self._began_at
        distrusted = {each.run_id: self._distrusted.get(each.run_id) for each in traders}
        clean = map_last_clean({pk for each in traders for pk in each.account_ids})
        waiting: set[int] = set()
        found: set[int] = set()
        for trader in traders:
            known = (began_at, distrusted[trader.run_id], trader.started_at - AGE_MAX)
            since = max(filter(None, known))
            missing = {pk for pk in trader.account_ids if pk not in clean or clean[pk] < since}
            waiting |= missing
            if not missing:
                found.add(trader.run_id)
        with self._lock:
            if self._began_at != began_at:
                return set()  # what was read does not count any more
            # what was taken over while this was read is not ready
            found = {pk for pk in found if self._distrusted.get(pk) == distrusted[pk]}
            if len(self._ready) + len(found) > RUNS_MAX:
                self._ready.clear()
            self._ready |= found
            for run_id in found:
                self._distrusted.pop(run_id, None)
        if waiting:
            self._ask(sorted(waiting))
        return found

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
