"""A read is an answer or a failure, never just empty, and even an answer that is empty concludes
nothing by itself.
"""

import pytest

from ledger.domain.orders import OrderState
from ledger.models import AccountReconciliation, Discrepancy, Entry, Fill, Order, TradingHalt
from markets.domain.funds import Wallet
from markets.errors import VenueUnavailable

READS = ["fetch_fills", "fetch_open_orders", "fetch_orders", "fetch_balances"]


@pytest.mark.parametrize("read", READS)
def test_a_failed_read_changes_nothing(look, resting, venue, read):
    venue.failures[read] = [VenueUnavailable(venue="alpha", cause="a page of HTML")]
    entries = Entry.objects.count()

    run = look()

    assert (run.outcome, run.error_code) == ("failed", VenueUnavailable.code)
    assert Order.objects.get().state == OrderState.OPEN
    assert Entry.objects.count() == entries
    assert not Discrepancy.objects.exists()
    assert not TradingHalt.objects.exists()
    assert look().outcome == "clean"


@pytest.mark.parametrize("read", READS)
def test_a_read_that_breaks_on_an_odd_answer_is_a_failure_too(look, resting, venue, read):
    venue.failures[read] = [AttributeError("'str' object has no attribute 'get'")]

    assert look().outcome == "failed"
    assert not Discrepancy.objects.exists()


def test_a_failure_does_not_count_as_gone(look, opened_books, venue):
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    look()
    for _round in range(3):
        venue.failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="timeout")]
        look()

    found = Discrepancy.objects.get()
    assert (found.state, found.seen_count) == ("open", 1)
    assert AccountReconciliation.objects.get().failure_count == 3


def test_a_venue_that_shows_nothing_at_all_empties_nothing(look, bought, venue, account):
    """Well-formed empty lists, in every answer, for ten minutes."""
    kept = (dict(venue.balances[Wallet.SPOT]), list(venue.fills))
    venue.balances[Wallet.SPOT], venue.fills[:] = {}, []
    venue.hides_orders = True
    entries = Entry.objects.count()

    for _round in range(10):
        assert look().outcome == "different"

    assert (Fill.objects.count(), Entry.objects.count()) == (2, entries)
    assert Order.objects.get().state == OrderState.FILLED
    assert TradingHalt.objects.get().key == f"account:{account.pk}"
    venue.balances[Wallet.SPOT], venue.fills[:] = kept
    venue.hides_orders = False
    assert look().outcome == "clean"
    assert set(Discrepancy.objects.values_list("state", flat=True)) == {"closed"}
