"""What is alive is read by an index of just that, however long the history is."""

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from arbplatform.persistence.partial import is_among
from ledger.domain.halts import HaltLevel
from ledger.domain.orders import OrderState
from ledger.models import TradingHalt
from ledger.selectors import count_live_by_state, count_orders
from ledger.selectors.halts import list_live_orders
from ledger.selectors.orders import list_accounts_with_resting_orders, list_pending_cancellations
from ledger.selectors.reconciliation import list_moving_assets, list_open_orders
from strategies.selectors import (
    count_live_orders,
    count_open_executions,
    list_exposed_executions,
    list_left_overs,
    list_unsettled_executions,
    map_standings,
    sum_executed,
)
from strategies.selectors.engines import list_begun_executions, list_stuck_leases
from strategies.services.claims import TickClaim
from strategies.services.gates import require_standing

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="PostgreSQL compares values as well, not words alone"
    ),
]
NOW = datetime(2026, 11, 26, tzinfo=UTC)
Plan = tuple[str, list[str]]
INDEXES = {"execution_not_over", "order_live"}

QUERIES = {
    "standings": lambda: map_standings([1]),
    "unsettled": lambda: list(list_unsettled_executions(limit=10)),
    "exposed": lambda: list_exposed_executions(limit=10),
    "begun": lambda: list_begun_executions([1, 2]),
    "stuck": lambda: list_stuck_leases(before=NOW, limit=10),
    "open executions": lambda: count_open_executions([1]),
    "left overs": lambda: list_left_overs([1], since=NOW),
    "live orders": lambda: count_live_orders([1]),
    "unknown orders": lambda: count_orders(OrderState.UNKNOWN),
    "orders by state": count_live_by_state,
    "cancellations": lambda: list_pending_cancellations(asked_before=NOW, limit=10),
    "resting": list_accounts_with_resting_orders,
    "halted": lambda: list_live_orders([TradingHalt(level=HaltLevel.GLOBAL)], limit=10),
    "open orders": lambda: list_open_orders(1, acknowledged_before=NOW),
    "moving": lambda: list_moving_assets(1),
}


def explain(sql, values):
    """Return how the database finds the rows of a statement, with the values apart from it."""
    found = connection.connection.execute(f"EXPLAIN QUERY PLAN {sql.replace('%s', '?')}", values)
    return [step[-1] for step in found]


@contextmanager
def noting_plans(plans):
    """Collect the statements that are run, and how the database finds their rows."""

    def run(execute, sql, params, many, context):
        if sql.startswith("SELECT"):
            plans.append((sql, explain(sql, params)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(run):
        yield


def reads_history(steps):
    """Return whether a plan goes through a whole table, or through all rows of an owner."""
    return any(
        re.search(r"SCAN (strategies_execution|ledger_order)\b(?! USING INDEX)", step)
        or re.search(r"INDEX (strategies_execution|ledger_order?)_(strategy|account)", step)
        for step in steps
    )


@pytest.mark.parametrize("name", QUERIES)
def test_only_rows_that_are_alive_are_read(name):
    plans: list[Plan] = []

    with noting_plans(plans):
        QUERIES[name]()

    assert [plan for plan in plans if reads_history(plan[1])] == []
    assert any(re.search("INDEX (execution_not_over|order_live)", str(plan)) for plan in plans)


def test_what_was_executed_lately_is_read_by_its_time():
    plans: list[Plan] = []

    with noting_plans(plans):
        sum_executed([1], since=NOW)

    [(_sql, steps)] = plans
    assert any("INDEX strategies_execution_created_at" in step for step in steps)


def test_what_an_execution_requires_is_looked_up_among_rows_that_are_alive():
    claim = TickClaim(1, "token", NOW, NOW + timedelta(seconds=1))
    required = require_standing(claim, frozenset({1, 2}))

    steps = explain(f"SELECT {required.sql}", required.values)

    assert not reads_history(steps)
    assert {index for index in INDEXES for step in steps if index in step} == INDEXES


def test_a_condition_is_made_of_plain_names_only():
    with pytest.raises(ValueError, match="o'clock"):
        is_among("state", ["open", "o'clock"])
