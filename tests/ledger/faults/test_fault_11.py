"""A duplicate client id means that the first send arrived: that order is adopted."""

import pytest

from ledger.domain.orders import OrderState
from ledger.models import Fill, Order
from ledger.services.journal import submit_orders
from markets.errors import DuplicateClientId


def forget(order):
    """Let the journal forget that it sent the order, as an old backup of it would."""
    Order.objects.filter(pk=order.pk).update(
        state=OrderState.PENDING, submitted_at=None, venue_order_id="", error="", error_code=None
    )


@pytest.mark.parametrize("price", ["50010", "49000"])
def test_the_order_that_is_there_is_adopted_in_whatever_state_it_is(wire, price):
    is_resting = price == "49000"
    wire.fault("drop_answer")
    order = wire.send(price=price, time_in_force="gtc" if is_resting else "ioc")
    forget(order)

    (adopted,) = submit_orders(order_ids=[order.pk])

    assert adopted.state == (OrderState.OPEN if is_resting else OrderState.FILLED)
    assert Fill.objects.count() == (0 if is_resting else 1)
    assert list(wire.venue_orders()) == [order.client_order_id]
    wire.assert_exact()


def test_a_duplicate_that_cannot_be_read_now_is_unknown_and_never_rejected(wire):
    wire.fault("drop_answer")
    order = wire.send()
    forget(order)
    wire.fault("refuse", method="GET", status=503)

    (again,) = submit_orders(order_ids=[order.pk])

    assert (again.state, again.error_code) == (OrderState.UNKNOWN, DuplicateClientId.code)
    done = wire.look_up(again)
    assert (done.state, done.filled_quantity) == (OrderState.FILLED, order.quantity)
    wire.assert_exact()
