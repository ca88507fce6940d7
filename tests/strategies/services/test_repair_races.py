"""Many processes want to repair one execution; the rows of before there were repairs."""

from decimal import Decimal as D
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from arbplatform.core.crashpoints import observe
from ledger.models import Order
from ledger.selectors import imbalances
from ledger.services.fills import book_fills
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import Side, VenueFill
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services.crashpoints import CrashPoint
from strategies.services.repairs import repair_execution
from strategies.services.ticks import run_tick
from tests.at_once import at_once

WORKERS = 6


def break_off(edge):
    """Let both books move away before the orders arrive at beta, so that nothing can be done."""

    def move(request):
        for code in ("alpha", "beta"):
            edge[code].before_submit = None
        edge["alpha"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("50000", "1")])
        edge["beta"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")])

    edge["alpha"].before_submit = edge["beta"].before_submit = move


@pytest.mark.django_db(transaction=True)
def test_of_many_who_want_to_repair_an_execution_one_sends_one_order(cross, edge, accounts):
    break_off(edge)
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.INCOMPLETE
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    at_once(lambda _: repair_execution(execution_id=execution.pk), range(WORKERS))

    execution.refresh_from_db()
    assert execution.state == ExecutionState.COMPLETED
    assert [step["action"] for step in execution.steps] == ["hold", "proceed"]
    assert Order.objects.count() == 3
    assert len(edge["beta"].requests) == 2
    assert imbalances() == {}
    assert [compare_with_venue(account_id=account.pk) for account in accounts] == [[], []]


@pytest.mark.django_db
def test_what_is_filled_after_a_repair_has_looked_is_not_sent_again(cross, edge):
    break_off(edge)
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    execution = Execution.objects.get()
    missed = execution.orders.get(side="sell")
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    late = VenueFill(
        venue_trade_id="late",
        venue_order_id=missed.venue_order_id,
        symbol="BTC/USDT",
        side=Side.SELL,
        price=D(50500),
        quantity=missed.quantity,
        fee=D(25),
        fee_asset="USDT",
        is_maker=False,
        executed_at_ms=1_767_225_600_000,
    )

    def fill_late(point):
        """The venue reports what it had called cancelled, while the books are fetched."""
        if point is CrashPoint.REPAIR_DECIDED:
            book_fills(order=missed, fills=[late])

    with observe(fill_late):
        repaired = repair_execution(execution_id=execution.pk)

    assert repaired.state == ExecutionState.COMPLETED
    assert [step["action"] for step in repaired.steps] == ["hold", "dust"]
    assert repaired.orders.count() == 2  # it would have been sold twice


@pytest.mark.django_db
def test_what_fell_short_before_there_were_repairs_is_held_and_blocks_nobody(cross, edge):
    run_tick(strategy_id=cross.pk)
    Execution.objects.update(state=ExecutionState.INCOMPLETE)
    migration = import_module("strategies.migrations.0003_repairs")

    editor = connection.schema_editor()
    migration.acknowledge_old_ends(apps, editor)

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.HELD
    assert execution.acknowledged_at is not None
    assert execution.acknowledged_by is None

    migration.forget_repairs(apps, editor)

    assert Execution.objects.get().state == ExecutionState.INCOMPLETE
