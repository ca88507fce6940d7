"""A duplicate client id means that the first send arrived: that order is adopted, if it is as
large as it was asked for.
"""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from django.utils import timezone

from arbplatform.core.clock import FixedClock, to_ms
from ledger.domain.orders import OrderState
from ledger.errors import OrderDisowned
from ledger.models import Fill, Order
from ledger.services.disowning import disown_order
from ledger.services.journal import submit_orders
from markets.errors import DuplicateClientId, OtherOrderFound
from markets.gateway.ccxt_rest import CcxtRestGateway


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


@pytest.mark.parametrize("quantity", ["0.3", "0.9"])
def test_what_an_old_backup_has_forgotten_is_not_booked_as_another_order_of_the_same_id(
    wire, quantity
):
    """Be it larger than ours or smaller: it was filled, so it is as large as its venue says."""
    wire.fault("drop_answer")
    order = wire.send()
    forget(order)
    Order.objects.filter(pk=order.pk).update(quantity=D(quantity))

    (again,) = submit_orders(order_ids=[order.pk])

    assert (again.state, again.error_code) == (OrderState.UNKNOWN, OtherOrderFound.code)
    clock = FixedClock(at_ms=to_ms(timezone.now()))
    for _look in range(5):
        clock.advance_ms(60_000)
        again = wire.look_up(again, clock=clock)
    assert (again.state, again.error_code) == (OrderState.UNKNOWN, OtherOrderFound.code)
    again = disown_order(order_id=order.pk, note="an old backup", user=None, clock=clock)
    assert (again.state, again.error_code) == (OrderState.REJECTED, OrderDisowned.code)
    assert (again.filled_quantity, Fill.objects.count()) == (0, 0)


def test_an_order_that_ended_short_may_be_stated_as_large_as_what_it_filled(wire, monkeypatch):
    wire.fault("drop_answer")
    order = wire.send(quantity=D("1.5"))  # more than is there
    forget(order)
    fetch = CcxtRestGateway.fetch_order

    def cut(gateway, **more):
        report = fetch(gateway, **more)
        return replace(report, quantity=report.filled_quantity)

    monkeypatch.setattr(CcxtRestGateway, "fetch_order", cut)

    (adopted,) = submit_orders(order_ids=[order.pk])

    assert adopted.state == OrderState.CANCELED
    assert D(0) < adopted.filled_quantity < order.quantity
