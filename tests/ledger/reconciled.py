"""Books that were opened an hour ago, and rounds of reconciliation a minute apart."""

from decimal import Decimal as D

import pytest

from ledger.models import Order
from ledger.selectors import imbalances, list_holdings
from ledger.services.journal import submit_orders, write_orders
from ledger.services.openings import ensure_opened
from ledger.services.reconciler import reconcile_account
from markets.domain.orders import OrderRequest, Side, TimeInForce, VenueOrderStatus


@pytest.fixture
def opened_books(account, venue, clock):
    """The account, its books opened an hour ago."""
    venue.now_ms = clock.now_ms()
    ensure_opened(account_id=account.pk, clock=clock)
    clock.advance_ms(3_600_000)
    venue.now_ms = clock.now_ms()
    return account


@pytest.fixture
def look(opened_books, clock, venue):
    """One round, a minute after the last one."""

    def run():
        clock.advance_ms(60_000)
        venue.now_ms = clock.now_ms()
        return reconcile_account(account_id=opened_books.pk, clock=clock)

    return run


@pytest.fixture
def bought(opened_books, make_plan, clock):
    """An order of ours that was filled in two trades and booked, two minutes ago."""
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    clock.advance_ms(120_000)
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def resting(opened_books, make_plan, venue, clock):
    """An order of ours that rests at the venue since two minutes."""
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    clock.advance_ms(120_000)
    return Order.objects.get(pk=order.pk)


def by_hand(venue, quantity="0.1", price="50000", side=Side.BUY, client_order_id="web-1"):
    """A person trades in the venue's own web page."""
    request = OrderRequest("BTC/USDT", side, D(quantity), client_order_id, price=D(price))
    return venue._accept(request)


def assert_equal_to(venue, account):
    """The books hold what the venue holds, to the last decimal."""
    stated = {
        (wallet, asset): total
        for wallet, rows in venue.balances.items()
        for asset, total in rows.items()
        if total
    }
    assert {(row.wallet, row.asset): row.amount for row in list_holdings(account.pk)} == stated
    assert imbalances() == {}
