"""Every order bears the mark of its installation; a foreign mark on an account raises an alarm at
once and restricts the account to reducing exposure.
"""

from decimal import Decimal as D

import pytest

from arbplatform.core.ids import derive_client_id, is_own_client_id
from ledger.domain.reconciliation import Owner, owner_of
from ledger.models import Discrepancy, LogEntry, TradingHalt
from ledger.services.discrepancies import acknowledge
from markets.domain.orders import VenueOrderStatus
from tests.ledger.reconciled import assert_equal_to, by_hand

FOREIGN = derive_client_id("zzzzz", "order", 1, 0, 0)


def test_our_orders_bear_our_mark(bought, settings):
    assert is_own_client_id(bought.client_order_id, settings.ARB_INSTALL_ID)
    assert owner_of(FOREIGN, settings.ARB_INSTALL_ID) is Owner.OTHER_INSTALLATION
    assert owner_of("arb-by-hand", settings.ARB_INSTALL_ID) is Owner.SOMEBODY
    assert owner_of(None, settings.ARB_INSTALL_ID) is Owner.UNSAID


@pytest.fixture
def capitals(settings):
    settings.ARB_INSTALL_ID = "ABC12"


def test_a_mark_with_capitals_is_ours_and_the_same_in_lower_case_is_not(
    capitals, look, bought, venue
):
    assert bought.client_order_id.startswith("arbABC12")
    assert look().outcome == "clean"

    by_hand(venue, client_order_id=derive_client_id("abc12", "order", 1, 0, 0))
    look()

    assert Discrepancy.objects.get(kind="foreign_installation").subject == "arbabc12"


def test_a_foreign_mark_in_the_trades_raises_an_alarm_at_once(look, opened_books, venue):
    by_hand(venue, client_order_id=FOREIGN)

    look()

    found = Discrepancy.objects.get(kind="foreign_installation")
    assert (found.state, found.subject, found.seen_count) == ("alarmed", "arbzzzzz", 1)
    assert TradingHalt.objects.get().state == "reducing"
    assert LogEntry.objects.filter(event="reconciliation_alarm").count() == 1
    assert_equal_to(venue, opened_books)  # its trades are real money all the same


def test_a_foreign_mark_on_an_open_order_does_so_too(look, opened_books, venue):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    by_hand(venue, client_order_id=FOREIGN)

    for _round in range(3):
        look()

    assert Discrepancy.objects.get().seen_count == 3
    assert LogEntry.objects.filter(event="reconciliation_alarm").count() == 1


def test_after_a_person_has_looked_it_is_quiet(look, opened_books, venue, superuser, clock):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    order = by_hand(venue, client_order_id=FOREIGN)
    look()
    acknowledge(
        discrepancy_id=Discrepancy.objects.get().pk, note="moved", user=superuser, clock=clock
    )

    assert look().outcome == "clean"
    venue.cancel_order(symbol="BTC/USDT", client_order_id=FOREIGN)
    look()

    assert Discrepancy.objects.get().state == "closed"
    assert order.client_order_id == FOREIGN
