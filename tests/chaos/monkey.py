"""Carries out the plan: arms faults, signals processes, presses switches, and undoes it in time."""

import heapq
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

from celery import current_app
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, close_old_connections, connection
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from accounts.domain.transfers import TransferState
from accounts.models import Transfer, VenueAccount
from accounts.services.requests import request_transfer
from accounts.services.settlement import settle_transfer
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import ArbError, IllegalTransition
from ledger.domain.halts import (
    EVERYTHING,
    PERSONAL_LEVELS,
    HaltLevel,
    HaltScope,
    TradingEvent,
    TradingState,
)
from ledger.models import TradingHalt
from ledger.selectors import wallet_balances
from ledger.services.halts import change_trading, to_scope
from ledger.services.kill import stop_trading
from markets.domain.funds import Wallet
from markets.models import Venue
from markets.services.markets import sync_markets
from strategies.domain.states import ExecutionState, StrategyState
from strategies.errors import NotReadyToStart
from strategies.models import Execution, Strategy
from strategies.services.acknowledgements import acknowledge_execution
from strategies.services.runs import start_strategy
from tests.chaos.diary import Diary, Kill
from tests.chaos.plan import VENUES, Act
from tests.chaos.processes import Platform
from tests.chaos.reading import ask

ANSWER_S = 2.0
"""How long it waits for venues that it may have frozen itself [s]."""
RETRY_S = 1.0
TRIES_MAX = 15
"""A deed that finds its target away is tried again so often."""
REASON = "chaos"
TRANSFERRED = Decimal("11.25")
"""How much people send around [USDT]; little beside what the owner moves by hand: what might be a
transfer of the platform is not taken for somebody else's."""
TROUBLES = (OSError, ArbError, DatabaseError, BrokerError, RedisError)
"""What the monkey itself may meet in the mess that it makes."""

REPEATED_TASKS = (
    "strategies.sweep",
    "ledger.resolve_unknown_orders",
    "ledger.cancel_halted_orders",
)
REPEATED_ROWS = 3


class Away(OSError):
    """The target of a deed does not run at this moment."""


class Server(Protocol):
    """A database server that can be restarted."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Stop it in order."""

    def kill(self) -> None:
        """Stop it at once."""


@dataclass(order=True, slots=True)
class _Due:
    at_s: float
    number: int
    tries: int = field(compare=False)
    act: Act = field(compare=False)
    undo: Callable[[], None] | None = field(compare=False, default=None)


class Monkey:
    """Does what the plan says.

    Attributes:
        diary: what was done.

    Args:
        plan: the acts.
        platform: the processes.
        simulator_url: where the venues are.
        server: the database; ``None`` if it is a file.
    """

    def __init__(
        self, plan: list[Act], platform: Platform, simulator_url: str, server: Server | None
    ) -> None:
        self.diary = Diary()
        self._platform = platform
        self._simulator_url = simulator_url
        self._server = server
        self._started = time.monotonic()
        self._due = [_Due(act.at_s, number, 0, act) for number, act in enumerate(plan)]
        self._number = len(plan)
        self._thaws: list[threading.Timer] = []
        heapq.heapify(self._due)

    @property
    def elapsed_s(self) -> float:
        """Time since the beginning of the storm [s]."""
        return time.monotonic() - self._started

    def begin(self) -> None:
        """Let the storm begin now."""
        self._started = time.monotonic()

    def work(self) -> None:
        """Carry out what is due, and wait a moment when nothing is."""
        if not self._due or self._due[0].at_s > self.elapsed_s:
            time.sleep(0.05)
            return
        due = heapq.heappop(self._due)
        close_old_connections()
        try:
            self._do(due)
        except TROUBLES:
            if due.tries < TRIES_MAX:
                again = replace(due, at_s=self.elapsed_s + RETRY_S, tries=due.tries + 1)
                heapq.heappush(self._due, again)
            else:
                self.diary.given_up[due.act.kind] += 1

    def finish(self) -> None:
        """Undo at once whatever is still to be undone, and do nothing new."""
        for thaw in self._thaws:
            thaw.join()
        left, self._due = sorted(self._due), []
        for due in left:
            if due.undo is not None:
                due.undo()

    def _do(self, due: _Due) -> None:
        if due.undo is not None:
            due.undo()
            return
        deed: Callable[[Act], Callable[[], None] | None] = getattr(self, f"_{due.act.deed}")
        undo = deed(due.act)
        self.diary.done[due.act.kind] += 1
        if undo is not None:
            self._number += 1
            at_s = self.elapsed_s + due.act.options["lasts_s"]
            heapq.heappush(self._due, _Due(at_s, self._number, 0, due.act, undo))

    # --- venues ----------------------------------------------------------------------------------

    def _fault(self, act: Act) -> None:
        path = f"/control/{act.target}/faults"
        armed = ask(self._simulator_url, "POST", path, dict(act.options), timeout_s=ANSWER_S)
        self.diary.strikes.arm(act.target, armed["id"], act.kind)

    # --- processes -------------------------------------------------------------------------------

    def _kill(self, act: Act) -> None:
        self._signal(act, signal.SIGKILL)

    def _terminate(self, act: Act) -> None:
        self._signal(act, signal.SIGTERM)

    def _freeze(self, act: Act) -> None:
        """Stop a process for a while; a timer goes on even if we wait for what is frozen."""
        pid = self._signal(act, signal.SIGSTOP)
        self._thaw_later(pid, act)

    def _freeze_together(self, act: Act) -> None:
        """Stop several processes at the same moment, as a paused machine does."""
        for name in act.options["names"]:
            with suppress(Away):  # one may just be starting
                self._thaw_later(self._signal(replace(act, target=name), signal.SIGSTOP), act)

    def _thaw_later(self, pid: int, act: Act) -> None:
        thaw = threading.Timer(act.options["lasts_s"], self._thaw, [pid])
        thaw.daemon = True
        self._thaws.append(thaw)
        thaw.start()

    @staticmethod
    def _thaw(pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def _signal(self, act: Act, number: signal.Signals) -> int:
        pid = self._platform.signal(act.target, number)
        if pid is None:
            raise Away(act.target)
        lasts_s = act.options["lasts_s"] if number is signal.SIGSTOP else 0.0
        self.diary.kills.append(Kill(act.kind, act.target, pid, SYSTEM_CLOCK.now(), lasts_s))
        return pid

    def _kill_all(self, act: Act) -> None:
        pid = self._platform.pid("supervisor")
        if pid is None or self._platform.pid("beat") is None:
            raise Away(act.kind)
        self.diary.kills.append(Kill(act.kind, "supervisor", pid, SYSTEM_CLOCK.now()))
        self._platform.kill()
        self._platform.start()

    def _second_beat(self, _act: Act) -> Callable[[], None]:
        self._platform.add_second_beat()
        return self._platform.end_second_beats

    def _repeat_tasks(self, _act: Act) -> None:
        """Deliver messages once more that were or will be delivered anyway."""
        for pk in _ids(
            Strategy.objects.filter(state=StrategyState.RUNNING).order_by("last_tick_at")
        ):
            _send("strategies.tick", strategy_id=pk)
        for pk in _ids(Execution.objects.order_by("-id")):
            _send("strategies.settle_execution", execution_id=pk)
        for name in REPEATED_TASKS:
            _send(name)

    # --- the database ----------------------------------------------------------------------------

    def _restart_database(self, act: Act) -> None:
        if self._server is not None:
            self._server.stop()
            time.sleep(act.options["lasts_s"])
            self._server.start()

    def _kill_database(self, act: Act) -> None:
        if self._server is not None:
            self._server.kill()
            time.sleep(act.options["lasts_s"])
            self._server.start()

    def _end_sessions(self, _act: Act) -> None:
        end_other_sessions()

    # --- people ----------------------------------------------------------------------------------

    def _halt(self, _act: Act) -> Callable[[], None]:
        stop_trading(reason=REASON)
        return lambda: resume(EVERYTHING)

    def _reduce(self, _act: Act) -> Callable[[], None]:
        change_trading(event=TradingEvent.REDUCE, scope=EVERYTHING, reason=REASON)
        return lambda: resume(EVERYTHING)

    def _send_funds(self, act: Act) -> None:
        """Send to the venue that has the least, so that none runs dry."""
        others = VenueAccount.objects.exclude(venue__code=act.target)
        held = {row.pk: wallet_balances(account_id=row.pk)["USDT"] for row in others}
        self._transfer(act, min(held, key=lambda pk: held[pk]), Wallet.SPOT)

    def _move_funds(self, act: Act) -> None:
        self._transfer(act, None, Wallet.FUNDING)

    @staticmethod
    def _transfer(act: Act, to_account_id: int | None, to_wallet: Wallet) -> None:
        request_transfer(
            from_account_id=VenueAccount.objects.get(venue__code=act.target).pk,
            to_account_id=to_account_id,
            from_wallet=Wallet.SPOT,
            to_wallet=to_wallet,
            asset="USDT",
            amount=TRANSFERRED,
            idempotency_key=f"{act.kind} {act.at_s}",
            user=get_user_model().objects.get(username="admin"),
        )

    def _halt_venue(self, act: Act) -> Callable[[], None]:
        scope = HaltScope(HaltLevel.VENUE, Venue.objects.get(code=act.target).pk)
        stop_trading(reason=REASON, scope=scope)
        return lambda: resume(scope)

    def count_strikes(self, timeout_s: float = ANSWER_S) -> None:
        """Ask the venues what has struck so far.

        Args:
            timeout_s: how long each may take to answer [s].
        """
        for code in VENUES:
            path = f"/control/{code}/faults"
            listed = ask(self._simulator_url, "GET", path, timeout_s=timeout_s)
            self.diary.strikes.see(code, (*listed["faults"], *listed["ended"]))

    def look_after(self) -> None:
        """Do what a person at the desk has to do from time to time."""
        if self._platform.revive():
            self.diary.people["platform started again"] += 1
        close_old_connections()
        user = get_user_model().objects.get(username="admin")
        held = Execution.objects.filter(state=ExecutionState.HELD, acknowledged_at=None)
        for pk in held.values_list("pk", flat=True):
            acknowledge_execution(execution_id=pk, user=user)
            self.diary.people["exposures acknowledged"] += 1
        if (settled := settle_disputed()) > 0:
            self.diary.people["short deposits settled"] += settled
        self._start_faulted(user)
        restricted = TradingHalt.objects.exclude(state=TradingState.ACTIVE)
        for halt in restricted.filter(level__in=PERSONAL_LEVELS).exclude(reason=REASON):
            resume(to_scope(halt))
            self.diary.people[f"trading resumed after: {halt.to_reason()}"] += 1

    def _start_faulted(self, user: AbstractBaseUser) -> None:
        faulted = Strategy.objects.filter(state=StrategyState.FAULTED)
        for pk in faulted.values_list("pk", flat=True):
            try:
                start_strategy(strategy_id=pk, user=user)
            except NotReadyToStart:  # it says what to do: its markets were suspended
                for venue_id in Venue.objects.values_list("pk", flat=True):
                    sync_markets(venue_id=venue_id)
                self.diary.people["markets synchronised"] += 1
                return
            self.diary.people["faulted strategies started again"] += 1


def resume(scope: HaltScope) -> None:
    """Let trading go on, if it does not already."""
    try:
        change_trading(event=TradingEvent.RESUME, scope=scope, reason=REASON)
    except IllegalTransition:
        return


def resume_all() -> None:
    """Let everything go on that is halted or restricted."""
    for halt in TradingHalt.objects.filter(level__in=PERSONAL_LEVELS):
        resume(to_scope(halt))


def settle_disputed() -> int:
    """Agree to what arrived short, as a person does who has looked; return how many there were."""
    disputed = Transfer.objects.filter(state=TransferState.DISPUTED)
    for transfer in disputed:
        settle_transfer(
            transfer_id=transfer.pk,
            has_arrived=True,
            arrived_amount=transfer.arrived_amount,
            reason=REASON,
            user=get_user_model().objects.get(username="admin"),
        )
    return len(disputed)


def end_other_sessions() -> None:
    """End every session of the database but ours, as an administrator or a proxy does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


def _ids(rows: Any) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:REPEATED_ROWS])


def _send(name: str, **ids: int) -> None:
    current_app.send_task(name, kwargs=ids, retry=False)
