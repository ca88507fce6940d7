"""A trade that a venue voids stays booked and is watched; a person's word books a reversing
entry, and nothing is ever deleted.
"""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from ledger.models import Discrepancy, Entry, Fill, TradingHalt
from ledger.services.decisions import book_discrepancy
from ledger.services.journal import submit_orders, write_orders
from markets.domain.funds import Wallet
from tests.ledger.reconciled import assert_equal_to


@pytest.fixture
def busted(bought, venue):
    """The venue takes a trade back, without a word."""
    trade = venue.fills.pop()
    purse = venue.balances[Wallet.SPOT]
    purse["BTC"] -= trade.quantity - trade.fee
    purse["USDT"] += trade.quantity * trade.price
    return trade


def test_one_list_without_it_is_no_proof(look, opened_books, busted):
    look()

    assert (Fill.objects.count(), Entry.objects.filter(kind="reversal").count()) == (2, 0)
    assert Discrepancy.objects.get(kind="unlisted_fill").state == "open"


def test_it_raises_an_alarm_and_is_still_not_deleted(look, opened_books, busted, account):
    for _round in range(6):
        look()

    assert Discrepancy.objects.get(kind="unlisted_fill").state == "alarmed"
    assert TradingHalt.objects.get().key == f"account:{account.pk}"
    assert Fill.objects.count() == 2


def test_a_person_has_it_reversed(look, opened_books, busted, venue, superuser):
    look()

    book_discrepancy(
        discrepancy_id=Discrepancy.objects.get(kind="unlisted_fill").pk,
        note="voided, says the venue",
        user=superuser,
    )

    entry = Entry.objects.get(kind="reversal")
    assert entry.reverses == Fill.objects.get(venue_trade_id=busted.venue_trade_id).entry
    assert str(entry.to_memo()) == "voided, says the venue (by root)"
    assert_equal_to(venue, opened_books)
    assert look().outcome == "clean"
    assert Fill.objects.count() == 2
    assert D(venue.balances[Wallet.SPOT]["USDT"]) == D(85_000)


@pytest.mark.usefixtures("opened_books")
def test_what_it_had_cost_by_entries_of_their_own_is_reversed_too(
    look, make_plan, venue, clock, superuser
):
    """The fee was stated late, and once more otherwise."""

    def state_nothing(request):
        venue.fills[:] = [replace(fill, fee=None, fee_asset=None) for fill in venue.fills]

    venue.after_submit, venue.sends_fills = state_nothing, False
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    clock.advance_ms(120_000)
    taken = D("0.00025")
    venue.fills[:] = [replace(fill, fee=taken, fee_asset="BTC") for fill in venue.fills]
    assert look().outcome == "clean"
    venue.fills[0] = replace(venue.fills[0], fee=taken * 2)
    venue.balances[Wallet.SPOT]["BTC"] -= taken
    assert look().outcome == "clean"
    trade = venue.fills.pop(0)
    purse = venue.balances[Wallet.SPOT]
    purse["BTC"] -= trade.quantity - trade.fee
    purse["USDT"] += trade.quantity * trade.price
    look()

    book_discrepancy(
        discrepancy_id=Discrepancy.objects.get(kind="unlisted_fill").pk,
        note="voided, says the venue",
        user=superuser,
    )

    assert Entry.objects.filter(kind="reversal").count() == 3
    assert_equal_to(venue, order.account)
    assert look().outcome == "clean"
