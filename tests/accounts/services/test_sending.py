"""Sending a transfer once."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from accounts.domain.transfers import REQUEST_MAX_AGE, TransferState
from accounts.errors import (
    AccountDisabled,
)
from accounts.models import VenueAccount
from accounts.services.transfers import (
    poll_transfer,
    poll_transfers,
    submit_transfer,
)
from markets.domain.funds import Wallet
from markets.errors import (
    VenueRejected,
    VenueUnavailable,
)
from tests.accounts.fakes import DONE, PENDING

S = TransferState


def test_a_withdrawal_is_sent_once_with_our_client_id(ask, alpha, now, commit):
    asked = ask()
    with commit() as sent_tasks:
        transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.venue_transfer_id) == (S.SUBMITTED, "alpha-x1")
    assert (transfer.submitted_at, transfer.fee) == (now.now(), None)
    assert [row.client_transfer_id for row in alpha[1].withdrawals] == [asked.client_transfer_id]
    assert sent_tasks[-1:] == [("ledger.book_transfer", {"transfer_id": asked.pk})]

    assert submit_transfer(transfer_id=asked.pk, clock=now) == transfer
    assert alpha[1].count("withdraw") == 1


def test_a_transfer_between_wallets_arrives_at_once(ask_inside, alpha, now, commit):
    asked = ask_inside()
    with commit() as sent_tasks:
        transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.arrived_at) == (S.ARRIVED, now.now())
    assert (transfer.fee, transfer.arrived_amount) == (D(0), D("0.5"))
    assert alpha[1].wallets[Wallet.FUNDING] == {"BTC": D("0.5")}
    assert sent_tasks[-2:] == [
        ("ledger.book_transfer", {"transfer_id": asked.pk}),
        ("accounts.sync_balances", {"account_id": alpha[0].pk}),
    ]


def test_a_transfer_between_wallets_may_take_its_time(ask_inside, alpha, now):
    alpha[1].status_of_transfers = PENDING
    transfer = submit_transfer(transfer_id=ask_inside().pk, clock=now)
    assert transfer.state == S.SUBMITTED

    alpha[1].wallet_transfers[0] = replace(alpha[1].wallet_transfers[0], status=DONE)

    assert poll_transfer(transfer_id=transfer.pk, clock=now).state == S.ARRIVED


@pytest.mark.parametrize("error", [VenueRejected, VenueUnavailable])
def test_a_definite_refusal_is_a_failure_with_its_cause(ask, alpha, now, error):
    alpha[1].failures["withdraw"] = [error(venue="alpha", cause="closed")]

    transfer = submit_transfer(transfer_id=ask().pk, clock=now)

    assert (transfer.state, transfer.error_code) == (S.FAILED, error.code)
    assert "closed" in str(transfer.to_error())
    assert (transfer.next_lookup_at, poll_transfers(clock=now)) == (None, 0)
    assert alpha[1].count("withdraw") == 1


def test_an_account_that_was_disabled_after_the_request_sends_nothing(ask, alpha, now, is_unsent):
    asked = ask()
    VenueAccount.objects.filter(pk=alpha[0].pk).update(is_enabled=False)

    transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.error_code) == (S.FAILED, AccountDisabled.code)
    assert is_unsent()


def test_a_request_that_waited_too_long_is_not_sent(ask, alpha, now, is_unsent):
    asked = ask()
    now.advance_ms(int(REQUEST_MAX_AGE.total_seconds() * 1000) + 60_000)

    transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.error_code) == (S.FAILED, 3009)
    assert is_unsent()
