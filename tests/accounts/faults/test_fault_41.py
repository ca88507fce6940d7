"""What a key may do is asked when it is saved: one that may withdraw is refused, and its account
disabled, unless transfers are switched on for that account; a key without the right to trade is
told apart."""

import pytest

from accounts.errors import TransfersOff, WithdrawRightRefused
from accounts.models import Transfer, VenueAccount
from accounts.services import accounts
from accounts.services.transfers import submit_transfer
from markets.domain.funds import PermissionFinding
from markets.models import Venue

MAY_WITHDRAW = [PermissionFinding("read", True), PermissionFinding("withdraw", True)]


@pytest.fixture
def harsh(alpha):
    """Alpha is a real venue, and its key may withdraw."""
    Venue.objects.update(rest_origin="")
    alpha[1].findings = MAY_WITHDRAW
    return alpha[0]


def test_saving_a_key_has_it_probed(alpha, world, commit):
    world.by_key["a-new-key-0123456789"] = alpha[1]

    with commit() as sent_tasks:
        account = accounts.create_account(
            venue=alpha[0].venue, label="new", api_key="a-new-key-0123456789", api_secret="s"
        )

    assert sent_tasks == [("accounts.test_connection", {"account_id": account.pk})]


def test_a_key_that_may_withdraw_is_refused_and_its_account_disabled(harsh):
    with pytest.raises(WithdrawRightRefused):
        accounts.test_connection(account_id=harsh.pk)

    stored = VenueAccount.objects.get()
    assert (stored.is_enabled, stored.test_error_code) == (False, WithdrawRightRefused.code)
    assert "may withdraw" in str(stored.to_test_error())


def test_such_an_account_cannot_be_enabled_again_by_the_switch(harsh):
    with pytest.raises(WithdrawRightRefused):
        accounts.test_connection(account_id=harsh.pk)

    with pytest.raises(WithdrawRightRefused):
        accounts.update_account(account_id=harsh.pk, is_enabled=True)

    assert not VenueAccount.objects.get().is_enabled


def test_switching_transfers_on_lets_the_key_pass_and_off_takes_that_back(harsh):
    accounts.update_account(account_id=harsh.pk, allows_transfers=True)
    assert accounts.test_connection(account_id=harsh.pk).account.is_enabled

    with pytest.raises(WithdrawRightRefused):
        accounts.update_account(account_id=harsh.pk, allows_transfers=False)

    assert VenueAccount.objects.get().allows_transfers


@pytest.mark.parametrize("granted", [False, None])
def test_a_key_that_may_not_withdraw_passes(harsh, alpha, granted):
    alpha[1].findings = [PermissionFinding("withdraw", granted)]

    assert accounts.test_connection(account_id=harsh.pk).account.is_enabled


def test_keys_of_simulated_venues_may_withdraw(alpha):
    alpha[1].findings = MAY_WITHDRAW

    assert accounts.test_connection(account_id=alpha[0].pk).account.is_enabled


def test_a_key_that_may_not_trade_is_told(alpha):
    alpha[1].findings = [PermissionFinding("trade", False)]

    (warning,) = accounts.test_connection(account_id=alpha[0].pk).warnings
    assert str(warning).startswith("This key may not trade")


def test_nothing_is_sent_from_an_account_whose_transfers_are_off(
    real, ask, *, approve, alpha, now, is_unsent
):
    approve()
    asked = ask()
    VenueAccount.objects.filter(pk=alpha[0].pk).update(allows_transfers=False)

    transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.error_code) == ("failed", TransfersOff.code)
    with pytest.raises(TransfersOff):
        ask(idempotency_key="key-2")
    assert (Transfer.objects.count(), is_unsent()) == (1, True)
