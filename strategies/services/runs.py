"""Start and stop strategies."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from accounts.models import VenueAccount
from arbplatform.authors import SYSTEM, keep_author, tell_author
from arbplatform.core.clock import Clock
from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_to_json
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_reason
from ledger.domain.orders import has_come
from ledger.models import LogLevel
from ledger.services.logs import write_log
from ledger.services.openings import ensure_opened
from ledger.services.readiness import prepare
from markets.services.certification import check_tradable
from strategies.domain.states import (
    STRATEGY_TRANSITIONS,
    ExecutionState,
    StrategyDriver,
    StrategyEvent,
    StrategyState,
)
from strategies.errors import AlreadyRunning, NotReadyToStart, NotRunning
from strategies.models import Execution, Run, Strategy
from strategies.selectors import get_open_run, get_strategy, lock_strategy
from strategies.services.announcements import (
    FAULTED,
    STARTED,
    STOPPED,
    STOPPING,
    announce_strategy,
)
from strategies.services.failures import Failure
from strategies.services.own_fees import read_own_fees
from strategies.services.schedules import disable_schedule, enable_schedule
from strategies.services.setups import build_setup

Person = AbstractBaseUser | AnonymousUser
"""Whoever asks, as a request knows them."""

REASON_LENGTH_MAX = 200


def start_strategy(*, strategy_id: int, user: Person | None, clock: Clock = DATABASE_CLOCK) -> Run:
    """Start a strategy: open a run, and switch its schedule on or leave it to the engines.

    Everything that could make every tick fail is checked before: parameters, accounts, markets,
    and that the books of its accounts are opened, which reads their balances at the venues. What
    the accounts pay there is asked for as well; a venue that does not tell prevents no start.

    Raises:
        StrategyNotFound: there is none with this id.
        AlreadyRunning: it runs.
        NotReadyToStart: it is still stopping, or something that it needs is missing.
        InvalidParams, UnsuitableAccounts: the installed plugin does not accept it any more.
        VenueNotCertified: an account is at a venue that is for data only.
        VenueError: the balances of an account cannot be read.
    """
    strategy = get_strategy(strategy_id)
    _check_startable(strategy, clock.now())
    setup = build_setup(strategy)
    for account in setup.accounts.values():
        _check_enabled(strategy, account)
    # the run builds its own setup, with what is told now
    read_own_fees(setup.markets.values())
    for account in setup.accounts.values():
        ensure_opened(account_id=account.pk)
    prepare(account_ids=[account.pk for account in setup.accounts.values()], now=clock.now())
    try:
        return _open_run(checked=strategy, user=user, now=clock.now())
    except IntegrityError:
        # another start got there first: the database admits one open run per strategy
        raise AlreadyRunning(name=strategy.name) from None


@retried
@transaction.atomic
def stop_strategy(
    *,
    strategy_id: int,
    user: Person | None,
    reason: Message | str = "",
    clock: Clock = DATABASE_CLOCK,
) -> Strategy:
    """Stop a strategy: switch its schedule off and let a running tick finish.

    Args:
        strategy_id: which.
        user: who wants it; ``None``: the platform itself, or its command line.
        reason: a sentence of the platform, or what a person typed; empty: nobody said why.
        clock: tells when.

    Raises:
        StrategyNotFound: there is none with this id.
        NotRunning: it is stopped or stopping already.
    """
    strategy = lock_strategy(strategy_id)
    state = StrategyState(strategy.state)
    if not STRATEGY_TRANSITIONS.can(state, StrategyEvent.STOP):
        raise NotRunning(name=strategy.name)
    now = clock.now()
    strategy.state = STRATEGY_TRANSITIONS.next_state(state, StrategyEvent.STOP)
    strategy.save(update_fields=["state", "updated_at"])
    disable_schedule(strategy)
    run = get_open_run(strategy_id)
    if run is not None:
        typed = reason if isinstance(reason, Message) else reason[:REASON_LENGTH_MAX]
        run.stop_reason = keep_reason(typed, frozenset({SYSTEM})) if reason else keep_author(user)
        run.save(update_fields=["stop_reason", "updated_at"])
    write_log(
        strategy_id=strategy_id,
        level=LogLevel.INFO,
        event="strategy_stopping",
        template=_("Stop was asked for by {user}."),
        user=tell_author(keep_author(user)),
        reason=reason,
    )
    if is_ticking(strategy, now):
        announce_strategy(strategy, STOPPING)
    else:
        _settle(strategy, now)
    return strategy


@retried
@transaction.atomic
def settle_stopping(*, strategy_id: int, clock: Clock = DATABASE_CLOCK) -> Strategy:
    """Bring a stopping strategy to rest once no tick of it runs; does nothing otherwise.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    strategy = lock_strategy(strategy_id)
    now = clock.now()
    if strategy.state == StrategyState.STOPPING and not is_ticking(strategy, now):
        _settle(strategy, now)
    return strategy


@retried
@transaction.atomic
def fault_strategy(
    *, strategy_id: int, failure: Failure, clock: Clock = DATABASE_CLOCK
) -> Strategy:
    """Stop a strategy that cannot go on, so that a person looks at it.

    Args:
        strategy_id: of the strategy; nothing happens unless it is running or stopping.
        failure: what went wrong.
        clock: tells the time.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    strategy = lock_strategy(strategy_id)
    state = StrategyState(strategy.state)
    if not STRATEGY_TRANSITIONS.can(state, StrategyEvent.FAULT):
        return strategy
    now = clock.now()
    strategy.state = STRATEGY_TRANSITIONS.next_state(state, StrategyEvent.FAULT)
    strategy.last_error = message_to_json(failure.message)
    strategy.last_error_code = failure.code
    strategy.last_error_at = now
    strategy.stopped_at = now
    strategy.save(
        update_fields=[
            "state",
            "last_error",
            "last_error_code",
            "last_error_at",
            "stopped_at",
            "updated_at",
        ]
    )
    disable_schedule(strategy)
    _close_run(strategy_id, now, fault=strategy.last_error)
    write_log(
        strategy_id=strategy_id,
        level=LogLevel.ERROR,
        event="strategy_faulted",
        template=_("The strategy was stopped because it cannot go on: {error}"),
        error=failure.message,
    )
    announce_strategy(strategy, FAULTED)
    return strategy


def is_ticking(strategy: Strategy, now: datetime) -> bool:
    """Return whether a tick or an engine holds a lease that has not run out at ``now``."""
    expires_at = strategy.tick_expires_at
    return bool(strategy.tick_token) and expires_at is not None and not has_come(expires_at, now)


def is_under_way(execution: Execution, now: datetime) -> bool:
    """Return whether whoever began an execution may still be sending its orders.

    The tick or engine that holds the strategy may have begun it, or one before it: an engine is
    told from those before it by the number of its lease, a tick by the time that it began.
    """
    strategy = execution.strategy
    if execution.state != ExecutionState.EXECUTING or not is_ticking(strategy, now):
        return False
    if execution.lease_fence:
        return execution.lease_fence == strategy.lease_fence
    return strategy.last_tick_at is None or execution.created_at >= strategy.last_tick_at


def _check_startable(strategy: Strategy, now: datetime) -> None:
    if strategy.state == StrategyState.RUNNING:
        raise AlreadyRunning(name=strategy.name)
    # an engine lets go of one that has faulted when it notices
    is_held = strategy.driver == StrategyDriver.STREAM and is_ticking(strategy, now)
    if is_held or not STRATEGY_TRANSITIONS.can(StrategyState(strategy.state), StrategyEvent.START):
        raise NotReadyToStart(
            "The strategy {name} is still stopping: its last tick is being finished. "
            "Start it again in some seconds.",
            name=strategy.name,
        )


def _check_enabled(strategy: Strategy, account: VenueAccount) -> None:
    if not account.venue.is_enabled:
        raise NotReadyToStart(
            "The strategy {name} cannot start: the venue {venue} is disabled. Enable it first.",
            name=strategy.name,
            venue=account.venue.code,
        )
    if not account.is_enabled:
        raise NotReadyToStart(
            "The strategy {name} cannot start: the account {account} is disabled. Enable it first.",
            name=strategy.name,
            account=str(account),
        )
    check_tradable(account.venue)


@transaction.atomic
def _open_run(*, checked: Strategy, user: Person | None, now: datetime) -> Run:
    strategy = lock_strategy(checked.pk)
    _check_startable(strategy, now)
    if strategy.updated_at != checked.updated_at:
        raise NotReadyToStart(
            "The strategy {name} was changed while it was being started. Start it again.",
            name=strategy.name,
        )
    strategy.state = STRATEGY_TRANSITIONS.next_state(
        StrategyState(strategy.state), StrategyEvent.START
    )
    strategy.started_at, strategy.stopped_at = now, None
    strategy.last_tick_at, strategy.last_decision = None, {}
    strategy.last_error, strategy.last_error_code, strategy.last_error_at = {}, None, None
    strategy.failure_count = 0
    strategy.save()
    run = Run.objects.create(
        strategy=strategy, params=strategy.params, started_at=now, started_by_id=_id_of(user)
    )
    enable_schedule(strategy)
    write_log(
        strategy_id=strategy.pk,
        level=LogLevel.INFO,
        event="strategy_started",
        template=_("Started by {user}."),
        user=tell_author(keep_author(user)),
        run_id=run.pk,
    )
    announce_strategy(strategy, STARTED)
    return run


def _settle(strategy: Strategy, now: datetime) -> None:
    if strategy.state == StrategyState.STOPPING:
        strategy.state = STRATEGY_TRANSITIONS.next_state(
            StrategyState(strategy.state), StrategyEvent.SETTLE
        )
    strategy.tick_token, strategy.tick_expires_at, strategy.lease_holder = "", None, ""
    strategy.stopped_at = now
    strategy.save(
        update_fields=[
            "state",
            "tick_token",
            "tick_expires_at",
            "lease_holder",
            "stopped_at",
            "updated_at",
        ]
    )
    _close_run(strategy.pk, now)
    write_log(
        strategy_id=strategy.pk,
        level=LogLevel.INFO,
        event="strategy_stopped",
        template=_("Stopped."),
    )
    announce_strategy(strategy, STOPPED)


def _close_run(strategy_id: int, now: datetime, fault: Mapping[str, Any] | None = None) -> None:
    run = get_open_run(strategy_id)
    if run is None:
        return
    run.stopped_at, run.fault = now, dict(fault or {})
    run.save(update_fields=["stopped_at", "fault", "updated_at"])


def _id_of(user: Person | None) -> int | None:
    return None if user is None else user.pk
