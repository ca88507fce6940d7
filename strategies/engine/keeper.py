"""Keeps the leases of one engine: takes its share of the strategies, renews, gives back.

Three threads, so that none waits for what another one does. One renews the leases once a second and
does nothing else. One takes and gives back: it looks twice a second what the share of this engine
is, what is free, and what has to be given up. One, without a database, notices within a tenth of a
second when leases were won, lost or have lapsed, and says so. What those who held a strategy before
have left undone is recovered by a few more threads: that may take as long as a venue takes.

The engines share evenly: each takes at most the number of strategies divided by the number of
living engines, rounded up. When one joins, the others give up what is too much for them, as soon as
nothing of it is under way.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread
from typing import Final

from django.db import connection

from arbplatform.core.clock import Clock, elapsed_ms
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.persistence.retries import is_away
from ledger.services.readiness import READINESS, Readiness
from strategies.selectors.engines import list_begun_executions, list_by_accounts, list_unfit
from strategies.services.leases import (
    HOLD_MS,
    Engine,
    HeldStrategy,
    acquire_leases,
    drain_engine,
    read_share,
    release_leases,
    renew_leases,
    strike_engine,
)
from strategies.services.sweeps import recover_strategies

logger = logging.getLogger(__name__)

RENEW_EVERY_S: Final = 1.0
RENEW_AGAIN_S: Final = 0.05
RENEW_ATTEMPTS: Final = 6
"""So often in a row rows are tried that somebody else is writing, before the next second."""
TAKE_EVERY_S: Final = 0.5
ANNOUNCE_EVERY_S: Final = 0.1
COOLING_MS: Final = 1_000
"""A strategy that this engine let go is not taken again by it for so long [ms]."""
RECOVERY_THREADS: Final = 4
"""What is recovered of one strategy may wait for a venue that hangs; the others go on."""
STOP_TIMEOUT_S: Final = 30.0
"""So long is waited for a thread that the database holds up [s]."""


def _nobody(_strategy_id: int) -> bool:
    return False


def _nothing(_strategy_ids: frozenset[int]) -> None:
    return


class LeaseKeeper:
    """The leases of one engine process.

    Args:
        engine: whose.
        clock: the database's.
        read_ms: a monotonic clock that does not stand still while the machine sleeps [ms].
        readiness: what must be compared again before a strategy of a dead engine trades.

    Attributes:
        engine: whose leases they are.
        on_change: called from a thread of the keeper with all strategies that may be decided on,
            whenever these have changed; must be quick.
        is_busy: tells whether anything of a strategy is under way, so that it must not be given
            back yet. Called from a thread of the keeper.
        on_crash: called from a thread that has come upon an error of the program and ends.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock = DATABASE_CLOCK,
        read_ms: Callable[[], float] = elapsed_ms,
        readiness: Readiness = READINESS,
    ) -> None:
        self.engine = engine
        self.on_change: Callable[[frozenset[int]], None] = _nothing
        self.is_busy: Callable[[int], bool] = _nobody
        self.on_crash: Callable[[], None] = lambda: None
        self._clock = clock
        self._read_ms = read_ms
        self._readiness = readiness
        self._lock = Lock()
        self._leases: dict[int, HeldStrategy] = {}
        self._retiring: set[int] = set()
        self._cooling: dict[int, float] = {}
        self._announced: Mapping[int, int] = {}
        self._is_draining = False
        self._is_drain_noted = False
        self._stopping = Event()
        self._news = Event()
        self._hurry = Event()
        self._threads: list[Thread] = []
        self._recoveries: ThreadPoolExecutor | None = None

    # for the engine -----------------------------------------------------------------------------

    def held(self) -> Mapping[int, HeldStrategy]:
        """Return the strategies that may be decided on at this moment, by id."""
        with self._lock:
            return {
                pk: item
                for pk, item in self._leases.items()
                if pk not in self._retiring and item.claim.is_kept()
            }

    @property
    def is_empty(self) -> bool:
        """Whether no lease is left, not even one that is being given back."""
        with self._lock:
            return not self._leases

    def let_go(self, strategy_id: int) -> None:
        """Give a strategy back because something went wrong in the middle of an execution.

        Whoever takes it next, which may be this engine, does so with another fencing number and
        recovers what was begun.
        """
        with self._lock:
            if strategy_id in self._leases:
                self._retiring.add(strategy_id)
                self._cooling[strategy_id] = self._read_ms() + COOLING_MS
        self._news.set()

    def drain(self) -> None:
        """Take nothing any more, and give everything back as soon as nothing is under way."""
        self._is_draining = True
        with self._lock:
            self._retiring.update(self._leases)
        self._news.set()

    # threads ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take strategies."""
        self._recoveries = ThreadPoolExecutor(RECOVERY_THREADS, thread_name_prefix="recovery")
        self._threads = [
            Thread(target=self._repeat, args=(self.renew, RENEW_EVERY_S, Event()), name="renewer"),
            Thread(target=self._repeat, args=(self.take, TAKE_EVERY_S, self._hurry), name="taker"),
            Thread(target=self._watch, name="announcer"),
        ]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        """End all threads. What is still held is left to its end: others take it over then."""
        self._stopping.set()
        self._news.set()
        self._hurry.set()
        for thread in self._threads:
            thread.join(STOP_TIMEOUT_S)
        if self._recoveries is not None:
            self._recoveries.shutdown(wait=False, cancel_futures=True)
        try:
            strike_engine(engine=self.engine, clock=self._clock)
        except Exception as error:
            if not is_away(error):
                raise
            logger.warning("The end of this engine could not be written down: %s", error)
        finally:
            connection.close()

    def _repeat(self, step: Callable[[], None], every_s: float, hurry: Event) -> None:
        is_away_known = False
        try:
            while not self._stopping.is_set():
                try:
                    step()
                    is_away_known = False
                except Exception as error:
                    if not is_away(error):
                        raise
                    if not is_away_known:
                        logger.warning("Leases wait, the database is away: %s", error)
                    is_away_known = True
                    connection.close()
                hurry.wait(every_s)
                hurry.clear()
        except Exception:
            logger.exception("A thread that keeps the leases has crashed; the engine ends")
            self.on_crash()
        finally:
            connection.close()

    def _watch(self) -> None:
        try:
            while not self._stopping.is_set():
                self._news.wait(ANNOUNCE_EVERY_S)
                self._news.clear()
                self.announce()
        except Exception:
            logger.exception("The thread that tells of leases has crashed; the engine ends")
            self.on_crash()

    # steps of the threads -----------------------------------------------------------------------

    def renew(self) -> None:
        """Renew all leases that still hold, and forget the others.

        Rows that somebody else is writing are left out. They come again at once: whoever writes
        one every second as well could else be in the way of every renewal.
        """
        left_out = self._renew(None)
        for _attempt in range(1, RENEW_ATTEMPTS):
            if not left_out:
                return
            self._stopping.wait(RENEW_AGAIN_S)
            left_out = self._renew(left_out)

    def _renew(self, chosen: Collection[int] | None) -> set[int]:
        """Renew all leases, or some of them, once; return whose rows were left out."""
        with self._lock:
            self._forget(pk for pk, item in self._leases.items() if not item.claim.is_kept())
            tokens = {
                pk: item.claim.token
                for pk, item in self._leases.items()
                if chosen is None or pk in chosen
            }
        asked_ms = self._read_ms()
        renewal = renew_leases(engine=self.engine, tokens=tokens, clock=self._clock)
        with self._lock:
            current = {
                pk for pk, item in self._leases.items() if tokens.get(pk) == item.claim.token
            }
            lapsed = [
                pk
                for pk in renewal.renewed & current
                if not self._leases[pk].claim.prolong(asked_ms + HOLD_MS)
            ]
            gone = [*lapsed, *(renewal.lost & current)]
            self._forget(gone)
        if gone:
            logger.warning("Leases of %d strategies were lost", len(gone))
            self._news.set()
        return current - renewal.renewed - renewal.lost

    def take(self) -> None:
        """Give back what must not or need not be held, and take what is free of the share."""
        if self._is_draining and not self._is_drain_noted:
            drain_engine(engine=self.engine, clock=self._clock)
            self._is_drain_noted = True
        with self._lock:
            runs = {pk: item.run_id for pk, item in self._leases.items()}
        self._retire(list_unfit(runs) if runs else [])
        if not self._is_draining:
            self._balance(runs.keys())
        self._release()

    def announce(self) -> None:
        """Say what may be decided on, if that has changed.

        A strategy that was lost and taken again in between is held under another lease: whoever
        decides on it must hear of it, or it would go on with a claim that is over.
        """
        now = {pk: item.fence for pk, item in self.held().items()}
        if now != self._announced:
            self.on_change(frozenset(now))
            self._announced = now
            self._hurry.set()

    def _balance(self, known: Collection[int]) -> None:
        share, engine_count = read_share(engine=self.engine, clock=self._clock)
        active = self.held().keys()
        if len(active) < share:
            self._acquire(share - len(active), known)
        elif len(active) > share and engine_count > 1:
            # what is on the same accounts goes together: each engine listens to fewer venues
            ordered = reversed(list_by_accounts(active))
            idle = [pk for pk in ordered if not self.is_busy(pk)]
            self._retire(idle[: len(active) - share])

    def _acquire(self, limit: int, known: Collection[int]) -> None:
        now_ms = self._read_ms()
        self._cooling = {pk: end for pk, end in self._cooling.items() if end > now_ms}
        taken = acquire_leases(
            engine=self.engine,
            limit=limit,
            besides={*known, *self._cooling},
            clock=self._clock,
            read_ms=self._read_ms,
        )
        if not taken:
            return
        self._readiness.distrust([item.run_id for item in taken if item.is_taken_over])
        with self._lock:
            self._leases.update({item.strategy_id: item for item in taken})
            if self._is_draining:
                self._retiring.update(self._leases)
        self._news.set()
        if self._recoveries is not None:
            ids = [item.strategy_id for item in taken]
            self._recoveries.submit(self._recover, self._recoveries, ids)

    def _recover(self, threads: ThreadPoolExecutor, strategy_ids: list[int]) -> None:
        """Recover what others had begun, of each strategy by itself.

        Not in the thread that takes: its leases are held by now, and nobody takes them again.
        """
        begun = set(strategy_ids)
        try:
            begun = {row.strategy_id for row in list_begun_executions(strategy_ids)}
        except Exception:
            logger.exception("What others had begun is not known, so each strategy is looked at")
        finally:
            connection.close()
        for pk in strategy_ids:
            if pk in begun:
                threads.submit(self._recover_one, pk)

    def _recover_one(self, strategy_id: int) -> None:
        try:
            recover_strategies(strategy_ids=[strategy_id], clock=self._clock)
        except Exception:
            # the sweep of a worker comes back to it
            logger.exception("What others had begun could not be recovered at once")
        finally:
            connection.close()

    def _retire(self, strategy_ids: Collection[int]) -> None:
        if strategy_ids:
            with self._lock:
                self._retiring.update(self._leases.keys() & set(strategy_ids))
            self._news.set()

    def _release(self) -> None:
        """Give back what retires and has nothing under way.

        What was announced as held may just be decided on: who asks ``is_busy`` after the
        announcement that it retires knows for certain.
        """
        with self._lock:
            leaving = [self._leases[pk] for pk in self._retiring if pk in self._leases]
        told = [item for item in leaving if item.strategy_id not in self._announced]
        idle = [item for item in told if not self.is_busy(item.strategy_id)]
        if not idle:
            return
        release_leases(held=idle, clock=self._clock)
        with self._lock:
            self._forget([item.strategy_id for item in idle])

    def _forget(self, strategy_ids: Iterable[int]) -> None:
        """Hold some strategies no more; the lock is ours.

        One may be gone already: the thread that renews finds that out, too, between the moment
        in which its row is given back and the one in which we forget it.
        """
        for pk in list(strategy_ids):
            lease = self._leases.pop(pk, None)
            if lease is not None:
                lease.claim.give_up()
            self._retiring.discard(pk)
