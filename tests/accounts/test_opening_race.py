"""Books that are opened while a transfer is sent hold afterwards what the venue holds."""

from decimal import Decimal as D

import pytest

from accounts.services.transfers import poll_transfer, submit_transfer
from ledger.errors import OpeningPostponed
from ledger.models import Entry
from ledger.selectors import wallet_balances
from ledger.services.openings import ensure_opened, is_opened
from ledger.services.transfers import book_transfer
from markets.domain.funds import Wallet


@pytest.fixture
def finish(alpha, beta, now):
    """Let the transfer arrive, and book it."""

    def run(transfer):
        alpha[1].depart()
        deposit = beta[1].receive(alpha[1])
        beta[1].wallets[Wallet.SPOT]["BTC"] += deposit.amount
        now.advance_ms(2_000)
        assert poll_transfer(transfer_id=transfer.pk, clock=now).state == "arrived"
        book_transfer(transfer_id=transfer.pk)

    return run


def books_equal_venue(account, fake):
    ensure_opened(account_id=account.pk)
    return wallet_balances(account.pk)["BTC"] == fake.wallets[Wallet.SPOT]["BTC"]


def test_a_transfer_that_leaves_while_the_venue_is_asked(ask, *, alpha, beta, now, finish):
    asked = ask()

    def send_between_two_reads(name):
        if name == "fetch_balances" and alpha[1].count("fetch_balances") == 3:
            alpha[1].on_call = lambda _name: None
            submit_transfer(transfer_id=asked.pk, clock=now)
            book_transfer(transfer_id=asked.pk)

    alpha[1].on_call = send_between_two_reads

    with pytest.raises(OpeningPostponed):
        ensure_opened(account_id=alpha[0].pk)

    assert not is_opened(account_id=alpha[0].pk)
    finish(asked)
    assert books_equal_venue(*alpha)
    assert books_equal_venue(*beta)


@pytest.mark.parametrize("is_booked", [True, False])
def test_a_transfer_that_has_left_is_waited_for(ask, *, alpha, beta, now, finish, is_booked):
    asked = submit_transfer(transfer_id=ask().pk, clock=now)
    if is_booked:
        book_transfer(transfer_id=asked.pk)

    for account, _fake in (alpha, beta):
        with pytest.raises(OpeningPostponed):
            ensure_opened(account_id=account.pk)

    assert not Entry.objects.filter(kind="opening").exists()
    finish(asked)
    assert books_equal_venue(*alpha)
    assert books_equal_venue(*beta)
    assert wallet_balances(beta[0].pk)["BTC"] == D("2.4999")


def test_an_arrival_that_is_not_booked_is_waited_for(ask_inside, alpha, now):
    moved = submit_transfer(transfer_id=ask_inside().pk, clock=now)
    assert moved.state == "arrived"

    with pytest.raises(OpeningPostponed):
        ensure_opened(account_id=alpha[0].pk)

    book_transfer(transfer_id=moved.pk)
    assert books_equal_venue(*alpha)
