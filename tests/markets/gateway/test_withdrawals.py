"""What leaves is exactly what was asked for, the network's fee included."""

from decimal import Decimal as D
from typing import Any

import pytest

from markets.domain.funds import DepositAddress, Wallet
from markets.gateway.client import exchange_class
from markets.gateway.factory import gateway_for
from markets.gateway.funds_calls import withdraw
from markets.gateway.quirks import quirks_for
from tests.markets.fakes import okx
from tests.markets.fakes.stage import open_stage


def test_a_venue_that_adds_the_fee_is_told_by_the_fee_that_was_looked_at_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_stage("okx") as stage:
        gateway = gateway_for(stage.spec, stage.credentials)
        gateway.transfer(
            asset="BTC", amount=D(1), from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING
        )
        address = gateway.fetch_deposit_address("BTC")
        monkeypatch.setattr(okx, "WITHDRAWAL_FEE", "0.0007")
        (network,) = gateway.fetch_networks("BTC")
        assert network.fee == D("0.0007")

        gateway.withdraw(
            amount=D("0.5"),
            destination=DepositAddress("BTC", address.address, network=network.network),
            client_transfer_id="arbtests0000000000000001",
        )

        assert gateway.fetch_balances(Wallet.FUNDING)["BTC"].total == D("0.5")


def test_bybit_takes_the_fee_out_of_the_amount() -> None:
    """Its default is to let the whole amount arrive and to take the fee besides."""
    client = exchange_class("bybit")({"apiKey": "key", "secret": "secret"})
    client.set_markets([])
    client.currencies = {"BTC": {"id": "BTC", "code": "BTC", "networks": {}}}
    client.is_unified_enabled = lambda: [False, True]
    sent: list[dict[str, Any]] = []

    def note(_path: str, _api: Any, _verb: str, params: Any, **_options: Any) -> Any:
        sent.append(params)
        return {"result": {"id": "1"}}

    client.request = note
    withdraw(
        client,
        quirks_for("bybit"),
        amount=D("0.5"),
        destination=DepositAddress("BTC", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        client_transfer_id="arbtests0000000000000001",
    )

    assert (sent[-1]["amount"], sent[-1]["feeType"]) == ("0.5", 1)
    assert sent[-1]["requestId"] == "arbtests0000000000000001"
