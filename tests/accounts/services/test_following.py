"""Following funds until they have arrived."""

from dataclasses import replace
from decimal import Decimal as D

from accounts.domain.transfers import TransferState
from accounts.models import VenueAccount
from accounts.services.transfers import (
    poll_transfer,
    submit_transfer,
)
from tests.accounts.fakes import DONE, FAILED, PENDING

S = TransferState


def test_a_withdrawal_is_followed_until_it_is_credited_at_the_other_venue(
    ask, alpha, beta, now, commit
):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)

    def poll():
        return poll_transfer(transfer_id=transfer.pk, clock=now)

    assert (poll().state, poll().fee) == (S.SUBMITTED, D("0.0001"))

    alpha[1].depart("0xFEED")
    with commit() as sent_tasks:
        assert (poll().state, poll().tx_id) == (S.IN_TRANSIT, "0xFEED")
    assert sent_tasks == [("ledger.book_transfer", {"transfer_id": transfer.pk})]

    beta[1].receive(alpha[1])
    beta[1].deposits[0] = replace(beta[1].deposits[0], tx_id="feed", status=PENDING)
    assert poll().state == S.IN_TRANSIT

    beta[1].deposits[0] = replace(beta[1].deposits[0], status=DONE)
    with commit() as sent_tasks:
        arrived = poll()
    assert (arrived.state, arrived.arrived_at) == (S.ARRIVED, now.now())
    assert (arrived.arrived_amount, arrived.fee) == (D("0.4999"), D("0.0001"))
    assert (arrived.venue_deposit_id, arrived.next_lookup_at) == ("beta-d1", None)
    assert sent_tasks == [
        ("ledger.book_transfer", {"transfer_id": transfer.pk}),
        ("accounts.sync_balances", {"account_id": alpha[0].pk}),
        ("accounts.sync_balances", {"account_id": beta[0].pk}),
    ]

    calls = (list(alpha[1].calls), list(beta[1].calls))
    assert poll() == arrived
    assert (alpha[1].calls, beta[1].calls) == calls


def test_another_amount_than_expected_is_recorded_and_waits_for_a_person(ask, alpha, beta, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].depart()
    beta[1].receive(alpha[1], amount=D("0.45"))

    transfer = poll_transfer(transfer_id=transfer.pk, clock=now)

    assert (transfer.state, transfer.arrived_amount) == (S.DISPUTED, D("0.45"))
    assert transfer.fee == D("0.0001")


def test_a_fee_that_the_venue_does_not_state_is_what_did_not_arrive(ask, alpha, beta, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].depart()
    beta[1].receive(alpha[1])
    alpha[1].withdrawals[0] = replace(alpha[1].withdrawals[0], fee=None)

    assert poll_transfer(transfer_id=transfer.pk, clock=now).fee == D("0.0001")


def test_a_venue_that_settles_without_a_network_is_matched_by_amount(ask, alpha, beta, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].withdrawals[0] = replace(alpha[1].withdrawals[0], status=DONE)
    assert poll_transfer(transfer_id=transfer.pk, clock=now).state == S.IN_TRANSIT
    beta[1].receive(alpha[1])

    assert poll_transfer(transfer_id=transfer.pk, clock=now).state == S.ARRIVED


def test_one_deposit_ends_only_one_of_two_equal_transfers(ask, alpha, beta, now):
    both = [submit_transfer(transfer_id=ask(idempotency_key=k).pk, clock=now) for k in "ab"]
    alpha[1].withdrawals = [replace(r, status=DONE) for r in alpha[1].withdrawals]
    beta[1].receive(alpha[1])

    states = [poll_transfer(transfer_id=transfer.pk, clock=now).state for transfer in both]

    assert states == [S.ARRIVED, S.IN_TRANSIT]


def test_a_withdrawal_that_the_venue_fails_later_is_told(ask, alpha, beta, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].withdrawals[0] = replace(alpha[1].withdrawals[0], status=FAILED)

    transfer = poll_transfer(transfer_id=transfer.pk, clock=now)

    assert (transfer.state, transfer.error_code) == (S.FAILED, 3011)
    assert beta[1].count("fetch_deposits") == 0


def test_a_transfer_between_wallets_that_the_venue_fails_is_told(ask_inside, alpha, now):
    alpha[1].status_of_transfers = FAILED

    transfer = submit_transfer(transfer_id=ask_inside().pk, clock=now)

    assert (transfer.state, transfer.error_code) == (S.FAILED, 3011)


def test_what_was_accepted_is_not_doubted_when_a_history_lags(ask, alpha, now, poll_for):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].withdrawals.clear()

    transfer = poll_for(transfer, hours=2)

    assert (transfer.state, transfer.error) == (S.SUBMITTED, "")


def test_funds_on_their_way_are_followed_also_when_accounts_are_switched_off(ask, alpha, beta, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].depart()
    beta[1].receive(alpha[1])
    VenueAccount.objects.update(is_enabled=False)

    assert poll_transfer(transfer_id=transfer.pk, clock=now).state == S.ARRIVED
