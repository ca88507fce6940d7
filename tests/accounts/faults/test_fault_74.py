"""On a network that needs a tag nothing is proposed, requested or sent without one, whatever name
either venue has for the network."""

import pytest

from accounts.domain.addresses import AddressState
from accounts.errors import AddressChanged, InvalidTransfer
from accounts.models import AddressEntry, Transfer
from accounts.services.addresses import propose_address
from accounts.services.transfers import submit_transfer
from arbplatform.core.errors import InvalidInput
from markets.domain.funds import DepositAddress, Wallet


@pytest.fixture
def ripple(alpha, beta):
    """XRP, which beta receives at one address for all its customers."""
    alpha[1].wallets[Wallet.SPOT]["XRP"] = 100
    for fake in (alpha[1], beta[1]):
        fake.networks["XRP"] = [fake.network("Ripple")]
    beta[1].addresses["XRP"] = DepositAddress("XRP", "shared", tag="42")


def test_an_address_without_its_tag_is_refused(ask, ripple, beta, is_unsent):
    beta[1].addresses["XRP"] = DepositAddress("XRP", "shared")

    with pytest.raises(InvalidTransfer, match="needs a tag"):
        ask(asset="XRP")

    assert (Transfer.objects.count(), AddressEntry.objects.count(), is_unsent()) == (0, 0, True)


def test_the_tag_travels_along(ask, ripple, alpha, now):
    submit_transfer(transfer_id=ask(asset="XRP").pk, clock=now)

    assert (alpha[1].sent_to[0].address, alpha[1].sent_to[0].tag) == ("shared", "42")


@pytest.mark.parametrize(("tag", "error"), [(None, InvalidTransfer), ("43", AddressChanged)])
def test_a_tag_that_vanished_or_changed_stops_the_transfer(
    *, ask, ripple, beta, now, tag, error, is_unsent
):
    asked = ask(asset="XRP")
    beta[1].addresses["XRP"] = DepositAddress("XRP", "shared", tag=tag)

    transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.error_code, is_unsent()) == ("failed", error.code, True)
    expected = AddressState.SUSPENDED if tag else AddressState.PROPOSED
    assert AddressEntry.objects.get().state == expected


def test_no_address_without_its_tag_gets_into_the_book(ripple, beta, people):
    beta[1].addresses["XRP"] = DepositAddress("XRP", "shared")

    with pytest.raises(InvalidInput) as refusal:
        propose_address(
            account_id=beta[0].pk, asset="XRP", network="Ripple", label="x", user=people[0]
        )

    assert list(refusal.value.fields) == ["network"]
    assert not AddressEntry.objects.exists()
