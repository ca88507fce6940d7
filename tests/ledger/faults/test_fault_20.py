"""No order is sent as part of a batch: each has a row and a request of its own and ends singly."""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import list_stray_reservations
from ledger.services.journal import resolve_unknown_orders, submit_orders, write_orders
from ledger.services.openings import ensure_opened
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import TimeInForce
from markets.errors import OutcomeUnknown, VenueRejected


@pytest.fixture
def orders(account, venue, make_plan):
    """Three orders that leave together."""
    ensure_opened(account_id=account.pk)
    return write_orders(
        plans=[make_plan(n, quantity=D("0.1"), time_in_force=TimeInForce.IOC) for n in range(3)]
    )


def states():
    return [order.state for order in Order.objects.order_by("pk")]


@pytest.mark.django_db
def test_some_are_accepted_and_others_not(orders, account, venue, clock):
    accepted, refused, lost = (order.client_order_id for order in orders)

    def refuse(request):
        if request.client_order_id == refused:
            raise VenueRejected(venue="alpha", cause="no")

    def lose(request):
        if request.client_order_id == lost:
            raise OutcomeUnknown(venue="alpha", cause="timeout")

    venue.before_submit, venue.after_submit = refuse, lose

    submit_orders(order_ids=[order.pk for order in orders], clock=clock)

    assert states() == [OrderState.FILLED, OrderState.REJECTED, OrderState.UNKNOWN]
    clock.advance_ms(1_000)
    resolve_unknown_orders(clock=clock)
    assert states() == [OrderState.FILLED, OrderState.REJECTED, OrderState.FILLED]
    assert sorted(venue.submissions) == sorted([accepted, lost])
    assert compare_with_venue(account_id=account.pk) == []
    assert list_stray_reservations() == []


@pytest.mark.django_db
def test_every_answer_is_lost(orders, account, venue, clock):
    def lose(_request):
        raise OutcomeUnknown(venue="alpha", cause="timeout")

    venue.after_submit = lose

    submit_orders(order_ids=[order.pk for order in orders], clock=clock)

    assert states() == [OrderState.UNKNOWN] * 3
    clock.advance_ms(1_000)
    report = resolve_unknown_orders(clock=clock)
    assert report.looked_up == 3
    assert states() == [OrderState.FILLED] * 3
    assert len(venue.submissions) == 3
    assert compare_with_venue(account_id=account.pk) == []
    assert list_stray_reservations() == []
