"""A trade that a venue voids stays booked and is watched; a person's word books a reversing
entry, and nothing is ever deleted.
"""

from decimal import Decimal as D

import pytest

from ledger.models import Discrepancy, Entry, Fill, TradingHalt
from ledger.services.decisions import book_discrepancy
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
