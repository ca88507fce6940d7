"""Whoever records what orders did locks running totals in one order: books, then purses by key.

A second session holds what comes first in that order. Whoever waits for it may hold nothing that
comes later: two of the kind would wait for each other, and one of them would be given up.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal as D

import pytest
from django.db import connection, transaction

from accounts.models import ReservedTotal
from ledger.domain.orders import OrderState
from ledger.models import BookTotal, Order
from ledger.selectors import list_stray_reservations, list_total_errors, reserved_balances
from ledger.services import journal
from ledger.services.openings import ensure_opened
from ledger.services.recording import record
from ledger.services.sending import Reported
from markets.domain.orders import Side, VenueOrder, VenueOrderStatus
from tests.ledger.fakes import make_fill

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one lock for all"),
]

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
LOOKS_MAX = 10_000


@pytest.fixture
def submitted(account, venue, make_plan):
    """A purchase and a sale of 0.5 BTC each, on their way; what both may spend is set aside."""
    ensure_opened(account_id=account.pk)
    plans = [make_plan(0), make_plan(1, side=Side.SELL)]
    pks = [order.pk for order in journal.write_orders(plans=plans)]
    Order.objects.filter(pk__in=pks).update(state=OrderState.SUBMITTING)
    return {Side(order.side): order for order in Order.objects.filter(pk__in=pks)}


@contextmanager
def while_it_waits(holds, command):
    """Run ``command`` in a thread, in the way of which a row is locked, until it waits for it."""

    def run():
        with closing(connection):
            command()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            holds.select_for_update().get()
            done = threads.submit(run)
            with connection.cursor() as cursor:
                for _ in range(LOOKS_MAX):
                    cursor.execute(WAITING)
                    if cursor.fetchone()[0]:
                        break
                else:
                    pytest.fail("nobody waits for the lock")
            yield
        done.result(30)


def reported(order, filled):
    """What a venue says of an order of 0.5 BTC, with its one execution."""
    status = VenueOrderStatus.FILLED if filled == order.quantity else VenueOrderStatus.OPEN
    report = VenueOrder(
        venue_order_id=f"v-{order.pk}",
        client_order_id=order.client_order_id,
        symbol="BTC/USDT",
        side=Side(order.side),
        status=status,
        quantity=order.quantity,
        filled_quantity=filled,
    )
    return Reported(report, (make_fill(order, f"t-{order.pk}", quantity=filled),))


def record_both(orders, filled, clock):
    knowledge = {order.pk: reported(order, filled[side]) for side, order in orders.items()}
    record(orders=list(orders.values()), knowledge=knowledge, clock=clock, is_lookup=False)


@pytest.mark.parametrize("resting", [Side.BUY, Side.SELL])
def test_a_purse_that_shrinks_and_one_that_is_given_back_are_locked_by_key(
    submitted, account, clock, resting
):
    """One order rests, partly filled, and another one has ended: they have different purses."""
    filled = dict.fromkeys(submitted, D("0.5")) | {resting: D("0.2")}
    first, last = (
        ReservedTotal.objects.filter(pk=pk)
        for pk in ReservedTotal.objects.order_by("key").values_list("pk", flat=True)
    )

    with while_it_waits(first, lambda: record_both(submitted, filled, clock)):
        assert last.select_for_update(nowait=True).get().total > 0

    left = {"USDT": D(18_000)} if resting is Side.BUY else {"BTC": D("0.3")}
    assert reserved_balances(account.pk) == left
    assert list_stray_reservations() == []
    assert list_total_errors() == {}


@pytest.mark.parametrize("quantity", [D("0.2"), D("0.5")], ids=["partly", "wholly"])
def test_the_books_are_locked_before_any_purse(submitted, account, clock, quantity):
    """Who decides waits for a purse alone: it is the last thing that is locked here."""
    filled = dict.fromkeys(submitted, quantity)
    books = BookTotal.objects.filter(book="wallet", account=account, asset__code="USDT")

    with while_it_waits(books, lambda: record_both(submitted, filled, clock)):
        purses = ReservedTotal.objects.select_for_update(nowait=True)
        assert [purse.total > 0 for purse in purses] == [True, True]

    assert list_stray_reservations() == []
    assert list_total_errors() == {}
