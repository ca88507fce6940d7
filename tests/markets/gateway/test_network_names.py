"""Names of networks as ccxt's own classes know them, on any client and not by a guess."""

from collections.abc import Mapping
from typing import Any

import pytest

from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.catalog import Catalog
from markets.gateway.ccxt_rest import CcxtRestGateway
from markets.gateway.client import build_client, exchange_class

CHAINS = [
    {"chain": "usdterc20", "baseChain": "ETH", "depositStatus": "allowed"},
    {"chain": "trc20usdt", "baseChain": "TRX", "depositStatus": "allowed"},
]
ANSWERS: dict[str, Any] = {
    "v2/reference/currencies": {
        "code": 200,
        "data": [{"currency": "usdt", "assetType": "1", "instStatus": "normal", "chains": CHAINS}],
    },
    "v2/account/deposit/address": {
        "code": 200,
        "data": [
            {"currency": "usdt", "address": f"at-{row['chain']}", "chain": row["chain"]}
            for row in CHAINS
        ],
    },
    "v1/query/deposit-withdraw": {
        "status": "ok",
        "data": [
            {"id": 7, "type": "deposit", "currency": "usdt", "chain": "trc20usdt", "amount": "5",
             "tx-hash": "hash", "address": "from", "fee": 0, "state": "safe", "created-at": 9,
             "updated-at": 9}
        ],
    },
    "capital/deposit/address": {
        "coin": "USDT", "address": "0x1", "tag": "", "url": "https://etherscan.io/address/0x1",
    },
}  # fmt: skip


def explored_at(url: str) -> Mapping[str, Any]:
    return {"info": {"contractAddressUrl": url}}


class Shop:
    """Gateways of one venue, each with a client of its own, all with one catalog."""

    def __init__(self, ccxt_id: str) -> None:
        self.spec = VenueSpec("shop", ccxt_id, "http://127.0.0.1:9")
        self.catalog = Catalog(self.spec, timeout_ms=100)
        self.catalog._source = build_client(self.spec, None, timeout_ms=100)
        self.catalog._source.set_markets([], {"USDT": {"id": "usdt", "code": "USDT"}})
        self.catalog._version, self.catalog._loaded_at_ms = 1, 1e15
        self.asked: list[str] = []

    def gateway(self) -> VenueGateway:
        return CcxtRestGateway(self.spec, Credentials("k" * 12, "s" * 12), self.catalog)


@pytest.fixture
def shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(request.param)

    def answer(client: Any, path: str, *_args: Any, **_options: Any) -> Any:
        made.asked.append(path)
        client.raw_answer = ANSWERS[path]
        return ANSWERS[path]

    monkeypatch.setattr(exchange_class(request.param), "request", answer)
    return made


@pytest.mark.parametrize("shop", ["htx"], indirect=True)
def test_a_client_knows_the_networks_that_another_one_has_read(shop: Shop) -> None:
    names = {row.network for row in shop.gateway().fetch_networks("USDT")}
    other = shop.gateway()

    found = other.fetch_deposit_address("USDT", "TRC20")

    assert names == {"ERC20", "TRC20"}
    assert (found.address, found.network) == ("at-trc20usdt", "TRC20")
    assert shop.asked.count("v2/reference/currencies") == 1


@pytest.mark.parametrize("shop", ["htx"], indirect=True)
def test_so_does_one_that_is_asked_for_deposits(shop: Shop) -> None:
    for gateway in (shop.gateway(), shop.gateway()):
        (deposit,) = gateway.fetch_deposits("USDT")
        assert (deposit.venue_transfer_id, deposit.asset) == ("7", "USDT")

    assert shop.asked.count("v2/reference/currencies") == 1


@pytest.mark.parametrize("shop", ["binance"], indirect=True)
def test_a_network_that_is_guessed_from_an_explorer_is_not_the_venues_word(shop: Shop) -> None:
    """Two networks have one explorer, and ccxt takes the last of them."""
    gateway = shop.gateway()
    networks = {
        "ERC20": explored_at("https://etherscan.io/token/0x2"),
        "ARBONE": explored_at("https://etherscan.io/token/0x3"),
    }
    shop.catalog._source.currencies["USDT"]["networks"] = networks
    client = exchange_class("binance")()
    client.set_markets_from_exchange(shop.catalog._source)
    assert client.fetch_deposit_address("USDT", {"network": "ERC20"})["network"] == "ARBONE"

    assert gateway.fetch_deposit_address("USDT", "ERC20").network is None
    assert gateway.fetch_deposit_address("USDT").network is None


@pytest.mark.parametrize("shop", ["coinbase"], indirect=True)
def test_names_that_a_class_learns_from_a_list_are_each_clients_own(shop: Shop) -> None:
    reader, other, third = (build_client(shop.spec, None, timeout_ms=100) for _ in range(3))
    reader.options["networksById"]["a-chain"] = "CHAIN"  # as its fetch_currencies does
    shop.catalog.keep_currencies(reader, {"USDT": {"id": "usdt", "code": "USDT"}})

    for client in (other, third):
        shop.catalog.load_currencies(client)
        assert client.network_id_to_code("a-chain") == "CHAIN"
    other.options["networksById"]["a-chain"] = "changed"
    assert third.network_id_to_code("a-chain") == "CHAIN"
