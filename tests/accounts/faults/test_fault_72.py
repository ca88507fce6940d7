"""Whether a network is open is asked at both venues: a closed one refuses a request and names the
open ones, and a transfer that was asked for already waits, visibly and for six hours at most."""

import pytest

from accounts.domain.transfers import WAITING_MAX, TransferState
from accounts.errors import NetworkSuspended, TransferExpired
from accounts.models import Transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from markets.errors import VenueUnavailable

S = TransferState
CLOSED = ({"can_withdraw": False}, {"can_deposit": False})


@pytest.fixture
def close(alpha, beta):
    """Close the network at one side: 0 sends, 1 receives."""

    def run(side):
        fake = (alpha, beta)[side][1]
        fake.networks["BTC"] = [fake.network("BTC", **CLOSED[side]), fake.network("BSC")]
        other = (beta, alpha)[side][1]
        other.networks["BTC"] = [other.network("BTC"), other.network("BSC")]

    return run


@pytest.fixture
def open_again(alpha, beta):
    def run():
        alpha[1].networks.clear()
        beta[1].networks.clear()

    return run


@pytest.mark.parametrize(
    ("side", "words"),
    [
        (0, "alpha has suspended withdrawals of BTC on the network BTC. Open at both venues: BSC."),
        (1, "beta has suspended deposits of BTC on the network BTC. Open at both venues: BSC."),
    ],
)
def test_a_closed_network_is_refused_and_the_open_ones_are_named(
    ask, close, side, words, is_unsent
):
    close(side)

    with pytest.raises(NetworkSuspended) as refusal:
        ask(network="BTC")

    assert str(refusal.value) == words
    assert (Transfer.objects.count(), is_unsent()) == (0, True)
    assert ask(network="BSC").network == "BSC"


@pytest.mark.parametrize("side", [0, 1])
def test_a_network_that_closes_after_the_request_makes_the_transfer_wait(
    *, ask, close, open_again, side, alpha, now, is_unsent
):
    asked = ask()
    close(side)

    waiting = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (waiting.state, waiting.error_code) == (S.WAITING, NetworkSuspended.code)
    assert waiting.next_lookup_at > now.now()
    assert (waiting.submitted_at, is_unsent()) == (None, True)
    open_again()
    sent = poll_transfer(transfer_id=asked.pk, clock=now)
    assert (sent.state, sent.error_code, alpha[1].count("withdraw")) == (S.SUBMITTED, None, 1)


def test_a_venue_that_does_not_answer_makes_the_transfer_wait_too(ask, beta, now, alpha, is_unsent):
    asked = ask()
    beta[1].failures["fetch_networks"] = [VenueUnavailable(venue="beta", cause="down")]

    assert submit_transfer(transfer_id=asked.pk, clock=now).state == S.WAITING
    assert is_unsent()
    assert poll_transfer(transfer_id=asked.pk, clock=now).state == S.SUBMITTED
    assert alpha[1].count("withdraw") == 1


def test_nothing_waits_for_ever(ask, close, now, poll_for, is_unsent):
    asked = ask()
    close(0)
    submit_transfer(transfer_id=asked.pk, clock=now)
    now.advance_ms(int(WAITING_MAX.total_seconds() * 1000))

    ended = poll_for(asked, minutes=2)

    assert (ended.state, ended.error_code) == (S.FAILED, TransferExpired.code)
    assert is_unsent()
