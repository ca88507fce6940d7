"""Transfers are booked as far as their state says that funds have moved."""

from decimal import Decimal as D

import pytest
from django.utils import timezone

from accounts.domain.transfers import TransferState
from accounts.errors import TransferNotFound
from accounts.models import Transfer
from arbplatform.core.errors import Message
from arbplatform.persistence.sentences import keep_sentence
from ledger.models import Entry, EntryKind
from ledger.selectors import imbalances, in_transit, list_total_errors, wallet_balances
from ledger.services import transfers as service
from ledger.services.transfers import book_transfer, book_transfers
from markets.domain.funds import Wallet

T = TransferState


@pytest.fixture
def make_transfer(alpha, beta, assets):
    """Make a transfer of 1 BTC from alpha to beta, or inside alpha."""
    number = iter(range(100))

    def make(state=T.SUBMITTED, *, is_internal=False, **fields):
        source, target = alpha[0], alpha[0] if is_internal else beta[0]
        name = f"t{next(number)}"
        return Transfer.objects.create(
            idempotency_key=name,
            client_transfer_id=name,
            from_account=source,
            from_wallet=Wallet.SPOT,
            to_account=target,
            to_wallet=Wallet.FUNDING if is_internal else Wallet.SPOT,
            asset=assets["BTC"],
            amount=D(1),
            state=state,
            submitted_at=timezone.now(),
            **fields,
        )

    return make


def move(transfer, state, **fields):
    Transfer.objects.filter(pk=transfer.pk).update(state=state, **fields)
    return [entry.kind for entry in book_transfer(transfer_id=transfer.pk)]


def balances(alpha, beta):
    return [wallet_balances(account.pk, wallet=None)["BTC"] for account, _ in (alpha, beta)]


@pytest.mark.parametrize("state", [T.REQUESTED, T.SUBMITTING, T.UNKNOWN, T.FAILED])
def test_nothing_is_booked_before_funds_have_moved(make_transfer, state):
    for is_internal in (True, False):
        transfer = make_transfer(state, is_internal=is_internal)
        assert book_transfer(transfer_id=transfer.pk) == []

    assert not Entry.objects.exists()
    assert book_transfers() == 0


def test_a_journey_between_accounts(make_transfer, alpha, beta):
    transfer = make_transfer(fee=D("0.0001"))

    assert move(transfer, T.SUBMITTED) == ["transfer_out"]
    assert (balances(alpha, beta), in_transit()) == ([D(-1), D(0)], {"BTC": D("0.9999")})
    assert move(transfer, T.IN_TRANSIT) == ["transfer_out"]
    assert move(transfer, T.ARRIVED, arrived_amount=D("0.9999")) == ["transfer_out", "transfer_in"]

    assert (balances(alpha, beta), in_transit()) == ([D(-1), D("0.9999")], {})
    assert imbalances() == list_total_errors() == {}
    assert {entry.transfer_id for entry in Entry.objects.all()} == {transfer.pk}


def test_a_fee_that_only_the_arrival_tells(make_transfer, alpha, beta):
    transfer = make_transfer()

    assert move(transfer, T.SUBMITTED) == ["transfer_out"]
    assert in_transit() == {"BTC": D(1)}
    move(transfer, T.ARRIVED, fee=D("0.0002"))

    assert (balances(alpha, beta), in_transit()) == ([D(-1), D("0.9998")], {})


def test_what_arrived_counts_and_not_what_was_expected(make_transfer, alpha, beta):
    transfer = make_transfer(fee=D("0.0001"))

    move(transfer, T.SUBMITTED)
    move(transfer, T.ARRIVED, arrived_amount=D("0.95"))

    assert (balances(alpha, beta), in_transit()) == ([D(-1), D("0.95")], {})
    assert imbalances() == {}


def test_an_arrival_without_any_word_before_is_booked_whole(make_transfer, alpha, beta):
    transfer = make_transfer(T.ARRIVED, fee=D("0.0001"))

    assert move(transfer, T.ARRIVED) == ["transfer_out", "transfer_in"]
    assert balances(alpha, beta) == [D(-1), D("0.9999")]


def test_a_transfer_that_failed_on_its_way_is_taken_back(make_transfer, alpha, beta):
    said = {"venue": "alpha", "cause": "by compliance"}
    error = keep_sentence(Message("{venue} reports that the transfer failed: {cause}.", said))
    transfer = make_transfer(fee=D("0.0001"))
    move(transfer, T.SUBMITTED)

    assert move(transfer, T.FAILED, error=error) == ["transfer_out", "reversal"]

    assert (balances(alpha, beta), in_transit()) == ([D(0), D(0)], {})
    memo = Entry.objects.get(kind=EntryKind.REVERSAL).to_memo()
    assert str(memo) == "alpha reports that the transfer failed: by compliance."
    assert imbalances() == {}


def test_a_move_between_wallets_is_one_entry_when_it_is_done(make_transfer, alpha):
    transfer = make_transfer(is_internal=True)

    assert move(transfer, T.SUBMITTED) == []
    assert move(transfer, T.ARRIVED) == ["transfer"]

    account = alpha[0].pk
    assert wallet_balances(account)["BTC"] == D(-1)
    assert wallet_balances(account, wallet=Wallet.FUNDING)["BTC"] == D(1)


def test_booking_twice_books_once(make_transfer):
    transfer = make_transfer(T.ARRIVED)

    first = [entry.pk for entry in book_transfer(transfer_id=transfer.pk)]

    assert [entry.pk for entry in book_transfer(transfer_id=transfer.pk)] == first
    assert Entry.objects.count() == 2


def test_an_unknown_transfer_is_refused(db):
    with pytest.raises(TransferNotFound):
        book_transfer(transfer_id=7)


def test_the_sweep_books_what_messages_missed_and_nothing_else(make_transfer):
    made = [
        make_transfer(T.SUBMITTED),
        make_transfer(T.IN_TRANSIT),
        make_transfer(T.ARRIVED),
        make_transfer(T.ARRIVED, is_internal=True),
        make_transfer(T.SUBMITTED, is_internal=True),
        make_transfer(T.REQUESTED),
        make_transfer(T.FAILED),
    ]

    assert book_transfers() == 4
    assert book_transfers() == 0
    move(made[0], T.SUBMITTED)
    Transfer.objects.filter(pk=made[0].pk).update(state=T.FAILED)
    assert book_transfers() == 1
    assert book_transfers() == 0
    assert Entry.objects.count() == 1 + 1 + 2 + 1 + 1


def test_one_transfer_that_cannot_be_booked_does_not_stop_the_sweep(make_transfer, monkeypatch):
    bad, good = make_transfer(), make_transfer()

    def book(*, transfer_id):
        if transfer_id == bad.pk:
            raise RuntimeError
        return book_transfer(transfer_id=transfer_id)

    monkeypatch.setattr(service, "book_transfer", book)

    assert book_transfers() == 1
    assert Entry.objects.get().transfer_id == good.pk
