"""Ids come again after an old backup was restored: another order that bears one is never booked as
ours, whatever a round of reconciliation finds it by."""

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest

from ledger.domain.orders import OrderState
from ledger.models import Discrepancy, Fill, Order
from ledger.services.journal import resolve_unknown, submit_orders, write_orders
from markets.domain.orders import Side
from markets.errors import VenueRejected
from markets.models import Market


@pytest.fixture
def repeated(opened_books, make_plan, venue, clock):
    """An order of ours that was refused; another one bears its id, and no list of orders shows it.

    Only its trades lead to it.
    """

    def refuse(request):
        raise VenueRejected(venue="alpha", cause="try again")

    venue.after_submit = refuse
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    clock.advance_ms(120_000)
    venue.hidden.update(venue.orders)
    return order


@pytest.fixture
def differ(market, beta):
    """Makes our order another one than that at the venue."""

    def change(order, what):
        elsewhere = Market.objects.get(pk=market.pk)
        elsewhere.pk, elsewhere.symbol = None, "USDT/BTC"
        elsewhere.base, elsewhere.quote = market.quote, market.base
        elsewhere.save()
        changes: dict[str, dict[str, Any]] = {
            "smaller": {"quantity": D("0.4")},
            "larger": {"quantity": D("0.9")},
            "side": {"side": Side.SELL.value},
            "market": {"market": elsewhere},
            "account": {"account": beta[0]},
            "id": {"venue_order_id": "another"},
        }
        Order.objects.filter(pk=order.pk).update(**changes[what])

    return change


def assert_alarmed(order):
    row = Discrepancy.objects.get(kind="unknown_order")
    assert (row.state, row.subject) == ("alarmed", order.client_order_id)
    assert Fill.objects.count() == 0
    assert not Discrepancy.objects.filter(kind="missing_fill", state="booked").exists()


ALL = ["smaller", "larger", "side", "market", "account", "id"]


@pytest.mark.parametrize("what", ALL)
def test_another_order_under_our_id_is_an_alarm_and_not_booked(look, repeated, differ, what):
    differ(repeated, what)

    for _round in range(3):
        look()

    assert_alarmed(repeated)


@pytest.mark.parametrize("what", ALL)
def test_so_is_one_that_an_earlier_round_has_found_by_its_id(look, repeated, venue, differ, what):
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="late"))  # more than it confirms
    look()
    assert not Discrepancy.objects.filter(kind="unknown_order").exists()
    venue.fills.pop()
    differ(repeated, what)

    for _round in range(3):
        look()

    assert_alarmed(repeated)


def test_what_a_look_up_refused_no_round_books(look, repeated, clock):
    Order.objects.filter(pk=repeated.pk).update(
        quantity=D("0.9"), state=OrderState.UNKNOWN, next_lookup_at=clock.now()
    )
    resolve_unknown(order_id=repeated.pk, clock=clock)

    look()

    repeated.refresh_from_db()
    assert (repeated.state, repeated.filled_quantity) == (OrderState.UNKNOWN, 0)
    assert_alarmed(repeated)
