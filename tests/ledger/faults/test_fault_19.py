"""Fills that come while an order is being cancelled, or after its end, are booked all the same."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from ledger.domain.orders import OrderState
from ledger.models import Fill, Order
from ledger.services.journal import (
    cancel_order,
    resolve_unknown_orders,
    submit_orders,
    write_orders,
)
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import Side, TimeInForce
from markets.gateway import factory
from tests.ledger.faults.elsewhere import SYMBOL, open_elsewhere, plan_at
from tests.markets.fakes.okx import FakeOkx


def test_a_part_that_fills_while_the_cancellation_travels_is_booked(wire):
    order = wire.rest(price="50005")
    wire.on_request = lambda method, _path: (
        method == "DELETE" and wire.set_book([("50000", "1")], [("50005", "0.3")])
    )

    done = wire.cancel(order)

    assert (done.state, done.filled_quantity) == (OrderState.CANCELED, D("0.3"))
    assert Fill.objects.get().quantity == D("0.3")
    wire.assert_exact()


@pytest.mark.django_db
def test_a_fill_that_the_venue_reports_after_the_end_is_booked_by_the_watch():
    venue = FakeOkx()
    venue.set_book(SYMBOL, bids=[("49990", "1")], asks=[("50010", "1")])
    with venue.running() as url:
        account = open_elsewhere(venue, "okx", url)
        plan = plan_at(account, Side.BUY, "0.5", "49000", time_in_force=TimeInForce.GTC)
        (order,) = submit_orders(order_ids=[write_orders(plans=[plan])[0].pk])
        ended = cancel_order(order_id=order.pk)
        assert (ended.state, ended.filled_quantity) == (OrderState.CANCELED, D(0))
        assert ended.next_lookup_at is not None

        # what the engine had matched already shows a moment later
        (at_venue,) = venue.orders.values()
        venue._fill(at_venue, D(49000), D("0.2"))
        Order.objects.update(next_lookup_at=timezone.now() - timedelta(seconds=1))
        resolve_unknown_orders()

        late = Order.objects.get()
        assert (late.state, late.filled_quantity) == (OrderState.CANCELED, D("0.2"))
        assert Fill.objects.get().quantity == D("0.2")
        assert compare_with_venue(account_id=account.pk) == []
        factory.close_all()


def test_the_watch_ends_after_a_minute(wire):
    order = wire.rest()
    done = wire.cancel(order)
    past = timezone.now() - timedelta(seconds=61)
    Order.objects.update(finished_at=past, next_lookup_at=past)

    resolve_unknown_orders()

    assert done.next_lookup_at is not None
    assert Order.objects.get().next_lookup_at is None
