"""Assets that an account holds although none of the venue's markets trades them."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import ccxt
import pytest

from markets.domain.funds import Wallet
from markets.errors import NotSupportedByVenue, VenueUnavailable
from markets.gateway import funds_calls
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.factory import gateway_for
from markets.gateway.quirks import quirks_for
from markets.simulator.running import RunningSimulator, start_in_thread
from tests.markets.fakes.stage import KEY, SECRET, simulator_config
from tests.markets.simulator.worlds import settle

COIN = "BNB"
BY_HAND = {"account": "ours", "asset": COIN}


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    config = simulator_config()
    for venue in config["venues"]:
        venue["assets"] = [*venue["assets"], COIN]
        venue["accounts"][0]["balances"]["spot"] |= {COIN: "3"}
    with start_in_thread(config) as running:
        yield running


@pytest.fixture
def gateway(simulator: RunningSimulator) -> VenueGateway:
    spec = VenueSpec("alpha", "binance", f"{simulator.url}/alpha", f"{simulator.ws_url}/alpha")
    return gateway_for(spec, Credentials(KEY, SECRET))


def _move_by_hand(simulator: RunningSimulator) -> None:
    control = simulator.control
    control.add_fault("alpha", "manual_deposit", amount="0.5", **BY_HAND)
    control.add_fault("alpha", "manual_withdrawal", amount="1.25", **BY_HAND)
    control.add_fault("alpha", "manual_deposit", account="ours", asset="USDT", amount="7")
    settle(simulator)


def test_their_histories_are_found_among_those_of_all_assets(
    simulator: RunningSimulator, gateway: VenueGateway
) -> None:
    _move_by_hand(simulator)

    assert gateway.fetch_balances()[COIN].free == D("2.25")
    assert [(row.asset, row.amount) for row in gateway.fetch_deposits(COIN)] == [(COIN, D("0.5"))]
    (left,) = gateway.fetch_withdrawals(COIN)
    assert (left.asset, left.amount) == (COIN, D("1.25"))
    assert not gateway.fetch_wallet_transfers(
        COIN, from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING
    )
    assert [row.amount for row in gateway.fetch_deposits("USDT")] == [D(7)]


def test_a_history_that_may_have_been_cut_off_tells_nothing(
    simulator: RunningSimulator, gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    _move_by_hand(simulator)
    monkeypatch.setattr(funds_calls, "UNLISTED_ROWS_MAX", 2)

    with pytest.raises(NotSupportedByVenue, match="too long a history"):
        gateway.fetch_deposits(COIN)
    assert [row.amount for row in gateway.fetch_deposits("USDT")] == [D(7)]


def test_neither_does_one_of_an_asset_that_its_markets_trade(
    simulator: RunningSimulator, gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    _move_by_hand(simulator)
    monkeypatch.setattr(gateway, "_quirks", replace(quirks_for("binance"), funds_rows_max=1))

    with pytest.raises(VenueUnavailable, match="than can be read"):
        gateway.fetch_deposits("USDT")


def test_a_class_that_lists_one_asset_at_a_time_tells_nothing(
    gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def demand(*_arguments: Any) -> None:
        raise ccxt.ArgumentsRequired("binance fetchDeposits() requires a code argument")

    monkeypatch.setattr(ccxt.binance, "fetch_deposits", demand)

    with pytest.raises(NotSupportedByVenue, match=f"no history of {COIN}"):
        gateway.fetch_deposits(COIN)


def test_a_row_that_does_not_say_which_asset_it_is_about_is_no_answer(
    gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ccxt.binance, "fetch_deposits", lambda *_arguments: [{"id": "1", "amount": "5"}]
    )

    with pytest.raises(VenueUnavailable):
        gateway.fetch_deposits(COIN)
