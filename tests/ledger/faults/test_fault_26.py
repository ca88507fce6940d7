"""A post-only order that would take is a normal event: ended, nothing filled, and no alarm."""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import OrderState
from ledger.models import Fill, LogEntry, LogLevel
from ledger.services.journal import submit_orders, write_orders
from markets.domain.orders import Side, TimeInForce
from markets.errors import WouldTake
from markets.gateway import factory
from tests.ledger.faults.elsewhere import SYMBOL, open_elsewhere, plan_at
from tests.markets.fakes import okx
from tests.markets.fakes.okx import FakeOkx


def assert_normal_end(order):
    assert (order.filled_quantity, Fill.objects.count()) == (D(0), 0)
    assert order.error_code == WouldTake.code
    assert "Quote anew" in str(order.to_error())
    entry = LogEntry.objects.get(context__order_id=order.pk)
    assert (entry.event, entry.level) == ("order_would_take", LogLevel.INFO)


def test_a_venue_that_refuses_it(wire):
    order = wire.send(price="50020", time_in_force="post_only")

    assert order.state == OrderState.REJECTED
    assert wire.venue_orders() == {}
    assert_normal_end(order)
    wire.assert_exact()


class PostOnlyOkx(FakeOkx):
    """It takes a post-only order, ends it at once, and says so when it is asked."""

    def place(self, key, **fields):
        order = super().place(key, **fields | {"kind": "limit", "price": "1"})
        self.cancel(order)
        return order


@pytest.mark.django_db
def test_a_venue_that_takes_it_and_ends_it(monkeypatch):
    row_of = okx._order_row
    monkeypatch.setattr(
        okx, "_order_row", lambda order: row_of(order) | {"px": "60000", "cancelSource": "31"}
    )
    venue = PostOnlyOkx()
    with venue.running() as url:
        account = open_elsewhere(venue, "okx", url)
        plan = plan_at(account, Side.BUY, "0.5", "60000", time_in_force=TimeInForce.POST_ONLY)
        (order,) = submit_orders(order_ids=[write_orders(plans=[plan])[0].pk])
        factory.close_all()

    assert order.market.symbol == SYMBOL
    assert order.state == OrderState.CANCELED
    assert_normal_end(order)
