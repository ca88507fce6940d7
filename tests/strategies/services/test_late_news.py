"""News about an order that comes late: an execution is judged on what was booked, not before."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from arbplatform.core.decimals import Amount
from ledger.domain.postings import Purse, fee_lines
from ledger.models import EntryKind, Fill, Order
from ledger.selectors import execution_movements, imbalances
from ledger.services import recording
from ledger.services.entries import book_entry
from ledger.services.journal import resolve_unknown, resolve_unknown_orders
from strategies.domain.states import ExecutionState
from strategies.models import Attribution, Execution
from strategies.selectors import list_outcomes, list_outdated_executions, list_result_errors
from strategies.services import sweeps
from strategies.services.repairs import repair_execution
from strategies.services.settlement import settle_execution
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import FakeGateway, SkewedClock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]


@pytest.fixture
def silent_fills(monkeypatch):
    """Venues say that an order was filled, but not by which trades."""
    submit = FakeGateway.submit_order

    def without_fills(gateway, request):
        return replace(submit(gateway, request), fills=())

    monkeypatch.setattr(FakeGateway, "submit_order", without_fills)
    monkeypatch.setattr(FakeGateway, "fetch_fills", lambda *_args, **_kwargs: [])
    return monkeypatch


def test_an_execution_whose_trades_are_not_booked_yet_has_not_ended(
    triangular, triangle, silent_fills
):
    report = run_tick(strategy_id=triangular.pk)

    order = Order.objects.get()
    assert (order.state, order.filled_quantity > 0, Fill.objects.count()) == ("filled", True, 0)
    assert Execution.objects.get().state == ExecutionState.UNKNOWN
    repair_execution(execution_id=report.execution_ids[0])
    assert run_tick(strategy_id=triangular.pk, is_spacing_kept=False).outcome is TickOutcome.LEFT
    assert len(triangle["alpha"].requests) == 1


def test_once_its_trades_are_booked_it_is_repaired(triangular, triangle, silent_fills):
    run_tick(strategy_id=triangular.pk)
    silent_fills.undo()
    clock = SkewedClock()
    clock.advance_ms(60_000)

    resolve_unknown_orders(clock=clock)
    sweeps.sweep(clock=clock)

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert len(triangle["alpha"].requests) == 3
    assert not any(outcome.is_open for outcome in list_outcomes(execution.pk))
    assert execution.realised_profit == execution_movements(execution.pk)["USDT"]
    assert imbalances() == {}


def test_both_legs_filled_is_no_end_while_one_of_them_is_not_booked(cross, edge, silent_fills):
    run_tick(strategy_id=cross.pk)

    assert Execution.objects.get().state == ExecutionState.UNKNOWN
    silent_fills.undo()
    for order in Order.objects.all():
        resolve_unknown(order_id=order.pk)
    sweeps.sweep()
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert execution.realised_profit == execution_movements(execution.pk)["USDT"] > 0


def test_a_fill_that_comes_after_the_end_reopens_it_although_the_message_was_lost(
    cross, edge, monkeypatch
):
    for code in ("alpha", "beta"):  # by the time the orders arrive nothing is left to trade with
        edge[code].before_submit = lambda _request, venue=edge[code]: venue.set_book(
            "BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")]
        )
    run_tick(strategy_id=cross.pk)
    execution = Execution.objects.get()
    assert (execution.state, Fill.objects.count()) == (ExecutionState.FAILED, 0)

    monkeypatch.setattr(recording, "enqueue_on_commit", lambda *_args, **_kwargs: None)
    venue = edge["alpha"]
    venue.before_submit = None
    venue.set_book("BTC/USDT", bids=[("49990", "5")], asks=[("50000", "5")])
    request = venue.requests[0]
    number = venue.orders[request.client_order_id].venue_order_id
    late = venue.execute(request)
    fills = tuple(replace(fill, venue_order_id=number) for fill in late.fills)
    venue.orders[request.client_order_id] = replace(late, venue_order_id=number, fills=fills)
    order = Order.objects.get(client_order_id=request.client_order_id)
    order.next_lookup_at = order.finished_at
    order.save(update_fields=["next_lookup_at"])
    resolve_unknown(order_id=order.pk)
    assert Fill.objects.count() == 1
    assert Execution.objects.get().state == ExecutionState.FAILED

    sweeps.sweep()

    execution = Execution.objects.get()
    assert (execution.state, len(venue.requests)) == (ExecutionState.UNWOUND, 2)
    assert execution.realised_profit == execution_movements(execution.pk)["USDT"]


def test_what_was_learned_after_the_end_is_judged_once(cross, edge):
    run_tick(strategy_id=cross.pk)
    # as if its last entry had been committed after the end
    Execution.objects.update(entries_seen=F("entries_seen") - 1)

    sweeps.sweep()
    assert Attribution.objects.get().revision == 2
    sweeps.sweep()

    assert Attribution.objects.get().revision == 2


def book_late_fee(execution_id):
    """Book a fee of 0.5 USDT for an execution, of which nobody is told."""
    order = Order.objects.filter(execution_id=execution_id).earliest("pk")
    book_entry(
        key=f"late-fee-of:{execution_id}",
        kind=EntryKind.FEE,
        lines=fee_lines(purse=Purse(order.account_id), fee=Amount("0.5"), fee_asset="USDT"),
        occurred_at=timezone.now(),
        strategy_id=order.strategy_id,
        execution_id=execution_id,
    )


def test_what_bears_an_earlier_time_than_the_end_is_judged_as_well(cross, edge):
    """Who booked it may have been slow to commit, or have another clock."""
    run_tick(strategy_id=cross.pk)
    execution = Execution.objects.get()
    assert list_outdated_executions() == []
    Execution.objects.update(updated_at=timezone.now() + timedelta(hours=1))

    book_late_fee(execution.pk)

    assert list_outdated_executions() == [execution.pk]
    sweeps.sweep()
    made = Execution.objects.get().realised_profit
    assert made == execution.realised_profit - Amount("0.5")
    assert list_outdated_executions() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer at a time")
def test_what_is_committed_while_a_settlement_reads_is_found_by_the_next_look(cross, edge):
    run_tick(strategy_id=cross.pk)
    execution = Execution.objects.get()
    waiting = [execution.pk]

    def book_after_the_look(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if waiting and "SUM" in sql and "ledger_posting" in sql:
            with ThreadPoolExecutor(1) as threads:
                threads.submit(book_in_another_session, waiting.pop()).result(30)
        return found

    with connection.execute_wrapper(book_after_the_look):
        settle_execution(execution_id=execution.pk)

    assert waiting == []
    assert Execution.objects.get().realised_profit == execution.realised_profit
    assert list_outdated_executions() == [execution.pk]
    sweeps.sweep()
    made = Execution.objects.get().realised_profit
    assert made == execution.realised_profit - Amount("0.5")
    assert list_outdated_executions() == []
    assert list_result_errors() == {}


def book_in_another_session(execution_id):
    with closing(connection):
        book_late_fee(execution_id)
