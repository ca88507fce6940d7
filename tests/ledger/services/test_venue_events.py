"""What a venue tells about an order of ours has it looked up at once, and nothing else."""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import OrderState as S
from ledger.models import Fill, Order
from ledger.services.journal import submit_orders, write_orders
from ledger.services.venue_events import follow_event
from markets.domain.orders import TimeInForce, VenueOrderStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def resting(make_plan, venue, clock):
    """An order that rests at the venue."""
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])
    (order,) = submit_orders(order_ids=[order.pk], clock=clock)
    assert order.state == S.OPEN
    return order


def follow(order, clock, *, client=True, venue=True, account_id=None):
    return follow_event(
        account_id=account_id or order.account_id,
        client_order_id=order.client_order_id if client else "",
        venue_order_id=order.venue_order_id if venue else "",
        clock=clock,
    )


@pytest.mark.parametrize(("client", "by_venue"), [(True, False), (False, True), (True, True)])
def test_an_execution_is_booked_without_waiting_for_a_sweep(
    resting, venue, clock, client, by_venue
):
    venue.execute(resting.client_order_id, D("0.2"))

    assert follow(resting, clock, client=client, venue=by_venue)

    order = Order.objects.get()
    assert (order.state, order.filled_quantity) == (S.OPEN, D("0.2"))
    assert [fill.quantity for fill in Fill.objects.all()] == [D("0.2")]


def test_what_the_venue_answers_counts_and_not_the_event(resting, venue, clock):
    assert follow(resting, clock)

    assert (Order.objects.get().filled_quantity, Fill.objects.count()) == (D(0), 0)


def test_orders_of_others_and_settled_ones_ask_nobody(resting, venue, clock):
    venue.execute(resting.client_order_id, D("0.5"))
    follow(resting, clock)
    assert Order.objects.get().state == S.FILLED
    calls = len(venue.calls)

    assert not follow(resting, clock)
    assert not follow(resting, clock, account_id=resting.account_id + 1)
    assert not follow(resting, clock, client=False, venue=False)
    assert len(venue.calls) == calls


def test_an_order_whose_answer_is_awaited_is_left_to_its_sender(order, venue, clock):
    Order.objects.filter(pk=order.pk).update(state=S.SUBMITTING, next_lookup_at=clock.now())

    assert not follow(order, clock)

    assert venue.calls == []
