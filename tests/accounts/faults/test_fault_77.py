"""A deposit is matched by the network's id; another amount than was sent, or none at all, waits for
two people who say what arrived and why, and the ledger books the rest as a loss."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from accounts.domain.transfers import TransferState
from accounts.errors import ArrivalDiffers, SecondPersonNeeded
from accounts.models import Transfer
from accounts.selectors import count_alarms
from accounts.services.settlement import confirm_settlement, settle_transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from arbplatform.core.errors import IllegalTransition, InvalidInput
from ledger.models import Entry, EntryKind
from ledger.selectors import imbalances
from ledger.services.transfers import book_transfer
from markets.models import Venue

S = TransferState


@pytest.fixture
def on_its_way(ask, alpha, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].depart("tx-7")
    now.advance_ms(2_000)
    return poll_transfer(transfer_id=transfer.pk, clock=now)


@pytest.fixture
def real_pair(on_its_way):
    """The transfer's venues are real ones."""
    Venue.objects.update(rest_origin="")


@pytest.fixture
def credit(on_its_way, alpha, beta, now):
    """Let beta credit an amount, and look."""

    def run(amount):
        beta[1].receive(alpha[1], amount=D(amount))
        now.advance_ms(2_000)
        return poll_transfer(transfer_id=on_its_way.pk, clock=now)

    return run


def lines(transfer):
    entry = Entry.objects.get(transfer_id=transfer.pk, kind=EntryKind.TRANSFER_IN)
    return entry.memo, {
        posting.book: posting.amount for posting in entry.postings.all() if posting.amount
    }


@pytest.mark.parametrize("amount", ["0.4", "0.49989999", "0.5", "0.4999001"])
def test_another_amount_waits_for_a_person(credit, now, amount):
    found = credit(amount)

    assert (found.state, found.error_code) == (S.DISPUTED, ArrivalDiffers.code)
    assert (found.arrived_amount, found.venue_deposit_id) == (D(amount), "beta-d1")
    assert (found.next_lookup_at, count_alarms()) == (None, 1)
    book_transfer(transfer_id=found.pk)
    assert not Entry.objects.filter(kind=EntryKind.TRANSFER_IN).exists()


def test_the_right_amount_arrives_by_itself(credit):
    assert credit("0.4999").state == S.ARRIVED


def test_a_late_deposit_is_waited_for(on_its_way, poll_for, alpha, beta):
    waiting = poll_for(on_its_way, minutes=90)
    assert waiting.state == S.IN_TRANSIT
    beta[1].receive(alpha[1])

    assert poll_for(on_its_way, minutes=2).state == S.ARRIVED


def test_a_deposit_of_the_same_amount_with_another_id_is_somebody_elses(
    on_its_way, alpha, beta, poll_for
):
    beta[1].receive(alpha[1])
    beta[1].deposits[0] = replace(beta[1].deposits[0], tx_id="tx-8")

    assert poll_for(on_its_way, minutes=2).state == S.IN_TRANSIT


def test_two_people_settle_it_and_the_loss_is_booked_with_its_reason(
    real_pair, credit, people, now
):
    found = credit("0.4")
    proposed = settle_transfer(
        transfer_id=found.pk, has_arrived=True, reason="ticket 12", user=people[0], clock=now
    )
    assert (proposed.state, proposed.settlement) == (
        S.DISPUTED,
        {"arrived": "0.4", "reason": "ticket 12"},
    )
    with pytest.raises(SecondPersonNeeded):
        confirm_settlement(transfer_id=found.pk, user=people[0], clock=now)
    assert Transfer.objects.get().state == S.DISPUTED

    ended = confirm_settlement(transfer_id=found.pk, user=people[1], clock=now)

    assert (ended.state, ended.note) == (S.ARRIVED, "ann, bob: ticket 12")
    book_transfer(transfer_id=found.pk)
    assert lines(found) == (
        "ann, bob: ticket 12",
        {"in_transit": D("-0.4999"), "wallet": D("0.4"), "losses": D("0.0999")},
    )
    assert (imbalances(), count_alarms()) == ({}, 0)
    with pytest.raises(IllegalTransition):
        confirm_settlement(transfer_id=found.pk, user=people[1], clock=now)


def test_funds_that_never_arrive_are_given_up_by_two_people(real_pair, on_its_way, people, now):
    settle_transfer(
        transfer_id=on_its_way.pk,
        has_arrived=True,
        arrived_amount=D("0.0001"),
        reason="below the minimum deposit",
        user=people[0],
        clock=now,
    )
    confirm_settlement(transfer_id=on_its_way.pk, user=people[1], clock=now)
    book_transfer(transfer_id=on_its_way.pk)

    assert lines(on_its_way)[1]["losses"] == D("0.4998")
    assert imbalances() == {}


def test_nothing_is_confirmed_that_nobody_proposed(on_its_way, people):
    with pytest.raises(IllegalTransition):
        confirm_settlement(transfer_id=on_its_way.pk, user=people[1])


def test_what_the_destination_credited_did_arrive(credit, people, now):
    found = credit("0.4")

    with pytest.raises(InvalidInput):
        settle_transfer(
            transfer_id=found.pk, has_arrived=False, reason="r", user=people[0], clock=now
        )

    assert Transfer.objects.get().state == S.DISPUTED


def test_between_simulated_venues_one_person_settles(credit, people, now):
    found = credit("0.6")

    ended = settle_transfer(
        transfer_id=found.pk, has_arrived=True, reason="a gift", user=people[0], clock=now
    )
    book_transfer(transfer_id=found.pk)

    assert (ended.state, ended.arrived_amount) == (S.ARRIVED, D("0.6"))
    assert lines(found)[1]["losses"] == D("-0.1001")
