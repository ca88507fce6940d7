"""Whoever books locks running totals in one order: orders, books by key, then purses by key.

A second session holds what comes first in that order. Whoever waits for it may hold nothing that
comes later: two of the kind would wait for each other, and one of them would be given up.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal as D

import pytest
from django.db import connection, transaction

from accounts.models import ReservedTotal
from arbplatform.core.errors import Message
from ledger.domain.orders import OrderState
from ledger.domain.reconciliation import DiscrepancyKind, Movement
from ledger.models import BookTotal, Entry, Order
from ledger.selectors import (
    list_holdings,
    list_stray_reservations,
    list_total_errors,
    reserved_balances,
)
from ledger.services import journal, movements
from ledger.services.fills import book_fills
from ledger.services.movements import Candidate, book_proven
from ledger.services.openings import ensure_opened
from ledger.services.reconciliation import Comparison, Difference
from ledger.services.recording import record
from ledger.services.reservations import release_orders
from ledger.services.sending import Reported
from ledger.services.venue_reads import Round
from markets.domain.funds import Wallet
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
def while_it_waits(holds, command, patience="1s"):
    """Run ``command`` in a thread, in the way of which a row is locked, until it waits for it.

    After ``patience`` we would look whether two wait for each other, and be the one given up.
    """

    def run():
        with closing(connection):
            command()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('deadlock_timeout', %s, true)", [patience])
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


@pytest.mark.parametrize("lost", [Side.BUY, Side.SELL])
def test_a_purse_that_is_set_aside_again_and_one_that_shrinks_are_locked_by_key(
    submitted, account, clock, lost
):
    """One order was thought to be over and is alive: what it may spend had been given back."""
    release_orders([submitted[lost].pk])
    first, last = (
        ReservedTotal.objects.filter(pk=pk)
        for pk in ReservedTotal.objects.order_by("key").values_list("pk", flat=True)
    )
    filled = dict.fromkeys(submitted, D("0.2"))

    with while_it_waits(first, lambda: record_both(submitted, filled, clock)):
        last.select_for_update(nowait=True).get()

    assert reserved_balances(account.pk) == {"USDT": D(18_000), "BTC": D("0.3")}
    assert list_stray_reservations() == []


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


HELD = {"USDT": D(100_000), "BTC": D(2)}
CAME = {"USDT": D(70), "BTC": D("0.3")}


@pytest.fixture
def deposited(account, venue, clock):
    """Book deposits of both assets that came without the platform; an asset's may concern an order.

    Those of the second asset come before those of the first one.
    """
    ensure_opened(account_id=account.pk, clock=clock)

    def book(*assets, order_ids=None):
        round_ = begin_round(account, venue, clock)
        purses = {asset: (Wallet.SPOT, asset) for asset in assets}
        candidates = [
            replace(
                movements.external(
                    round_,
                    Movement(
                        key=f"external:{account.pk}:deposit:{code}",
                        kind=DiscrepancyKind.EXTERNAL_DEPOSIT,
                        at_ms=clock.now_ms() - number,
                        amounts={purses[code]: CAME[code]},
                        what=Message("came"),
                    ),
                ),
                order_id=(order_ids or {}).get(code),
            )
            for number, code in enumerate(assets)
        ]
        return prove(round_, candidates)

    return book


def begin_round(account, venue, clock):
    now = clock.now()
    return Round(account, venue, clock, started_at=now, opened_at=now, since=now, gaps_since=now)


def prove(round_, candidates):
    """Book movements that the balances show, one for each asset."""
    held = {(row.wallet, row.asset): row.amount for row in list_holdings(round_.account.pk)}
    moved = {purse: amount for one in candidates for purse, amount in one.movement.amounts.items()}
    comparison = Comparison(
        [
            Difference(wallet, asset, held[wallet, asset], held[wallet, asset] + amount)
            for (wallet, asset), amount in moved.items()
        ],
        frozenset({Wallet.SPOT}),
        held,
        is_settled=True,
    )
    return book_proven(round_, comparison, candidates)


def wallets(account):
    """Return the totals of an account's wallets, in the order of their keys."""
    rows = BookTotal.objects.filter(book="wallet", account=account).order_by("key")
    return [BookTotal.objects.filter(pk=pk) for pk in rows.values_list("pk", flat=True)]


def assert_both_are_booked(account):
    booked = {row.get().asset.code: row.get().total for row in wallets(account)}
    assert booked == {code: HELD[code] + CAME[code] for code in HELD}
    assert Entry.objects.filter(kind="external").count() == len(CAME)
    assert list_total_errors() == {}


@pytest.mark.parametrize("codes", [("BTC", "USDT"), ("USDT", "BTC")], ids="-".join)
def test_what_moved_without_us_is_booked_with_its_totals_locked_by_key(account, deposited, codes):
    """Whatever came first: who records a trade at the same time locks them by key as well."""
    first, last = wallets(account)

    with while_it_waits(first, lambda: deposited(*codes)):
        assert last.select_for_update(nowait=True).get().total in HELD.values()

    assert_both_are_booked(account)


def test_an_order_whose_fee_is_proven_is_locked_before_any_total(account, submitted, deposited):
    """Who records what it did holds its row first."""
    order = submitted[Side.BUY]
    rows = Order.objects.filter(pk=order.pk)

    with while_it_waits(rows, lambda: deposited("USDT", "BTC", order_ids={"USDT": order.pk})):
        for total in wallets(account):
            total.select_for_update(nowait=True).get()

    assert_both_are_booked(account)


@pytest.mark.parametrize("earlier", [Side.BUY, Side.SELL])
def test_purses_of_orders_whose_fees_are_proven_together_are_locked_by_key(
    account, venue, submitted, clock, earlier
):
    """Each fee is booked by itself, whatever came first; both orders rest, partly filled."""
    told = {side: reported(order, D("0.2")) for side, order in submitted.items()}
    silent = {
        submitted[side].pk: replace(
            one, fills=tuple(replace(fill, fee=None, fee_asset=None) for fill in one.fills)
        )
        for side, one in told.items()
    }
    record(orders=list(submitted.values()), knowledge=silent, clock=clock, is_lookup=False)
    candidates = [
        proven_fee(submitted[side], *one.fills, at_ms=clock.now_ms() - (side is earlier))
        for side, one in told.items()
    ]
    round_ = begin_round(account, venue, clock)
    first, last = (
        ReservedTotal.objects.filter(pk=pk)
        for pk in ReservedTotal.objects.order_by("key").values_list("pk", flat=True)
    )

    with while_it_waits(first, lambda: prove(round_, candidates)):
        assert last.select_for_update(nowait=True).get().total > 0

    assert Entry.objects.filter(kind="fee").count() == len(candidates)
    assert reserved_balances(account.pk) == {"USDT": D(18_000), "BTC": D("0.3")}
    assert list_stray_reservations() == []
    assert list_total_errors() == {}


def proven_fee(order, fill, *, at_ms):
    """A fee that was not stated at first."""

    def book():
        book_fills(order=order, fills=[fill], is_fee_proven=True)
        return Entry.objects.get(
            kind="fee", postings__asset__code=fill.fee_asset, postings__book="wallet"
        )

    movement = Movement(
        key=f"fee-of-{order.pk}",
        kind=DiscrepancyKind.FEE,
        at_ms=at_ms,
        amounts={(Wallet.SPOT, fill.fee_asset): -fill.fee},
        what=Message("a fee"),
    )
    return Candidate(movement, book, order_id=order.pk)


def test_what_moved_is_booked_once_although_a_deadlock_gave_it_up(account, deposited, caplog):
    """Somebody locks the totals against their order, as nothing of ours does."""
    first, last = wallets(account)
    seen = []

    def book():
        with connection.cursor() as cursor:
            # it looks once, and a busy machine may take long until there is something to see
            cursor.execute("SET deadlock_timeout = '4s'")
        seen.extend(deposited("USDT", "BTC"))

    with while_it_waits(last, book, patience="60s"):
        first.select_for_update().get()  # given to us once the other one was given up

    assert "_book is run again" in caplog.text
    assert sorted(sighting.asset for sighting in seen) == sorted(CAME)
    assert_both_are_booked(account)
