"""Several workers at once: every order leaves once, every execution is booked once."""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import OrderState
from ledger.models import Entry, Fill, Order
from ledger.selectors import (
    imbalances,
    list_holdings,
    list_stray_reservations,
    list_total_errors,
)
from ledger.services.fills import book_fills
from ledger.services.journal import resolve_unknown_orders, submit_orders, write_orders
from ledger.services.openings import ensure_opened
from markets.domain.funds import Wallet
from markets.domain.orders import Side
from markets.errors import OutcomeUnknown
from tests.at_once import at_once
from tests.ledger.fakes import make_fill

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


def assert_books_equal(account, venue):
    booked = {row.asset: row.amount for row in list_holdings(account.pk)}
    assert booked == {asset: one for asset, one in venue.balances[Wallet.SPOT].items() if one}
    assert imbalances() == list_total_errors() == {}
    assert list_stray_reservations() == []


def test_of_many_that_submit_an_order_one_sends_it(make_plan, venue, account, clock):
    ensure_opened(account_id=account.pk)
    orders = write_orders(plans=[make_plan(n, quantity=D("0.1")) for n in range(6)])
    ids = [order.pk for order in orders]

    # by a clock that stands still: on a busy machine a claim may be too old to be acted on
    at_once(
        lambda start: submit_orders(order_ids=ids[start:] + ids[:start], clock=clock),
        range(WORKERS),
    )

    assert sorted(venue.submissions) == sorted(order.client_order_id for order in orders)
    assert {order.state for order in Order.objects.all()} == {OrderState.FILLED}
    assert Fill.objects.count() == 12
    assert_books_equal(account, venue)


def test_the_same_orders_are_written_once(make_plan):
    plans = [make_plan(n) for n in range(3)]

    written = at_once(lambda _: write_orders(plans=plans), range(WORKERS))

    assert Order.objects.count() == 3
    assert {tuple(order.pk for order in orders) for orders in written} == {
        tuple(order.pk for order in written[0])
    }


def test_the_same_executions_are_booked_once(order):
    fills = [make_fill(order, f"t{n}", quantity=D("0.05")) for n in range(10)]

    booked = at_once(
        lambda start: len(book_fills(order=order, fills=fills[start:] + fills[:start])),
        range(WORKERS),
    )

    assert sum(booked) == Fill.objects.count() == Entry.objects.count() == 10
    assert imbalances() == list_total_errors() == {}


def test_sweeps_at_once_book_a_lost_answer_once(make_plan, venue, account, clock):
    ensure_opened(account_id=account.pk)

    def lose(request):
        raise OutcomeUnknown(venue="alpha", cause="timeout")

    venue.after_submit = lose
    orders = write_orders(plans=[make_plan(n, quantity=D("0.1")) for n in range(5)])
    submit_orders(order_ids=[order.pk for order in orders], clock=clock)
    clock.advance_ms(500)

    reports = at_once(lambda _: resolve_unknown_orders(clock=clock), range(WORKERS))

    assert sum(report.looked_up for report in reports) == 5
    assert sum(report.failed for report in reports) == 0
    assert {order.state for order in Order.objects.all()} == {OrderState.FILLED}
    assert_books_equal(account, venue)


def test_traders_of_one_account_do_not_block_or_falsify_each_other(
    make_plan, venue, account, clock
):
    """Buyers and sellers touch the same running totals in every order: no deadlock, no loss."""
    ensure_opened(account_id=account.pk)
    plans = [
        make_plan(n, side=Side.BUY if n % 2 else Side.SELL, quantity=D("0.01")) for n in range(40)
    ]
    ids = [order.pk for order in write_orders(plans=plans)]
    shares = [ids[start::WORKERS] for start in range(WORKERS)]

    def trade(share):
        pairs = [share[at : at + 2] for at in range(0, len(share), 2)]
        return [submit_orders(order_ids=pair, clock=clock) for pair in pairs]

    at_once(trade, shares)

    assert {order.state for order in Order.objects.all()} == {OrderState.FILLED}
    assert Fill.objects.count() == 80
    assert_books_equal(account, venue)


def test_an_account_is_opened_once(account, venue):
    entries = at_once(lambda _: ensure_opened(account_id=account.pk).pk, range(WORKERS))

    assert len(set(entries)) == Entry.objects.count() == 1
    assert_books_equal(account, venue)
