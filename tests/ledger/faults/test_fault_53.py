"""A fee beyond two percent of its trade is taken for a wrong unit: the trade is booked, the fee
only when the balance shows exactly it.
"""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from ledger.models import Discrepancy, Fill, LogEntry, TradingHalt
from ledger.services.journal import submit_orders, write_orders
from markets.domain.funds import Wallet
from tests.ledger.reconciled import assert_equal_to

TAKEN = D("0.0005")


@pytest.fixture
def odd_fee(opened_books, make_plan, venue, clock):
    """The venue takes 0.0005 BTC, and states 30 BTC: the quote's figure under the base's name."""

    def misstate(request):
        venue.fills[:] = [replace(fill, fee=D(15)) for fill in venue.fills]

    venue.after_submit, venue.sends_fills = misstate, False
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    return order


def test_the_trade_is_booked_and_the_wrong_fee_is_not(look, odd_fee, venue):
    look()

    assert [fill.known_fee for fill in Fill.objects.all()] == [None, None]
    assert LogEntry.objects.filter(event="fee_suspicious").count() == 2
    kinds = set(Discrepancy.objects.values_list("kind", flat=True))
    assert kinds == {"balance", "fee"}


def test_it_is_booked_when_it_is_corrected(look, odd_fee, opened_books, venue):
    look()
    venue.fills[:] = [replace(fill, fee=TAKEN / 2) for fill in venue.fills]

    assert look().outcome == "clean"
    assert {fill.known_fee for fill in Fill.objects.all()} == {TAKEN / 2}
    assert_equal_to(venue, opened_books)


def test_it_is_booked_when_the_balance_shows_it(look, odd_fee, opened_books, venue):
    """A venue that really charges so much, for instance a smallest fee on a tiny trade."""
    venue.fills[:] = [replace(fill, fee=D("0.01")) for fill in venue.fills]
    venue.balances[Wallet.SPOT]["BTC"] -= D("0.02") - TAKEN

    assert look().outcome == "clean"
    assert {fill.known_fee for fill in Fill.objects.all()} == {D("0.01")}
    assert_equal_to(venue, opened_books)


def test_a_doubt_that_stays_raises_an_alarm(look, odd_fee):
    for _round in range(6):
        look()

    assert "alarmed" in set(Discrepancy.objects.values_list("state", flat=True))
    assert TradingHalt.objects.exists()
