"""An IOC or FOK order that finds nobody ends with nothing filled, and nobody is alarmed."""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import OrderState
from ledger.models import LogEntry, LogLevel
from markets.errors import NotFillable


@pytest.mark.parametrize("time_in_force", ["ioc", "fok"])
def test_it_ends_with_nothing(wire, time_in_force):
    order = wire.send(price="49000", time_in_force=time_in_force)

    assert (order.state, order.filled_quantity, order.error) == (OrderState.CANCELED, D(0), "")
    assert order.next_lookup_at is None
    assert not LogEntry.objects.filter(context__order_id=order.pk).exists()
    wire.assert_exact()


def test_a_fok_order_takes_all_or_nothing(wire):
    order = wire.send(price="50010", quantity=D("1.5"), time_in_force="fok")

    assert (order.state, order.filled_quantity) == (OrderState.CANCELED, D(0))
    wire.assert_exact()


def test_a_venue_that_refuses_it_instead_ends_it_as_well(wire):
    wire.refuse(-5021, "Due to the order could not be filled immediately, it was rejected.")

    order = wire.send(time_in_force="fok")

    assert (order.state, order.error_code) == (OrderState.REJECTED, NotFillable.code)
    entry = LogEntry.objects.get(context__order_id=order.pk)
    assert (entry.event, entry.level) == ("order_not_fillable", LogLevel.INFO)
    assert wire.venue_orders() == {}
