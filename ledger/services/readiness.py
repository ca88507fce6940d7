"""Whether a strategy's accounts were found equal to their venues before it trades.

A worker that has just started does not know what happened while nobody looked: a person may have
traded, an order that was being sent may have filled. So nothing trades on an account until one
reconciliation that began after the start came out clean; and a strategy that is started wants one
that is not old. A difference that is exactly a transfer of ours on its way is known, and set aside
as long. Opening the books is one: they are made equal to the venue's statement.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from django.db import InterfaceError, OperationalError

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from ledger.selectors.reconciliation import list_unreconciled, map_last_clean, map_rounds

logger = logging.getLogger(__name__)

AGE_MAX: Final = timedelta(minutes=10)
"""How old the last clean reconciliation may be when a strategy is started."""

RUNS_MAX: Final = 20_000
"""Runs that are remembered as ready; when there are more, all are asked about again."""
ASK_EVERY_MS: Final = 5_000
"""How often a strategy that waits has its accounts compared, besides the schedule [ms]."""

_Rounds = Mapping[int, int]
"""How many comparisons of each account had begun at a moment."""


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

    What began later is told by the numbers of the comparisons, which the database counts: clocks
    of several machines may differ, and each may be put back.

    Args:
        clock: tells when a comparison was asked for.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = Lock()
        self._asked_ms: float | None = None
        self._is_begin_due = False
        self._began: _Rounds | None = None
        self._ready: set[int] = set()
        self._distrusted: dict[int, _Rounds] = {}

    def begin(self) -> None:
        """Trust no comparison that has begun by now.

        While the database is away it is not known which: then it is those that have begun by the
        first look.
        """
        with self._lock:
            self._is_begin_due, self._began = True, None
            self._ready.clear()
            self._distrusted.clear()
        try:
            self._note_begin()
        except (OperationalError, InterfaceError) as error:
            logger.warning("What was compared before the start is found out later: %s", error)

    def reset(self) -> None:
        """Forget the start of the process, and what is known."""
        with self._lock:
            self._is_begin_due, self._began = False, None
            self._ready.clear()
            self._distrusted.clear()

    def distrust(self, run_ids: Collection[int]) -> None:
        """Trust no comparison of the accounts of some runs that has begun by now.

        Args:
            run_ids: somebody else who carried them out has died, and they were taken over.

        Raises:
            OperationalError, InterfaceError: the database is away; they must not be traded.
        """
        if not run_ids:
            return
        rounds = map_rounds()
        with self._lock:
            self._ready.difference_update(run_ids)
            self._distrusted.update(dict.fromkeys(run_ids, rounds))
            if len(self._distrusted) > RUNS_MAX:
                # none may be forgotten: what was found before now is not believed of anybody
                self._is_begin_due, self._began = False, rounds
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

    def _note_begin(self) -> None:
        rounds = map_rounds()
        with self._lock:
            if self._is_begin_due:
                self._is_begin_due, self._began = False, rounds

    def _look(self, traders: Sequence[Trader]) -> set[int]:
        if self._is_begin_due:
            self._note_begin()
        began = self._began
        distrusted = {each.run_id: self._distrusted.get(each.run_id) for each in traders}
        clean = map_last_clean({pk for each in traders for pk in each.account_ids})
        waiting: set[int] = set()
        found: set[int] = set()
        for trader in traders:
            floors = [rounds for rounds in (began, distrusted[trader.run_id]) if rounds is not None]
            oldest = trader.started_at - AGE_MAX
            missing = {
                pk
                for pk in trader.account_ids
                if pk not in clean
                or clean[pk].at < oldest
                or any(clean[pk].round <= rounds.get(pk, 0) for rounds in floors)
            }
            waiting |= missing
            if not missing:
                found.add(trader.run_id)
        with self._lock:
            if self._began is not began or self._is_begin_due:
                return set()  # what was read does not count any more
            # what was taken over while this was read is not ready
            found = {pk for pk in found if self._distrusted.get(pk) is distrusted[pk]}
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
