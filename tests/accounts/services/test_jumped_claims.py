"""Transfers that were claimed while this machine's clock was ahead: they bear a time to come."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from accounts.domain.transfers import LOOKUP_DELAY_MAX_S, TransferState
from accounts.models import Transfer
from accounts.services.progress import claim
from accounts.services.transfers import poll_transfer, poll_transfers, submit_transfer
from markets.domain.funds import VenueTransfer
from markets.errors import OutcomeUnknown
from tests.accounts.fakes import DONE
from tests.jumping import JumpingClock

S = TransferState
HOUR_MS = 3_600_000
JUMPS = [10 * 60_000, 5 * HOUR_MS, 23 * HOUR_MS]


@pytest.fixture
def clock(now):
    """Our clock; venues go by ``at_ms``, which is the true time."""
    return JumpingClock(at_ms=now.at_ms)


@pytest.fixture
def lost(ask, alpha, clock):
    """A withdrawal that left with a clock that was ahead, and whose reply was lost."""

    def send(jump_ms):
        transfer = ask()
        # as the venues are asked for the last time before the claim
        alpha[1].on_call = lambda name: clock.jump_ms(jump_ms * (name == "fetch_networks"))
        alpha[1].now_ms = clock.at_ms
        alpha[1].late_failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
        return submit_transfer(transfer_id=transfer.pk, clock=clock)

    return send


def follow(clock, minutes):
    """Poll what is due until the time is over."""
    for _step in range(minutes * 12):
        poll_transfers(clock=clock)
        clock.advance_ms(5_000)
    return Transfer.objects.get()


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_it_is_found_while_the_clock_is_ahead(lost, clock, jump_ms):
    lost(jump_ms)

    assert follow(clock, minutes=1).state == S.SUBMITTED


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_it_is_found_once_the_clock_is_right_again(lost, clock, jump_ms):
    lost(jump_ms)
    clock.jump_ms(-jump_ms)

    found = follow(clock, minutes=1)

    assert found.state == S.SUBMITTED
    assert found.submitted_at <= clock.now()


def test_its_deposit_is_found_as_well(lost, alpha, beta, clock):
    lost(5 * HOUR_MS)
    alpha[1].depart()
    beta[1].now_ms = clock.at_ms
    beta[1].receive(alpha[1])

    assert follow(clock, minutes=1).state == S.ARRIVED


def test_between_wallets_what_may_be_it_speaks_against_absence(ask_inside, alpha, clock):
    """Nothing but amount and time tells such a record, and the time is not known."""
    transfer = ask_inside()
    clock.jump_ms(JUMPS[0])
    alpha[1].now_ms = clock.at_ms
    alpha[1].late_failures["transfer"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    submit_transfer(transfer_id=transfer.pk, clock=clock)

    found = follow(clock, minutes=40)

    assert found.state == S.UNKNOWN
    assert found.alarmed_at is not None
    alpha[1].wallet_transfers.clear()
    assert follow(clock, minutes=2).state == S.FAILED


def test_without_the_sources_record_a_deposit_speaks_against_absence(lost, alpha, beta, clock):
    lost(5 * HOUR_MS)
    alpha[1].withdrawals.clear()
    deposit = VenueTransfer(
        venue_transfer_id="d1",
        asset="BTC",
        amount=D("0.4999"),
        fee=None,
        status=DONE,
        tx_id="tx-9",
        address="beta-BTC-address",
        updated_at_ms=clock.at_ms,
    )
    beta[1].deposits = [deposit]

    assert follow(clock, minutes=40).state == S.UNKNOWN


def test_what_bears_no_id_of_ours_is_still_told_by_its_time(lost, alpha, clock):
    transfer = lost(0)
    record = alpha[1].withdrawals[0]
    earlier = clock.at_ms - HOUR_MS
    alpha[1].withdrawals = [replace(record, client_transfer_id=None, updated_at_ms=earlier)]

    assert poll_transfer(transfer_id=transfer.pk, clock=clock).state == S.UNKNOWN


def test_its_sender_is_given_up_for_dead_although_its_time_is_still_to_come(ask, clock):
    asked = ask()
    clock.jump_ms(5 * HOUR_MS)
    assert claim(transfer_id=asked.pk, clock=clock)
    clock.jump_ms(-5 * HOUR_MS)
    assert poll_transfers(clock=clock) == 1

    assert Transfer.objects.get().state == S.UNKNOWN


def test_clocks_of_machines_that_differ_a_little_take_nobodys_turn(ask, clock):
    asked = ask()
    clock.jump_ms(LOOKUP_DELAY_MAX_S * 1000)
    assert claim(transfer_id=asked.pk, clock=clock)
    clock.jump_ms(-LOOKUP_DELAY_MAX_S * 1000)

    assert poll_transfers(clock=clock) == 0
    assert poll_transfer(transfer_id=asked.pk, clock=clock).state == S.SUBMITTING
