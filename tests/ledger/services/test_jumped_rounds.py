"""Rounds of reconciliation while this machine's clock was ahead, and after it was set right."""

from datetime import timedelta

import pytest

from ledger.models import AccountReconciliation, Discrepancy, TradingHalt
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet

HOUR_MS = 3_600_000


@pytest.fixture
def ahead(clock):
    """Put the clock ahead, or right again."""

    def put(hours):
        clock.advance_ms(hours * HOUR_MS)

    return put


def test_a_difference_seen_first_while_the_clock_was_ahead_raises_its_alarm(
    look, ahead, account, venue
):
    venue.balances[Wallet.SPOT]["USDT"] -= 100
    ahead(5)
    look()
    ahead(-5)

    for _round in range(5):
        look()

    assert Discrepancy.objects.get(kind="balance").state == "alarmed"
    assert TradingHalt.objects.get().key == f"account:{account.pk}"


def test_a_round_that_died_while_the_clock_was_ahead_keeps_no_other_from_beginning(
    opened_books, clock
):
    until = clock.now() + timedelta(hours=5)
    AccountReconciliation.objects.update(token="dead", lease_until=until)

    assert reconcile_account(account_id=opened_books.pk, clock=clock).outcome == "clean"


@pytest.mark.usefixtures("bought")
def test_what_executed_while_the_clock_was_ahead_is_asked_for_once_it_is_right(
    look, ahead, venue, clock
):
    look()
    before_ms = clock.now_ms()
    ahead(5)
    for _round in range(20):
        look()  # asks for what is to come, and is told nothing
    ahead(-5)
    venue.asked_since_ms.clear()

    look()

    assert venue.asked_since_ms["fetch_fills"] < before_ms
