"""What a transfer takes is set aside from its request until the books have it."""

from decimal import Decimal as D

import pytest

from accounts.errors import BalanceTooLow
from accounts.models import Reservation, ReservationPurpose, Transfer
from accounts.selectors import reserved_total
from accounts.services.reservations import Want, release, reserve
from accounts.services.transfers import submit_transfer
from ledger.selectors import list_stray_reservations
from ledger.services.transfers import book_transfer
from markets.domain.funds import Wallet
from markets.errors import VenueRejected


@pytest.fixture
def reserved(alpha, assets):
    """What is set aside of alpha's BTC."""
    return lambda: reserved_total(alpha[0].pk, Wallet.SPOT, assets["BTC"].pk)


@pytest.fixture
def order_of(alpha, assets):
    """Set BTC of alpha aside for an order."""

    def make(amount):
        want = Want(
            ReservationPurpose.ORDER, 77, alpha[0].pk, Wallet.SPOT, assets["BTC"].pk, D(amount)
        )
        reserve([want])

    return make


def test_a_requested_transfer_sets_its_amount_aside(ask, reserved):
    transfer = ask()

    assert reserved() == D("0.5")
    held = Reservation.objects.get()
    assert (held.purpose, held.owner_id) == (ReservationPurpose.TRANSFER, transfer.pk)


def test_the_same_request_sets_nothing_more_aside(ask, reserved):
    ask()
    ask()

    assert reserved() == D("0.5")


def test_what_orders_may_spend_is_not_sent_away(ask, alpha, order_of, reserved, is_unsent):
    free = alpha[1].wallets[Wallet.SPOT]["BTC"]
    order_of(free - D("0.5") + D("1e-8"))

    with pytest.raises(BalanceTooLow, match=r"0\.49999999"):
        ask()

    assert Transfer.objects.count() == 0
    assert reserved() == free - D("0.5") + D("1e-8")
    assert is_unsent()


def test_two_transfers_do_not_send_the_same_funds(ask, alpha):
    free = alpha[1].wallets[Wallet.SPOT]["BTC"]
    ask(amount=free)

    with pytest.raises(BalanceTooLow):
        ask(amount=D("0.1"), idempotency_key="key-2")

    assert Transfer.objects.count() == 1


def test_a_refused_transfer_gives_everything_back(ask, alpha, now, reserved):
    transfer = ask()
    alpha[1].failures["withdraw"] = [VenueRejected(venue="alpha", cause="no")]

    assert submit_transfer(transfer_id=transfer.pk, clock=now).state == "failed"

    assert reserved() == 0
    assert Reservation.objects.count() == 0


@pytest.mark.parametrize("inside", [True, False])
def test_the_books_take_over_what_was_set_aside(ask, ask_inside, now, reserved, inside):
    transfer = (ask_inside if inside else ask)()
    submit_transfer(transfer_id=transfer.pk, clock=now)
    assert reserved() == D("0.5")

    for _ in range(2):
        book_transfer(transfer_id=transfer.pk)

    assert reserved() == 0
    assert list_stray_reservations() == []


def test_a_second_release_changes_nothing(order_of, reserved):
    order_of("0.5")

    for _ in range(2):
        release(ReservationPurpose.ORDER, [77])

    assert reserved() == 0
