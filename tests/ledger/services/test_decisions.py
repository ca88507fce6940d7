"""What a person may decide about a discrepancy, and what is refused."""

from datetime import timedelta
from decimal import Decimal as D

import pytest

from arbplatform.core.errors import InvalidInput
from ledger.errors import DifferenceChanged, NoDifference, NothingToBook
from ledger.models import Discrepancy, Entry
from ledger.selectors import imbalances, wallet_balances
from ledger.services.decisions import book_discrepancy, look_again
from ledger.services.journal import submit_orders, write_orders
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet


@pytest.fixture
def gap(opened_books, venue, clock):
    """The venue has one USDT less."""
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    reconcile_account(account_id=opened_books.pk, clock=clock)
    return Discrepancy.objects.get()


def book(row, user, clock, note="a bet"):
    return book_discrepancy(discrepancy_id=row.pk, note=note, user=user, clock=clock)


def test_a_difference_is_booked_as_moved_outside(gap, opened_books, superuser, clock):
    done = book(gap, superuser, clock)

    assert (done.state, done.acknowledged_by, done.note) == ("booked", superuser, "a bet")
    assert (done.entry.kind, str(done.entry.to_memo())) == ("external", "a bet (by root)")
    assert wallet_balances(opened_books.pk)["USDT"] == D(99_999)
    assert imbalances() == {}
    assert reconcile_account(account_id=opened_books.pk, clock=clock).outcome == "clean"


def test_a_difference_that_is_another_one_by_now_is_not_booked(gap, venue, superuser, clock):
    venue.balances[Wallet.SPOT]["USDT"] -= 1

    with pytest.raises(DifferenceChanged, match="-2 by now, not -1"):
        book(gap, superuser, clock)

    assert (Entry.objects.count(), Discrepancy.objects.get().state) == (1, "open")


def test_a_difference_that_is_gone_is_not_booked(gap, venue, superuser, clock):
    venue.balances[Wallet.SPOT]["USDT"] += 1

    with pytest.raises(NoDifference):
        book(gap, superuser, clock)
    look_again(discrepancy_id=gap.pk, clock=clock)
    with pytest.raises(NothingToBook, match="it has ended"):
        book(gap, superuser, clock)

    assert Entry.objects.count() == 1


@pytest.mark.parametrize("note", ["", "  ", "x" * 201])
def test_without_a_reason_nothing_is_booked(gap, superuser, clock, note):
    with pytest.raises(InvalidInput):
        book(gap, superuser, clock, note=note)

    assert Entry.objects.count() == 1


def test_a_trade_that_the_venue_voided_is_reversed_and_never_deleted(
    opened_books, venue, make_plan, clock, superuser
):
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    clock.advance_ms(120_000)
    busted = venue.fills.pop()
    venue.balances[Wallet.SPOT]["BTC"] -= busted.quantity - busted.fee
    venue.balances[Wallet.SPOT]["USDT"] += busted.quantity * busted.price
    reconcile_account(account_id=opened_books.pk, clock=clock)

    done = book(Discrepancy.objects.get(kind="unlisted_fill"), superuser, clock, note="voided")

    assert (done.entry.kind, done.entry.reverses.fill.venue_trade_id) == (
        "reversal",
        busted.venue_trade_id,
    )
    clock.advance_ms(60_000)
    run = reconcile_account(account_id=opened_books.pk, clock=clock)
    assert run.unsolved_count == 0
    assert order.fills.count() == 2
    assert clock.now() - run.started_at < timedelta(seconds=1)


def test_what_another_installation_did_cannot_be_booked_away(opened_books, superuser, clock):
    row = Discrepancy.objects.create(
        account=opened_books,
        kind="foreign_installation",
        subject="arbzzzzz",
        template="x",
        first_seen_at=clock.now(),
        last_seen_at=clock.now(),
    )

    with pytest.raises(NothingToBook, match="only balances"):
        book(row, superuser, clock)

    assert Entry.objects.count() == 1
