"""Ending by hand what no look-up can find out."""

from decimal import Decimal as D

import pytest

from accounts.domain.transfers import TransferState
from accounts.errors import TransferNotFound
from accounts.models import Transfer
from accounts.services.progress import claim
from accounts.services.settlement import settle_transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from arbplatform.core.errors import IllegalTransition, InvalidInput
from markets.errors import OutcomeUnknown

S = TransferState


@pytest.fixture
def lost(ask, alpha, now):
    """A transfer whose reply was lost."""
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    return submit_transfer(transfer_id=ask().pk, clock=now)


@pytest.fixture
def settle(superuser, now):
    def run(transfer, **changes):
        values = {"has_arrived": True, "reason": "seen  on\nboth pages", "user": superuser}
        return settle_transfer(transfer_id=transfer.pk, clock=now, **(values | changes))

    return run


def test_what_arrived_is_booked_with_who_said_so_and_why(lost, settle, commit):
    with commit() as sent:
        settled = settle(lost, arrived_amount=D("0.49"))

    assert (settled.state, settled.note) == (S.ARRIVED, "root: seen on both pages")
    assert (settled.arrived_amount, settled.fee) == (D("0.49"), D("0.0001"))
    assert (settled.error, settled.next_lookup_at) == ("", None)
    assert sent[0] == ("ledger.book_transfer", {"transfer_id": lost.pk})


def test_without_an_amount_everything_but_the_fee_arrived(ask, settle, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    transfer = poll_transfer(transfer_id=transfer.pk, clock=now)
    assert transfer.fee == D("0.0001")

    assert settle(transfer).arrived_amount == D("0.4999")


def test_what_never_left_has_failed(lost, settle, commit):
    with commit() as sent:
        settled = settle(lost, has_arrived=False)

    assert (settled.state, settled.arrived_amount) == (S.FAILED, None)
    assert sent == [("ledger.book_transfer", {"transfer_id": lost.pk})]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": " \n"}, "reason"),
        ({"reason": "r" * 201}, "reason"),
        ({"arrived_amount": D(0)}, "arrived_amount"),
        ({"arrived_amount": D("0.51")}, "arrived_amount"),
        ({"arrived_amount": D("NaN")}, "arrived_amount"),
    ],
)
def test_unusable_words_change_nothing(lost, settle, change, field):
    with pytest.raises(InvalidInput) as refusal:
        settle(lost, **change)

    assert list(refusal.value.fields) == [field]
    assert Transfer.objects.get().state == S.UNKNOWN


def test_what_may_still_be_sent_is_not_settled(ask, settle, now):
    transfer = ask()
    with pytest.raises(IllegalTransition):
        settle(transfer)
    claim(transfer_id=transfer.pk, clock=now)
    with pytest.raises(IllegalTransition):
        settle(transfer)

    assert Transfer.objects.get().state == S.SUBMITTING


def test_what_has_ended_is_not_settled_again(lost, settle):
    settle(lost)

    with pytest.raises(IllegalTransition):
        settle(lost, has_arrived=False)

    assert Transfer.objects.get().state == S.ARRIVED


def test_unknown_transfers_are_named(superuser):
    with pytest.raises(TransferNotFound):
        settle_transfer(transfer_id=7, has_arrived=True, reason="r", user=superuser)
