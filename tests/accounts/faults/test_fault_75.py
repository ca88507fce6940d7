"""A withdrawal is sent once: wherever the sender dies, or its reply is lost, the transfer is looked
up in the histories of both venues by our id, and never sent again."""

import pytest

from accounts.domain.transfers import TransferState
from accounts.models import Reservation, Transfer
from accounts.services.progress import claim
from accounts.services.transfers import poll_transfer, submit_transfer
from markets.errors import OutcomeUnknown

S = TransferState


class Killed(BaseException):
    """The process dies: no handler of the platform sees it."""


def die_before_the_request(alpha, asked, now):
    alpha[1].failures["withdraw"] = [Killed()]
    with pytest.raises(Killed):
        submit_transfer(transfer_id=asked.pk, clock=now)


def die_after_the_request(alpha, asked, now):
    alpha[1].late_failures["withdraw"] = [Killed()]
    with pytest.raises(Killed):
        submit_transfer(transfer_id=asked.pk, clock=now)


def die_after_the_claim(alpha, asked, now):
    claim(transfer_id=asked.pk, clock=now)


def die_before_the_claim(alpha, asked, now):
    alpha[1].failures["fetch_networks"] = [Killed()]
    with pytest.raises(Killed):
        submit_transfer(transfer_id=asked.pk, clock=now)


def lose_the_message(alpha, asked, now):
    """Nobody ever comes to send it."""


def lose_the_reply(alpha, asked, now):
    alpha[1].late_failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    submit_transfer(transfer_id=asked.pk, clock=now)


@pytest.mark.parametrize(
    ("die", "sent", "end"),
    [
        (lose_the_message, 1, S.SUBMITTED),
        (die_before_the_claim, 1, S.SUBMITTED),
        (die_after_the_claim, 0, S.FAILED),
        (die_before_the_request, 0, S.FAILED),
        (die_after_the_request, 1, S.SUBMITTED),
        (lose_the_reply, 1, S.SUBMITTED),
    ],
)
def test_wherever_the_sender_dies_at_most_one_withdrawal_leaves(
    ask, *, alpha, now, poll_for, die, sent, end
):
    asked = ask()

    die(alpha, asked, now)
    found = poll_for(asked, minutes=25)

    assert (len(alpha[1].withdrawals), found.state) == (sent, end)
    assert {row.client_transfer_id for row in alpha[1].withdrawals} <= {asked.client_transfer_id}
    assert Reservation.objects.exists() is (end is not S.FAILED)


def test_absence_at_the_source_alone_proves_nothing(ask, *, alpha, beta, now, poll_for):
    """The source's history lags for good, but the destination shows a deposit that may be it."""
    die_after_the_request(alpha, ask(), now)
    alpha[1].depart()
    beta[1].receive(alpha[1])
    alpha[1].withdrawals.clear()

    found = poll_for(Transfer.objects.get(), minutes=40)

    assert (found.state, alpha[1].count("withdraw")) == (S.UNKNOWN, 1)
    assert found.alarmed_at is not None


def test_a_second_delivery_of_the_message_sends_nothing(ask, alpha, now):
    asked = ask()
    for _delivery in range(3):
        submit_transfer(transfer_id=asked.pk, clock=now)
        poll_transfer(transfer_id=asked.pk, clock=now)

    assert alpha[1].count("withdraw") == 1
