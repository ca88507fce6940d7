"""A trade is real money: it is booked after the end of its order and beyond its quantity, once
the order's own report confirms it, and told as an anomaly.
"""

from dataclasses import replace
from decimal import Decimal as D

from ledger.domain.orders import OrderState
from ledger.models import LogEntry, Order
from ledger.services.journal import submit_orders, write_orders
from markets.domain.orders import VenueOrderStatus
from tests.ledger.reconciled import assert_equal_to


def test_a_trade_after_the_end_is_booked(look, opened_books, make_plan, venue, clock):
    venue.fill_fraction, venue.rest_status = D("0.2"), VenueOrderStatus.CANCELED
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    (done,) = submit_orders(order_ids=[order.pk], clock=clock)
    assert (done.state, done.next_lookup_at) == (OrderState.CANCELED, None)
    venue.execute(order.client_order_id, D("0.4"))

    assert look().outcome == "clean"

    assert (Order.objects.get().state, Order.objects.get().filled_quantity) == ("filled", D("0.5"))
    assert_equal_to(venue, opened_books)


def test_more_than_was_ordered_is_booked_and_told(look, opened_books, bought, venue):
    venue.execute(bought.client_order_id, D("0.25"))

    run = look()

    assert run.booked_count == 1
    assert sum(fill.quantity for fill in bought.fills.all()) == D("0.75")
    assert LogEntry.objects.filter(event="order_overfilled").count() == 1
    assert_equal_to(venue, opened_books)


def test_a_trade_that_the_order_itself_denies_is_not_booked(look, opened_books, bought, venue):
    venue.fills.append(replace(venue.fills[0], venue_trade_id="ghost"))

    assert look().outcome == "different"

    assert bought.fills.count() == 2
    assert_equal_to(venue, opened_books)
