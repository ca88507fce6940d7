"""That an order is gone proves nothing about its cancellation: order and fills are read."""

from decimal import Decimal as D

from ledger.domain.orders import OrderState
from ledger.models import Fill
from markets.gateway.factory import gateway_for


def test_an_order_that_was_filled_before_is_filled_and_booked(wire):
    order = wire.rest(price="50005")
    wire.set_book([("50000", "1")], [("50005", "2")])

    done = wire.cancel(order)

    assert (done.state, done.filled_quantity) == (OrderState.FILLED, D("0.5"))
    assert Fill.objects.get().is_maker is True
    assert wire.sent("DELETE") == 1
    wire.assert_exact()


def test_an_order_that_was_cancelled_before_keeps_what_it_got(wire):
    order = wire.rest(price="50005")
    wire.set_book([("50000", "1")], [("50005", "0.2")])
    gateway = gateway_for(wire.account.venue.to_spec(), wire.account.to_credentials())
    gateway.cancel_order(symbol="BTC/USDT", client_order_id=order.client_order_id)

    done = wire.cancel(order)

    assert (done.state, done.filled_quantity) == (OrderState.CANCELED, D("0.2"))
    assert Fill.objects.get().quantity == D("0.2")
    wire.assert_exact()


def test_a_refusal_alone_ends_nothing_while_the_order_cannot_be_read(wire):
    order = wire.rest()
    wire.fault("refuse", method="DELETE", code=-2011, text="Unknown order sent.", status=400)
    wire.fault("refuse", path="", method="GET", status=503, times=None)

    left = wire.cancel(order)

    assert (left.state, left.is_cancelling) == (OrderState.OPEN, True)
    assert [state for state, _ in wire.venue_orders().values()] == ["NEW"]
