"""No exposure goes unflagged: not one beyond what was ordered, nor one that came after a person
had taken note of another.
"""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from django.utils import timezone

from ledger.domain.postings import Purse, fee_lines
from ledger.models import EntryKind, LogEntry, Order
from ledger.services.entries import book_entry
from ledger.services.journal import resolve_unknown
from markets.domain.orders import Side
from markets.models import Asset
from strategies.domain.states import ExecutionState
from strategies.models import Execution, Opportunity
from strategies.services import sweeps
from strategies.services.acknowledgements import acknowledge_execution
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import SkewedClock
from tests.strategies.faults.play import is_exact

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]

NOWHERE = {"bids": [("40000", "5")], "asks": [("60000", "5")]}
"""A book on which nothing can be repaired within the limit."""


@pytest.fixture
def held(cross, edge, superuser):
    """An execution that bought and could not sell, of which a person has taken note."""

    def leave(request):
        edge["beta"].before_submit = None
        edge["beta"].set_book("BTC/USDT", **NOWHERE)

    def strand(request):
        edge["alpha"].before_submit = None
        edge["alpha"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("50000", "0.2")])

    edge["beta"].before_submit, edge["alpha"].before_submit = leave, strand
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    clock = SkewedClock()
    clock.advance_ms(60_000)
    sweeps.sweep(clock=clock)
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.HELD
    assert D(execution.residuals["BTC"]) == D("0.1998")
    acknowledge_execution(execution_id=execution.pk, user=superuser)
    return execution


def buy_late(edge, quantity):
    """Let the venue report more of the purchase, long after its end."""
    venue = edge["alpha"]
    order = Order.objects.filter(side=Side.BUY).earliest("pk")
    known = venue.orders[order.client_order_id]
    late = replace(known.fills[0], venue_trade_id="late", quantity=D(quantity), fee=D(0))
    venue.orders[order.client_order_id] = replace(
        known, filled_quantity=known.filled_quantity + D(quantity), fills=(*known.fills, late)
    )
    venue.free["BTC"] += D(quantity)
    venue.free["USDT"] -= D(quantity) * late.price
    Order.objects.filter(pk=order.pk).update(next_lookup_at=timezone.now())
    resolve_unknown(order_id=order.pk)


def book_late_fee(execution, code, fee, key="late-fee"):
    """Book a fee that a venue states long after the purchase."""
    Asset.objects.get_or_create(code=code)
    order = Order.objects.filter(side=Side.BUY).earliest("pk")
    book_entry(
        key=key,
        kind=EntryKind.FEE,
        lines=fee_lines(purse=Purse(order.account_id), fee=D(fee), fee_asset=code),
        occurred_at=timezone.now(),
        strategy_id=order.strategy_id,
        execution_id=execution.pk,
    )


def test_what_is_filled_after_a_person_took_note_is_held_anew(held, cross, edge, accounts):
    buy_late(edge, "0.3")

    sweeps.sweep()

    held.refresh_from_db()
    assert D(held.residuals["BTC"]) == D("0.4998")
    assert (held.state, held.acknowledged_at, held.acknowledged_by) == ("held", None, None)
    told = LogEntry.objects.filter(event="execution_held")
    assert told.count() == 2
    assert told.latest("pk").context["residuals"] == "0.4998 BTC"
    edge["alpha"].set_book("BTC/USDT", bids=[("39000", "5")], asks=[("39010", "5")])
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.LEFT
    assert Opportunity.objects.latest("pk").reason == "held_exposure"
    assert is_exact(accounts)


def test_a_late_fee_in_the_profit_asset_leaves_the_note_of_an_exposure_alone(held):
    book_late_fee(held, "USDT", "0.5")

    sweeps.sweep()

    before = held.realised_profit
    held.refresh_from_db()
    assert held.realised_profit == before - D("0.5")
    assert held.acknowledged_at is not None


@pytest.mark.parametrize(("code", "fee"), [("BTC", "0.0000002"), ("BNB", "1")])
def test_a_late_fee_that_is_no_exposure_leaves_the_note_of_one_alone(held, code, fee):
    book_late_fee(held, code, fee)

    sweeps.sweep()

    held.refresh_from_db()
    assert D(held.residuals[code]) in (D("0.1998") - D(fee), -D(fee))
    assert held.acknowledged_at is not None
    assert LogEntry.objects.filter(event="execution_held").count() == 1


def test_late_fees_that_are_little_each_are_held_anew_once_their_sum_is_not(held):
    lot = Order.objects.filter(side=Side.BUY).earliest("pk").market.lot
    noted = []
    for number in range(3):
        book_late_fee(held, "BTC", str(lot / 5), key=f"late-fee-{number}")
        sweeps.sweep()
        held.refresh_from_db()
        noted.append(held.acknowledged_at is not None)

    assert noted == [True, True, False]
    assert held.acknowledged_residuals is None
    assert LogEntry.objects.filter(event="execution_held").count() == 2


def test_so_are_those_of_an_exposure_that_was_noted_before_its_figures_were_kept(held):
    lot = Order.objects.filter(side=Side.BUY).earliest("pk").market.lot
    Execution.objects.update(acknowledged_residuals=None)
    for number in range(3):
        book_late_fee(held, "BTC", str(lot / 5), key=f"late-fee-{number}")
        sweeps.sweep()

    held.refresh_from_db()
    assert held.acknowledged_at is None


def test_a_late_fee_of_a_lot_is_held_anew(held):
    lot = Order.objects.filter(side=Side.BUY).earliest("pk").market.lot
    book_late_fee(held, "BTC", str(lot))

    sweeps.sweep()

    held.refresh_from_db()
    assert held.acknowledged_at is None


def test_a_late_fill_of_one_lot_is_held_anew(held, edge):
    lot = Order.objects.filter(side=Side.BUY).earliest("pk").market.lot
    buy_late(edge, str(lot))

    sweeps.sweep()

    held.refresh_from_db()
    assert held.acknowledged_at is None


def test_more_than_was_ordered_is_an_exposure_and_no_dust(cross, edge, accounts):
    venue = edge["alpha"]
    execute = venue.execute

    def overfill(request):
        venue.execute = execute
        order = execute(request)
        more = replace(order.fills[0], venue_trade_id="more", quantity=D("0.3"), fee=D(0))
        venue.free["BTC"] += more.quantity
        venue.free["USDT"] -= more.quantity * more.price
        order = replace(
            order,
            filled_quantity=order.filled_quantity + more.quantity,
            fills=(*order.fills, more),
        )
        venue.orders[request.client_order_id] = order
        return order

    venue.execute = overfill

    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert report.error == ""
    execution = Execution.objects.get()
    assert LogEntry.objects.filter(event="order_overfilled").count() == 1
    assert LogEntry.objects.filter(event="execution_incomplete").count() == 1
    assert execution.state == ExecutionState.COMPLETED
    assert Order.objects.count() == 3  # what was too much was sold as well
    assert abs(D(execution.residuals.get("BTC", "0"))) < D("0.0005")
    assert is_exact(accounts)


def test_what_is_held_a_second_time_is_not_known_from_the_first(held, edge, accounts):
    """Between, a fill of the sale completed it; then another one of the purchase turned up."""
    venue = edge["beta"]
    order = Order.objects.get(side=Side.SELL)
    known = venue.orders[order.client_order_id]
    sold = replace(
        _first_fill(edge),
        venue_trade_id="sold-late",
        venue_order_id=known.venue_order_id,
        side=Side.SELL,
        price=D(50500),
        quantity=D("0.1998"),
        fee=D(0),
        fee_asset="USDT",
    )
    venue.orders[order.client_order_id] = replace(known, filled_quantity=D("0.1998"), fills=(sold,))
    venue.free["BTC"] -= D("0.1998")
    venue.free["USDT"] += D("0.1998") * D(50500)
    Order.objects.filter(pk=order.pk).update(next_lookup_at=timezone.now())
    resolve_unknown(order_id=order.pk)
    sweeps.sweep()
    held.refresh_from_db()
    assert held.state == ExecutionState.COMPLETED

    buy_late(edge, "0.3")
    sweeps.sweep()
    clock = SkewedClock()
    clock.advance_ms(60_000)
    sweeps.sweep(clock=clock)

    held.refresh_from_db()
    assert D(held.residuals["BTC"]) == D("0.3")
    assert (held.state, held.acknowledged_at) == ("held", None)
    assert is_exact(accounts)


def _first_fill(edge):
    order = Order.objects.filter(side=Side.BUY).earliest("pk")
    return edge["alpha"].orders[order.client_order_id].fills[0]
