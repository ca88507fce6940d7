"""Executions whose database goes away in the middle end well when it is back; nothing is lost."""

import pytest
from django.db import DatabaseError

from arbplatform.core.crashpoints import observe
from ledger import tasks as ledger_tasks
from ledger.domain.orders import LIVE_STATES
from ledger.models import Order
from ledger.selectors import imbalances
from ledger.services.journal import resolve_unknown_orders
from ledger.services.reconciliation import compare_with_venue
from strategies import tasks
from strategies.domain.states import FINISHED_STATES, ExecutionState
from strategies.models import Execution
from strategies.services.crashpoints import CrashPoint
from strategies.services.sweeps import sweep
from strategies.services.ticks import run_tick
from tests.strategies.fakes import SkewedClock

LEASE_OVER_MS = 40_000


@pytest.fixture
def database(own_database, spool_dir):
    """The database, which may go away."""
    return own_database


def recover(database):
    database.come_back()
    clock = SkewedClock()
    ledger_tasks.resolve_unknown_orders()
    for _ in range(3):
        clock.advance_ms(LEASE_OVER_MS)
        resolve_unknown_orders(clock=clock)
        assert sweep(clock=clock) == 0


def check(accounts):
    execution = Execution.objects.get()
    assert ExecutionState(execution.state) in FINISHED_STATES
    assert not {order.state for order in Order.objects.all()} & LIVE_STATES
    assert imbalances() == {}
    for account in accounts:
        assert compare_with_venue(account_id=account.pk) == []
    return execution


def test_parallel_legs_that_were_sent_end_as_the_venues_say(database, cross, edge, accounts):
    for code in ("alpha", "beta"):
        edge[code].before_submit = lambda _request: database.go_away()

    assert tasks.tick(cross.pk) == "database_away"
    assert tasks.tick(cross.pk) == "database_away"
    recover(database)

    assert check(accounts).state == ExecutionState.COMPLETED
    assert Order.objects.count() == 2


def test_a_sequence_goes_on_after_the_leg_that_was_sent(database, triangular, triangle, accounts):
    triangle["alpha"].before_submit = lambda _request: database.go_away()

    with pytest.raises(DatabaseError):
        run_tick(strategy_id=triangular.pk)
    assert len(triangle["alpha"].requests) == 1
    triangle["alpha"].before_submit = None
    recover(database)

    assert check(accounts[:1]).state in (ExecutionState.COMPLETED, ExecutionState.UNWOUND)


def test_orders_that_were_claimed_before_are_sent_once_and_answered_for(
    database, cross, edge, accounts
):
    """Rows and claim are one transaction: what is committed leaves, and its outcome is spooled."""

    def go_away(point):
        if point is CrashPoint.LEGS_WRITTEN:
            database.go_away()

    with observe(go_away), pytest.raises(DatabaseError):
        run_tick(strategy_id=cross.pk)
    recover(database)

    assert check(accounts).state == ExecutionState.COMPLETED
    assert len(edge["alpha"].requests) == len(edge["beta"].requests) == 1
