"""Copying balances from the venues."""

from decimal import Decimal as D

import pytest

from accounts.errors import AccountDisabled, AccountNotFound
from accounts.models import Balance, VenueAccount
from accounts.selectors import free_balances, list_syncable_account_ids
from accounts.services.balances import sync_balances
from markets.domain.funds import Wallet
from markets.errors import NotSupportedByVenue, VenueAuthFailed, VenueUnavailable
from markets.models import Asset, Venue


def stored(account):
    rows = Balance.objects.filter(account=account).order_by("wallet", "asset__code")
    return [
        (row.wallet, row.asset.code, row.free, row.held) for row in rows.select_related("asset")
    ]


def test_every_wallet_and_asset_is_stored_to_the_last_digit(alpha, now):
    account, fake = alpha
    fake.wallets = {
        Wallet.SPOT: {"USDT": D("10000000.000000000000000001"), "NEW": D(1)},
        Wallet.FUNDING: {"BTC": D("0.1")},
    }
    fake.held = {"USDT": D("2.5")}

    rows = sync_balances(account_id=account.pk, clock=now)

    assert stored(account) == [
        ("funding", "BTC", D("0.1"), D(0)),
        ("spot", "NEW", D(1), D(0)),
        ("spot", "USDT", D("10000000.000000000000000001"), D("2.5")),
    ]
    assert [row.pk for row in rows] == list(
        Balance.objects.order_by("account_id", "wallet", "asset_id").values_list("pk", flat=True)
    )
    account.refresh_from_db()
    assert (account.synced_at, account.sync_error_code, account.sync_error) == (
        now.now(),
        None,
        "",
    )
    assert Asset.objects.filter(code="NEW").count() == 1


def test_an_asset_that_the_venue_does_not_name_any_more_becomes_zero(alpha, beta, now):
    account, fake = alpha
    sync_balances(account_id=account.pk, clock=now)
    sync_balances(account_id=beta[0].pk, clock=now)
    del fake.wallets[Wallet.SPOT]["BTC"]
    fake.wallets[Wallet.SPOT]["USDT"] = D(7)
    now.advance_ms(1000)

    sync_balances(account_id=account.pk, clock=now)

    assert stored(account) == [("spot", "BTC", D(0), D(0)), ("spot", "USDT", D(7), D(0))]
    assert set(Balance.objects.filter(account=account).values_list("synced_at", flat=True)) == {
        now.now()
    }
    assert stored(beta[0]) == [("spot", "BTC", D(2), D(0)), ("spot", "USDT", D(100_000), D(0))]


def test_a_failed_read_changes_no_balance_and_is_kept_as_the_cause(alpha, now):
    account, fake = alpha
    sync_balances(account_id=account.pk, clock=now)
    before = stored(account)
    first_sync = now.now()
    now.advance_ms(1000)
    fake.failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="timed out")]

    with pytest.raises(VenueUnavailable):
        sync_balances(account_id=account.pk, clock=now)

    account.refresh_from_db()
    assert stored(account) == before
    assert (account.synced_at, account.sync_error_code) == (first_sync, VenueUnavailable.code)
    assert "timed out" in str(account.to_sync_error())


@pytest.mark.parametrize("refusal", [NotSupportedByVenue, VenueAuthFailed])
def test_a_funding_wallet_that_is_not_shown_leaves_the_spot_wallet_synchronised(
    alpha, now, refusal
):
    account, fake = alpha
    fake.failures["fetch_balances:funding"] = [refusal(venue="alpha", cause="no")]

    sync_balances(account_id=account.pk, clock=now)

    account.refresh_from_db()
    assert len(stored(account)) == 2
    assert (account.synced_at, account.sync_error_code) == (now.now(), None)


def test_a_funding_wallet_that_cannot_be_read_is_an_error_and_keeps_its_balances(alpha, now):
    account, fake = alpha
    fake.wallets[Wallet.FUNDING] = {"BTC": D(3)}
    sync_balances(account_id=account.pk, clock=now)
    now.advance_ms(1000)
    fake.wallets = {Wallet.SPOT: {"BTC": D(5)}, Wallet.FUNDING: {}}
    fake.failures["fetch_balances:funding"] = [VenueUnavailable(venue="alpha", cause="gone")]

    with pytest.raises(VenueUnavailable):
        sync_balances(account_id=account.pk, clock=now)

    assert stored(account) == [
        ("funding", "BTC", D(3), D(0)),
        ("spot", "BTC", D(5), D(0)),
        ("spot", "USDT", D(0), D(0)),
    ]


def test_an_older_answer_does_not_replace_a_newer_one(alpha, now):
    account, fake = alpha
    sync_balances(account_id=account.pk, clock=now)
    before = stored(account)
    now.advance_ms(-1000)
    fake.wallets[Wallet.SPOT] = {"BTC": D(9)}

    sync_balances(account_id=account.pk, clock=now)

    assert stored(account) == before


def test_the_venue_is_asked_outside_of_any_transaction(make_account, outside_transactions):
    account, fake = make_account("alpha")
    fake.on_call = outside_transactions

    sync_balances(account_id=account.pk)

    assert fake.calls == ["fetch_balances", "fetch_balances"]


def test_disabled_and_unknown_accounts_are_refused_unasked(alpha):
    account, fake = alpha
    VenueAccount.objects.update(is_enabled=False)

    with pytest.raises(AccountDisabled):
        sync_balances(account_id=account.pk)
    with pytest.raises(AccountNotFound):
        sync_balances(account_id=account.pk + 1)

    assert (fake.calls, stored(account)) == ([], [])


def test_free_spot_balances_are_told_by_venue_and_asset(alpha, beta, make_account):
    second, fake = make_account("alpha", label="second")
    fake.wallets = {Wallet.SPOT: {"BTC": D("0.5")}, Wallet.FUNDING: {"BTC": D(100)}}
    alpha[1].held = {"USDT": D(1)}
    for account in (alpha[0], beta[0], second):
        sync_balances(account_id=account.pk)

    assert free_balances([alpha[0].pk, beta[0].pk]) == {
        ("alpha", "BTC"): D(2),
        ("alpha", "USDT"): D(100_000),
        ("beta", "BTC"): D(2),
        ("beta", "USDT"): D(100_000),
    }
    assert free_balances([alpha[0].pk, second.pk])["alpha", "BTC"] == D("2.5")
    assert free_balances([]) == {}


def test_a_refused_key_is_left_alone_until_a_person_acts(alpha, beta, make_account):
    off, _fake = make_account("gamma", is_enabled=False)
    gone, _fake = make_account("delta")
    Venue.objects.filter(code="delta").update(is_enabled=False)
    alpha[1].failures["fetch_balances"] = [VenueAuthFailed(venue="alpha", cause="revoked")]
    with pytest.raises(VenueAuthFailed):
        sync_balances(account_id=alpha[0].pk)

    assert list_syncable_account_ids() == [beta[0].pk]
    assert {off.pk, gone.pk}.isdisjoint(list_syncable_account_ids())

    sync_balances(account_id=alpha[0].pk)
    assert list_syncable_account_ids() == [alpha[0].pk, beta[0].pk]
