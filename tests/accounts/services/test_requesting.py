"""Writing down what is asked for, if it can be carried out."""

from decimal import Decimal as D

import pytest

from accounts.domain.transfers import TransferState
from accounts.errors import (
    AccountDisabled,
    AccountNotFound,
    BalanceTooLow,
    IdempotencyConflict,
    InvalidTransfer,
)
from accounts.models import Transfer, VenueAccount
from accounts.services.requests import request_transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from arbplatform.core.errors import InvalidInput, NotFound
from markets.domain.funds import DepositAddress, Wallet
from markets.errors import (
    NotSupportedByVenue,
    VenueDisabled,
    VenueRejected,
    VenueUnavailable,
)
from markets.models import Venue

S = TransferState


def test_a_request_is_written_down_before_anything_is_sent(ask, alpha, beta, commit, is_unsent):
    with commit() as sent_tasks:
        transfer = ask()

    stored = Transfer.objects.get()
    assert stored == transfer
    assert (stored.state, stored.amount, stored.asset.code) == (S.REQUESTED, D("0.5"), "BTC")
    assert (stored.address, stored.tag, stored.network) == ("beta-BTC-address", "", "BTC")
    assert (stored.idempotency_key, stored.requested_by) == ("key-1", None)
    assert (len(stored.client_transfer_id), stored.client_transfer_id[:8]) == (24, "arbtests")
    assert is_unsent()
    assert sent_tasks == [
        ("ledger.open_account", {"account_id": alpha[0].pk}),
        ("ledger.open_account", {"account_id": beta[0].pk}),
        ("accounts.submit_transfer", {"transfer_id": stored.pk}),
    ]


def test_a_request_remembers_who_asked(ask, superuser):
    ask(user=superuser)

    assert Transfer.objects.get().requested_by == superuser


def test_the_same_request_under_the_same_key_is_the_same_transfer(ask, alpha):
    first = ask()
    alpha[1].calls.clear()

    assert ask() == first
    assert ask(amount=D("0.50")) == first
    assert (Transfer.objects.count(), alpha[1].calls) == (1, [])


def test_the_same_request_is_known_also_after_it_was_carried_out(ask, alpha, now):
    first = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].wallets[Wallet.SPOT]["BTC"] = D(0)

    assert ask().pk == first.pk
    assert alpha[1].count("withdraw") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": D("0.6")},
        {"asset": "USDT"},
        {"to_account_id": None, "to_wallet": Wallet.FUNDING},
        {"network": "LIGHTNING"},
    ],
)
def test_another_request_under_a_used_key_is_refused(ask, change):
    ask()

    with pytest.raises(IdempotencyConflict):
        ask(**change)

    assert Transfer.objects.count() == 1


def test_a_key_that_another_process_used_at_the_same_moment_is_adopted(ask, alpha, beta):
    twin: list[Transfer | None] = []

    def race(name):
        if name == "fetch_balances" and not twin:
            twin.append(None)
            twin[0] = ask()

    alpha[1].on_call = race

    assert ask() == twin[0]
    assert Transfer.objects.count() == 1


def test_different_keys_are_different_transfers(ask):
    ids = {ask(idempotency_key=f"key-{n}").client_transfer_id for n in range(3)}

    assert (len(ids), Transfer.objects.count()) == (3, 3)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"amount": D(0)}, InvalidInput),
        ({"amount": D(-1)}, InvalidInput),
        ({"amount": D("NaN")}, InvalidInput),
        ({"amount": D("Infinity")}, InvalidInput),
        ({"amount": D("1E-19")}, InvalidInput),
        ({"amount": D("1E22")}, InvalidInput),
        ({"idempotency_key": " "}, InvalidInput),
        ({"idempotency_key": "k" * 65}, InvalidInput),
        ({"asset": "DOGE"}, NotFound),
        ({"from_account_id": 10**6}, AccountNotFound),
        ({"to_account_id": 10**6}, AccountNotFound),
        ({"to_account_id": 0}, AccountNotFound),
        ({"from_wallet": Wallet.FUNDING}, InvalidTransfer),
        ({"to_wallet": Wallet.FUNDING}, InvalidTransfer),
        ({"to_account_id": None}, InvalidTransfer),
    ],
)
def test_senseless_requests_are_refused_before_a_venue_is_asked(ask, alpha, beta, change, error):
    with pytest.raises(error):
        ask(**change)

    assert (Transfer.objects.count(), alpha[1].calls, beta[1].calls) == (0, [], [])


@pytest.mark.parametrize("side", [0, 1])
def test_disabled_accounts_take_no_part(ask, alpha, beta, side, is_unsent):
    VenueAccount.objects.filter(pk=(alpha, beta)[side][0].pk).update(is_enabled=False)

    with pytest.raises(AccountDisabled):
        ask()

    assert (Transfer.objects.count(), is_unsent()) == (0, True)


def test_disabled_venues_take_no_part(ask):
    Venue.objects.filter(code="beta").update(is_enabled=False)

    with pytest.raises(VenueDisabled):
        ask()

    assert not Transfer.objects.exists()


@pytest.mark.parametrize(("free", "is_enough"), [("0.5", True), ("0.49999999", False)])
def test_what_is_free_at_the_venue_now_decides(ask, alpha, free, is_enough):
    alpha[1].wallets[Wallet.SPOT]["BTC"] = D(free)
    alpha[1].held["BTC"] = D(10)

    if is_enough:
        ask()
    else:
        with pytest.raises(BalanceTooLow) as refusal:
            ask()
        assert str(refusal.value) == (
            "alpha/main has 0.49999999 BTC free in its spot wallet, but 0.5 were asked for. "
            "Ask for less."
        )
    assert Transfer.objects.count() == is_enough


def test_an_asset_that_the_account_does_not_hold_is_not_enough(ask, assets):
    with pytest.raises(BalanceTooLow, match="has 0 XRP free"):
        ask(asset="XRP")


def test_a_venue_that_does_not_tell_is_an_error_and_nothing_is_written(ask, alpha):
    alpha[1].failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="down")]

    with pytest.raises(VenueUnavailable):
        ask()

    assert not Transfer.objects.exists()


def test_a_tag_is_taken_along(ask, alpha, beta, now):
    alpha[1].wallets[Wallet.SPOT]["XRP"] = D(100)
    beta[1].addresses["XRP"] = DepositAddress("XRP", "shared", tag="42", network="XRP")

    transfer = submit_transfer(transfer_id=ask(asset="XRP").pk, clock=now)

    assert (transfer.address, transfer.tag, transfer.network) == ("shared", "42", "XRP")
    sent = alpha[1].withdrawals[0]
    assert (sent.address, sent.tag) == ("shared", "42")


def test_a_missing_tag_stops_the_transfer(ask, alpha):
    alpha[1].wallets[Wallet.SPOT]["XRP"] = D(100)

    with pytest.raises(InvalidTransfer, match="needs a tag"):
        ask(asset="XRP")

    assert not Transfer.objects.exists()


def test_an_address_on_another_network_stops_the_transfer(ask, beta):
    beta[1].addresses["BTC"] = DepositAddress("BTC", "there", network="BEP20")

    with pytest.raises(InvalidTransfer, match="beta gave an address on BEP20 instead of BTC"):
        ask(network="BTC")

    assert not Transfer.objects.exists()


def test_a_network_that_the_source_does_not_know_stops_the_transfer(ask, alpha):
    alpha[1].failures["fetch_deposit_address"] = [VenueRejected(venue="alpha", cause="what?")]

    with pytest.raises(InvalidTransfer, match="alpha does not know the network"):
        ask(network="BTC")

    assert not Transfer.objects.exists()


def test_a_source_without_deposit_addresses_may_still_send(ask, alpha):
    alpha[1].failures["fetch_deposit_address"] = [NotSupportedByVenue(venue="alpha", cause="-")]

    assert ask(network="BTC").network == "BTC"


def test_venues_of_different_kinds_that_list_no_networks_need_a_named_one(ask, alpha, beta):
    Venue.objects.filter(code="beta").update(ccxt_id="okx")
    alpha[1].networks["BTC"] = beta[1].networks["BTC"] = []

    with pytest.raises(InvalidTransfer, match="State the network"):
        ask()

    assert ask(network="BTC").network == "BTC"


def test_two_accounts_behind_one_address_are_one(ask, alpha, beta):
    for _account, fake in (alpha, beta):
        fake.addresses["BTC"] = DepositAddress("BTC", "the same")

    with pytest.raises(InvalidTransfer, match="same deposit address"):
        ask()

    assert not Transfer.objects.exists()


def test_two_accounts_at_one_venue_may_send_each_other(ask, make_account):
    second, _fake = make_account("alpha", label="second")
    _fake.addresses["BTC"] = DepositAddress("BTC", "another")

    assert ask(to_account_id=second.pk).address == "another"


def test_venues_are_asked_outside_of_any_transaction(
    transactional_db, outside_transactions, make_account, now
):
    alpha, beta = make_account("alpha"), make_account("beta")
    for _account, fake in (alpha, beta):
        fake.on_call = outside_transactions

    transfer = request_transfer(
        from_account_id=alpha[0].pk,
        to_account_id=beta[0].pk,
        from_wallet=Wallet.SPOT,
        to_wallet=Wallet.SPOT,
        asset="BTC",
        amount=D(1),
        idempotency_key="k",
        clock=now,
    )
    submit_transfer(transfer_id=transfer.pk, clock=now)
    alpha[1].depart()
    beta[1].receive(alpha[1])
    now.advance_ms(10_000)

    assert poll_transfer(transfer_id=transfer.pk, clock=now).state == S.ARRIVED
    assert alpha[1].calls == [
        "fetch_balances",
        "fetch_networks",
        "fetch_deposit_address",
        "fetch_ticker",
        "fetch_networks",
        "withdraw",
        "fetch_withdrawals",
    ]
