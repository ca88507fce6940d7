"""Networks have names of our own; at a real venue a person confirms what it calls each one, and
nothing travels on a network that is not confirmed, or not listed, at both venues."""

import pytest

from accounts.domain.networks import canonical_network
from accounts.errors import (
    InvalidTransfer,
    NetworkNameTaken,
    NetworkNotListed,
    NetworkUnconfirmed,
)
from accounts.models import AddressEntry, RuleChange, Transfer, VenueNetwork
from accounts.services.networks import confirm_network, forget_network
from accounts.services.transfers import submit_transfer
from arbplatform.core.errors import Denied, InvalidInput
from markets.domain.funds import DepositAddress
from markets.errors import VenueAuthFailed, VenueUnavailable
from markets.models import Venue


@pytest.fixture
def usdt(alpha, beta):
    """USDT travels by Tron and Ethereum, and each venue has other names for them."""
    alpha[1].networks["USDT"] = [alpha[1].network("TRC20"), alpha[1].network("ERC20")]
    beta[1].networks["USDT"] = [beta[1].network("Tron"), beta[1].network("ETH")]


@pytest.mark.parametrize("name", ["TRX", "TRC20", "trc-20", "Tron"])
def test_simulated_venues_mean_what_their_names_say(ask, usdt, alpha, now, name):
    transfer = submit_transfer(transfer_id=ask(asset="USDT", network=name).pk, clock=now)

    assert transfer.network == "TRX"
    assert alpha[1].sent_to[-1].network == "TRC20"


def test_more_than_one_network_is_a_choice_for_a_person(ask, usdt, is_unsent):
    with pytest.raises(InvalidTransfer, match="Choose one of: ETH, TRX"):
        ask(asset="USDT")

    assert (Transfer.objects.count(), is_unsent()) == (0, True)


def test_a_network_that_one_venue_does_not_list_is_refused(ask, usdt, beta, is_unsent):
    beta[1].networks["USDT"] = [beta[1].network("ETH")]

    with pytest.raises(InvalidTransfer, match="does not travel from alpha to beta on the network"):
        ask(asset="USDT", network="TRX")

    assert (Transfer.objects.count(), is_unsent()) == (0, True)


def test_where_there_is_no_network_to_choose_it_says_what_to_do(ask, usdt, beta, is_unsent):
    beta[1].networks["USDT"] = [beta[1].network("BSC")]

    with pytest.raises(InvalidTransfer, match=r"beta lists: BSC\. Confirm what each venue calls"):
        ask(asset="USDT", network="TRX")

    assert (Transfer.objects.count(), is_unsent()) == (0, True)


def test_a_name_that_looks_right_is_not_enough_at_a_real_venue(ask, usdt, real, people, is_unsent):
    with pytest.raises(NetworkUnconfirmed, match=r"alpha calls the network TRX\. It lists: TRC20"):
        ask(asset="USDT", network="TRX")
    confirm_network(
        venue=Venue.objects.get(code="alpha"), network="TRX", venue_name="TRC20", user=people[0]
    )
    with pytest.raises(NetworkUnconfirmed, match=r"beta calls the network TRX\. It lists: Tron"):
        ask(asset="USDT", network="TRX")

    assert (Transfer.objects.count(), is_unsent()) == (0, True)


def test_confirmed_names_are_used_to_the_letter(
    *, ask, usdt, real, people, approve, alpha, beta, now
):
    for fake, name in ((alpha[1], "TRC20"), (beta[1], "Tron")):
        venue = Venue.objects.get(code=fake.venue)
        confirm_network(venue=venue, network="Tron", venue_name=name, user=people[0])
    approve(asset="USDT", network="TRX")

    submit_transfer(transfer_id=ask(asset="USDT", network="TRX").pk, clock=now)

    assert alpha[1].sent_to[-1].network == "TRC20"
    assert beta[1].asked_networks[-1] == "Tron"


def test_no_address_on_another_network_gets_into_the_book(real, approve, beta):
    beta[1].addresses["BTC"] = DepositAddress("BTC", "there", network="BEP20")

    with pytest.raises(InvalidInput) as refusal:
        approve()

    assert [str(one) for one in refusal.value.fields["network"]] == [
        "The venue gives an address on BEP20."
    ]
    assert not AddressEntry.objects.exists()


@pytest.mark.parametrize("network", ["Bitcoin", None])
def test_an_address_by_another_name_of_the_network_or_by_none_is_taken(
    real, approve, beta, network
):
    beta[1].addresses["BTC"] = DepositAddress("BTC", "there", network=network)

    assert approve().network == "BTC"


def test_what_is_taken_back_stops_what_was_requested(*, ask, real, approve, people, now, is_unsent):
    approve()
    asked = ask()
    row = VenueNetwork.objects.get(venue__code="beta")

    forget_network(network_id=row.pk, user=people[0])
    transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.error_code) == ("failed", NetworkUnconfirmed.code)
    assert is_unsent()
    assert RuleChange.objects.get(kind="network").event == "forget"


def test_one_name_means_one_network(alpha, people):
    venue = alpha[0].venue
    confirm_network(venue=venue, network="TRX", venue_name="TRC20", user=people[0])

    for network, name in (("TRX", "Tron"), ("ETH", "TRC20")):
        with pytest.raises(NetworkNameTaken):
            confirm_network(venue=venue, network=network, venue_name=name, user=people[0])
    with pytest.raises(InvalidInput):
        confirm_network(venue=venue, network="ETH", venue_name=" ", user=people[0])

    assert VenueNetwork.objects.count() == 1


@pytest.mark.usefixtures("usdt")
def test_a_name_that_the_venue_does_not_list_is_refused_with_those_that_it_does(alpha, people):
    alpha[1].networks["BTC"] = [alpha[1].network("BTC"), alpha[1].network("BEP20")]

    with pytest.raises(NetworkNotListed) as refusal:
        confirm_network(venue=alpha[0].venue, network="TRX", venue_name="TYPO", user=people[0])

    text = "alpha lists no network called TYPO. Choose one of: TRC20, BEP20, BTC, ERC20."
    assert str(refusal.value) == text
    assert [str(each) for each in refusal.value.fields["venue_name"]] == [text]
    assert not VenueNetwork.objects.exists()
    assert not RuleChange.objects.exists()
    row = confirm_network(venue=alpha[0].venue, network="TRX", venue_name="TRC20", user=people[0])
    assert row.venue_name == "TRC20"


@pytest.mark.usefixtures("usdt")
@pytest.mark.parametrize("error", [VenueUnavailable, VenueAuthFailed])
def test_a_venue_that_cannot_say_its_names_keeps_nobody_from_confirming_one(alpha, people, error):
    alpha[1].failures["fetch_networks"] = [error(venue="alpha", cause="no")]

    confirm_network(venue=alpha[0].venue, network="TRX", venue_name="Other", user=people[0])

    assert VenueNetwork.objects.get().venue_name == "Other"


def test_at_a_venue_without_an_account_every_name_is_taken(alpha, people):
    alpha[1].networks["BTC"] = [alpha[1].network("BTC")]
    alpha[0].is_enabled = False
    alpha[0].save()

    confirm_network(venue=alpha[0].venue, network="TRX", venue_name="Other", user=people[0])

    assert "fetch_networks" not in alpha[1].calls


def test_only_staff_confirms(alpha, user):
    with pytest.raises(Denied):
        confirm_network(venue=alpha[0].venue, network="TRX", venue_name="TRC20", user=user)

    assert not VenueNetwork.objects.exists()


def test_names_that_are_no_aliases_stay_apart():
    assert canonical_network("BEP2") != canonical_network("BEP20")
    assert canonical_network("AVAX X") != canonical_network("AVAX C-Chain")
