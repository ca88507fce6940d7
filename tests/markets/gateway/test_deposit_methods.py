"""Venues that give deposit addresses by methods: one of another network would lose the funds."""

import base64

import pytest

from markets.errors import VenueRejected
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.factory import gateway_for
from tests.markets.fakes.kraken import FakeKraken

KEY, SECRET = "K" * 12, base64.b64encode(b"secret of ours").decode()


def address_of(method):
    return f"for-{method}".replace(" ", "_")


class DepositKraken(FakeKraken):
    """Gives an address for each of its methods."""

    methods: tuple[str, ...] = (
        "Tether USD (ERC20)",
        "Tether USD (TRC20)",
        "USDT - Arbitrum One (Unified)",
    )

    def __init__(self):
        super().__init__()
        self._routes = {
            **self._routes,
            "private/DepositMethods": lambda _p, _k: [
                {"method": method, "limit": False, "gen-address": True} for method in self.methods
            ],
            "private/DepositAddresses": lambda p, _k: [
                {"address": address_of(p["method"]), "expiretm": "0"}
            ],
        }


@pytest.fixture
def venue():
    venue = DepositKraken()
    venue.add_account(KEY, SECRET, "", {})
    return venue


@pytest.fixture
def gateway(venue):
    with venue.running() as url:
        yield gateway_for(VenueSpec("k", "kraken", url), Credentials(KEY, SECRET))


@pytest.mark.parametrize(
    ("network", "method"),
    [
        ("TRC20", "Tether USD (TRC20)"),
        ("erc20", "Tether USD (ERC20)"),
        ("Arbitrum One", "USDT - Arbitrum One (Unified)"),
        ("USDT - Arbitrum One (Unified)", "USDT - Arbitrum One (Unified)"),
    ],
)
def test_the_address_is_that_of_the_network_that_was_asked_for(gateway, network, method):
    found = gateway.fetch_deposit_address("USDT", network)

    assert (found.address, found.network) == (address_of(method), None)  # this venue names none


@pytest.mark.parametrize("network", ["SOL", "USDT", "ETH", None])
def test_an_address_of_another_network_is_never_given_for_it(gateway, network):
    with pytest.raises(VenueRejected, match=r"Tether USD \(ERC20\), Tether USD \(TRC20\)"):
        gateway.fetch_deposit_address("USDT", network)


def test_the_only_method_needs_no_name_and_the_whole_name_goes_before_a_part_of_others(
    venue, gateway
):
    venue.methods = ("Bitcoin",)
    only = gateway.fetch_deposit_address("BTC")
    venue.methods = ("Bitcoin Lightning", "Bitcoin")
    named = gateway.fetch_deposit_address("BTC", "Bitcoin")

    assert only.address == named.address == address_of("Bitcoin")
    venue.methods = ()
    with pytest.raises(VenueRejected):
        gateway.fetch_deposit_address("BTC")
