"""Opening the books of an account, and comparing them with what its venue states."""

from decimal import Decimal as D

import pytest

from accounts.errors import AccountDisabled, AccountNotFound
from accounts.models import VenueAccount
from ledger.errors import NoDifference
from ledger.models import Entry, EntryKind
from ledger.selectors import imbalances, list_holdings, wallet_balances
from ledger.services.fills import book_fills
from ledger.services.journal import write_orders
from ledger.services.openings import ensure_opened, is_opened
from ledger.services.reconciliation import Difference, adopt_difference, compare_with_venue
from markets.domain.funds import Wallet
from markets.errors import NotSupportedByVenue, VenueUnavailable
from tests.ledger.fakes import make_fill


@pytest.fixture
def funded(venue):
    """A venue that holds something in both wallets."""
    venue.balances[Wallet.SPOT] = {"BTC": D("0.123456789012345678"), "USDT": D(1000)}
    venue.balances[Wallet.FUNDING] = {"USDT": D(7)}
    return venue


def holdings(account):
    return {(row.wallet, row.asset): row.amount for row in list_holdings(account.pk)}


# opening --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("funded")
def test_opening_takes_over_both_wallets(account, clock):
    entry = ensure_opened(account_id=account.pk, clock=clock)

    assert (entry.key, entry.kind) == (f"opening:{account.pk}", EntryKind.OPENING)
    assert holdings(account) == {
        (Wallet.SPOT, "BTC"): D("0.123456789012345678"),
        (Wallet.SPOT, "USDT"): D(1000),
        (Wallet.FUNDING, "USDT"): D(7),
    }
    assert wallet_balances(account.pk) == {"BTC": D("0.123456789012345678"), "USDT": D(1000)}
    assert wallet_balances(account.pk, wallet=None)["USDT"] == D(1007)
    assert wallet_balances()["DOGE"] == 0
    assert imbalances() == {}


def test_an_account_is_opened_once_whatever_it_holds_later(account, funded):
    first = ensure_opened(account_id=account.pk)
    calls = len(funded.calls)
    funded.balances[Wallet.SPOT]["USDT"] = D(5)

    assert ensure_opened(account_id=account.pk).pk == first.pk
    assert len(funded.calls) == calls
    assert wallet_balances(account.pk)["USDT"] == D(1000)


def test_an_empty_account_is_opened_too(account, venue):
    venue.balances = {Wallet.SPOT: {}, Wallet.FUNDING: {}}
    assert not is_opened(account_id=account.pk)

    ensure_opened(account_id=account.pk)

    assert is_opened(account_id=account.pk)
    assert list_holdings() == []


def test_what_was_booked_before_the_opening_is_not_counted_twice(order, account, funded):
    """The statement shows a fill already that was booked before the account was opened."""
    book_fills(order=order, fills=[make_fill(order)])

    ensure_opened(account_id=account.pk)

    assert compare_with_venue(account_id=account.pk) == []


def test_of_two_openings_at_once_the_first_one_counts(account, funded):
    def open_meanwhile(name):
        if name == "fetch_balances:funding":
            funded.on_call = lambda _name: None
            ensure_opened(account_id=account.pk)

    funded.on_call = open_meanwhile

    ensure_opened(account_id=account.pk)

    assert Entry.objects.count() == 1
    assert wallet_balances(account.pk)["USDT"] == D(1000)


def test_a_venue_without_a_funding_wallet_is_opened_by_its_spot_wallet(account, funded):
    funded.failures["fetch_balances"] = []
    funded.on_call = _refuse_funding

    ensure_opened(account_id=account.pk)

    assert holdings(account).keys() == {(Wallet.SPOT, "BTC"), (Wallet.SPOT, "USDT")}


@pytest.mark.parametrize("wallet", ["spot", "funding"])
def test_a_failed_read_opens_nothing(account, funded, wallet):
    def fail(name):
        if name == f"fetch_balances:{wallet}":
            raise VenueUnavailable(venue="alpha", cause="timeout")

    funded.on_call = fail

    with pytest.raises(VenueUnavailable):
        ensure_opened(account_id=account.pk)

    assert not Entry.objects.exists()


def test_a_disabled_or_missing_account_is_not_opened(account, venue):
    VenueAccount.objects.update(is_enabled=False)

    with pytest.raises(AccountDisabled):
        ensure_opened(account_id=account.pk)
    with pytest.raises(AccountNotFound):
        ensure_opened(account_id=account.pk + 1)

    assert venue.calls == []


# comparing ------------------------------------------------------------------------------------


@pytest.fixture
def opened(account, funded):
    """Books that were just opened."""
    ensure_opened(account_id=account.pk)
    return account


def test_books_and_statement_agree_after_the_opening(opened):
    assert compare_with_venue(account_id=opened.pk) == []


def test_every_difference_is_shown_to_the_last_decimal(opened, funded):
    funded.balances[Wallet.SPOT]["BTC"] -= D("0.000000000000000001")
    funded.balances[Wallet.FUNDING] = {"DOGE": D(3)}

    found = compare_with_venue(account_id=opened.pk)

    assert found == [
        Difference(Wallet.FUNDING, "DOGE", D(0), D(3)),
        Difference(Wallet.FUNDING, "USDT", D(7), D(0)),
        Difference(Wallet.SPOT, "BTC", D("0.123456789012345678"), D("0.123456789012345677")),
    ]
    assert found[2].gap == D("-0.000000000000000001")


def _refuse_funding(name):
    if name == "fetch_balances:funding":
        raise NotSupportedByVenue(venue="alpha", cause="no funding wallet")


def test_of_a_wallet_that_the_venue_does_not_show_nothing_is_concluded(opened, funded):
    funded.on_call = _refuse_funding

    assert compare_with_venue(account_id=opened.pk) == []


def test_a_failed_read_is_not_a_difference(opened, funded):
    funded.failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    with pytest.raises(VenueUnavailable):
        compare_with_venue(account_id=opened.pk)


def test_a_booking_during_the_read_makes_it_be_read_again(opened, funded, make_plan):
    (order,) = write_orders(plans=[make_plan(quantity=D("0.01"))])
    calls_before = funded.calls.count("fetch_balances:spot")

    # the statement of the spot wallet is read just before the trade
    def trade_between(name):
        """Trade when the spot wallet was read already and the funding wallet is next."""
        if name == "fetch_balances:funding":
            funded.on_call = lambda _name: None
            funded.balances[Wallet.SPOT]["BTC"] += D("0.00999")
            funded.balances[Wallet.SPOT]["USDT"] -= D(600)
            book_fills(order=order, fills=[make_fill(order)])

    funded.on_call = trade_between

    assert compare_with_venue(account_id=opened.pk) == []
    assert funded.calls.count("fetch_balances:spot") - calls_before == 2


def test_a_movement_that_a_person_made_can_be_adopted(opened, funded, clock):
    funded.balances[Wallet.SPOT]["USDT"] += D(500)

    entry = adopt_difference(
        account_id=opened.pk,
        wallet=Wallet.SPOT,
        asset="USDT",
        memo="deposit by hand",
        clock=clock,
    )

    assert (entry.kind, entry.memo) == (EntryKind.EXTERNAL, "deposit by hand")
    assert compare_with_venue(account_id=opened.pk) == []
    assert imbalances() == {}


def test_where_books_and_venue_agree_nothing_is_adopted(opened, funded):
    funded.balances[Wallet.SPOT]["USDT"] += D(500)

    with pytest.raises(NoDifference):
        adopt_difference(account_id=opened.pk, wallet=Wallet.SPOT, asset="BTC", memo="?")

    assert Entry.objects.count() == 1
