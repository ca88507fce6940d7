"""A fee that is not stated stays pending, no estimate is booked for it, and an entry of its own
follows when the venue states it.
"""

from decimal import Decimal as D

import pytest

from arbplatform.core.clock import to_ms
from ledger.domain.orders import OrderState
from ledger.models import Discrepancy, Entry, Fill, LateFee, Order
from ledger.services.journal import resolve_unknown_orders, submit_orders, write_orders
from markets.domain.funds import Wallet
from tests.ledger.reconciled import assert_equal_to


@pytest.fixture
def without_fee(opened_books, make_plan, venue, clock):
    """An order whose trades carry no fee yet, though the venue has taken it."""
    venue.states_fee = False
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    return order


def test_a_pending_fee_explains_a_small_difference_and_books_nothing(look, without_fee):
    entries = Entry.objects.count()

    run = look()

    found = Discrepancy.objects.get()
    assert (run.outcome, run.unsolved_count) == ("different", 0)
    assert (found.kind, found.state, found.booked - found.stated) == (
        "balance",
        "explained",
        D("0.0005"),
    )
    assert "has not stated the fee of 2 trades" in str(found.to_message())
    assert Entry.objects.count() == entries


def test_the_fee_follows_as_an_entry_of_its_own(look, without_fee, opened_books, venue):
    look()
    venue.states_fee = True

    assert look().outcome == "clean"

    assert [fill.fee for fill in Fill.objects.all()] == [None, None]
    assert {fill.known_fee for fill in Fill.objects.all()} == {D("0.00025")}
    assert Entry.objects.filter(kind="fee").count() == 2
    assert Discrepancy.objects.get().state == "closed"
    assert_equal_to(venue, opened_books)


def test_it_is_asked_for_until_it_is_stated(without_fee, venue, clock):
    order = Order.objects.get(pk=without_fee.pk)
    assert (order.state, LateFee.objects.count()) == (OrderState.FILLED, 0)
    for is_stated in (False, True):
        venue.states_fee = is_stated
        assert order.next_lookup_at is not None
        clock.at_ms = to_ms(order.next_lookup_at)
        assert resolve_unknown_orders(clock=clock).looked_up == 1
        order.refresh_from_db()

    assert (order.next_lookup_at, LateFee.objects.count()) == (None, 2)


def test_a_difference_beyond_any_fee_is_not_explained_by_it(look, without_fee, venue):
    venue.balances[Wallet.SPOT]["BTC"] -= D("0.1")

    look()

    assert Discrepancy.objects.get().state == "open"
