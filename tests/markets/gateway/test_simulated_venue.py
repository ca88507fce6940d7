"""What only the simulator shows: funds between wallets and venues, and answers that say all."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
from urllib3.util import connection

from arbplatform.core.clock import SYSTEM_CLOCK, SystemClock
from markets.domain.funds import VenueTransferStatus, Wallet
from markets.domain.orders import (
    OrderKind,
    OrderRequest,
    Side,
    TimeInForce,
    VenueOrderStatus,
    Write,
)
from markets.errors import DuplicateClientId, NotSupportedByVenue, OrderTooLate, VenueRejected
from markets.gateway.base import Credentials, VenueGateway
from markets.gateway.factory import gateway_for
from tests.markets.fakes.stage import KEY, SECRET, SimulatedStage, kraken_stage, simulated_stage
from tests.markets.simulator.worlds import settle

SYMBOL = "BTC/USDT"
REQUEST = OrderRequest(SYMBOL, Side.BUY, D("0.7"), "arbtests0000000000000001", price=D("60010.5"))


@pytest.fixture
def stage() -> Iterator[SimulatedStage]:
    with simulated_stage() as stage:
        stage.set_book(SYMBOL, bids=[("59990", "1")], asks=[("60000", "0.5"), ("60010.5", "1")])
        yield stage


@pytest.fixture
def gateway(stage: SimulatedStage) -> VenueGateway:
    return gateway_for(stage.spec, stage.credentials)


def test_the_answer_to_an_order_brings_its_fills(gateway: VenueGateway) -> None:
    order = gateway.submit_order(REQUEST)

    assert [(f.price, f.quantity, f.fee, f.fee_asset) for f in order.fills] == [
        (D(60000), D("0.5"), D("0.0005"), "BTC"),
        (D("60010.5"), D("0.2"), D("0.0002"), "BTC"),
    ]
    listed = gateway.fetch_fills(SYMBOL, venue_order_id=order.venue_order_id)
    assert [fill.venue_trade_id for fill in listed] == [f.venue_trade_id for f in order.fills]
    assert order.average_price == (D(30_000) + D("60010.5") * D("0.2")) / D("0.7")


def test_an_order_that_would_take_is_refused_where_it_must_rest(gateway: VenueGateway) -> None:
    with pytest.raises(VenueRejected, match="immediately match"):
        gateway.submit_order(replace(REQUEST, time_in_force=TimeInForce.POST_ONLY))

    resting = replace(REQUEST, price=D(59_000), time_in_force=TimeInForce.POST_ONLY)
    assert gateway.submit_order(resting).status.value == "open"


def test_an_order_whose_time_has_passed_while_it_waited_is_not_sent(gateway: VenueGateway) -> None:
    now_ms = SYSTEM_CLOCK.monotonic_ms()

    with pytest.raises(OrderTooLate):
        gateway.submit_order(replace(REQUEST, send_before_ms=now_ms - 1))
    assert not gateway.fetch_fills(SYMBOL)

    assert gateway.submit_order(replace(REQUEST, send_before_ms=now_ms + 60_000)).fills


def test_an_order_that_is_held_back_at_the_last_moment_is_not_sent(gateway: VenueGateway) -> None:
    with pytest.raises(OrderTooLate):
        gateway.submit_order(replace(REQUEST, let_go=lambda _write: False))
    assert not gateway.fetch_fills(SYMBOL)

    # it is asked once, when nothing is left to be done but to write
    asked = []

    def let_go(write: Write) -> bool:
        asked.append(write)
        write()
        return True

    assert gateway.submit_order(replace(REQUEST, let_go=let_go)).fills
    assert len(asked) == 1


def test_an_order_whose_time_passes_while_a_connection_is_opened_is_not_sent(
    stage: SimulatedStage, gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.fetch_markets()
    gateway._session.catalog.connections.clear()  # type: ignore[attr-defined]  # of the real one
    until_ms = SYSTEM_CLOCK.monotonic_ms() + 60_000
    connect = connection.create_connection
    opened = []

    def connect_slowly(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(SystemClock, "monotonic_ms", lambda _clock: until_ms + 1)
        opened.append(args)
        return connect(*args, **kwargs)

    monkeypatch.setattr(connection, "create_connection", connect_slowly)

    with pytest.raises(OrderTooLate):
        gateway.submit_order(replace(REQUEST, send_before_ms=until_ms))

    assert len(opened) == 1
    assert not stage.simulator.control.world.venues["alpha"].engine.accounts["ours"].orders


def test_too_small_an_order_is_the_venues_refusal(gateway: VenueGateway) -> None:
    with pytest.raises(VenueRejected, match="NOTIONAL"):
        gateway.submit_order(replace(REQUEST, quantity=D("0.00001")))


@pytest.mark.usefixtures("standing_time")  # or another minute may have begun
def test_bars_show_what_was_traded(gateway: VenueGateway) -> None:
    gateway.submit_order(REQUEST)

    bars = gateway.fetch_candles(SYMBOL, "1m")

    assert bars[-1].open == D(60_000)
    assert bars[-1].volume == D("0.7")


def test_wallet_transfers_are_listed_in_their_direction_only(gateway: VenueGateway) -> None:
    since_ms = SYSTEM_CLOCK.now_ms() - 60_000
    out = gateway.transfer(
        asset="USDT", amount=D("7.5"), from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING
    )

    there = gateway.fetch_wallet_transfers(
        "USDT", from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING, since_ms=since_ms
    )
    back = gateway.fetch_wallet_transfers(
        "USDT", from_wallet=Wallet.FUNDING, to_wallet=Wallet.SPOT, since_ms=since_ms
    )

    assert [(row.venue_transfer_id, row.amount) for row in there] == [
        (out.venue_transfer_id, D("7.5"))
    ]
    assert back == []


def test_funds_arrive_at_another_venue_less_the_network_fee(
    stage: SimulatedStage, gateway: VenueGateway
) -> None:
    beta = replace(stage.spec, code="beta", rest_origin=f"{stage.simulator.url}/beta", ws_origin="")
    there = gateway_for(beta, Credentials(f"{KEY}-beta", f"{SECRET}-beta"))
    before = there.fetch_balances()["USDT"].free
    own_id = "arbtests00000000000000w1"
    destination = there.fetch_deposit_address("USDT")

    gateway.withdraw(amount=D(100), destination=destination, client_transfer_id=own_id)
    with pytest.raises(DuplicateClientId):
        gateway.withdraw(amount=D(100), destination=destination, client_transfer_id=own_id)

    settle(stage.simulator)
    (arrived,) = there.fetch_deposits("USDT")
    (sent,) = gateway.fetch_withdrawals("USDT")
    assert (arrived.amount, arrived.status) == (D(99), VenueTransferStatus.DONE)
    assert (sent.amount, sent.fee, sent.client_transfer_id) == (D(100), D(1), own_id)
    assert arrived.tx_id == sent.tx_id
    assert there.fetch_balances()["USDT"].free == before + 99


def test_the_networks_of_every_asset_are_told_in_one_answer(gateway: VenueGateway) -> None:
    one = {network.network for network in gateway.fetch_networks("USDT")}

    every = {network.network for network in gateway.fetch_networks(None)}

    assert one < every


def test_the_networks_of_an_asset_are_told(stage: SimulatedStage, gateway: VenueGateway) -> None:
    (network,) = gateway.fetch_networks("USDT")

    assert (network.can_deposit, network.can_withdraw, network.fee) == (True, True, D(1))
    assert (network.withdraw_min, network.withdraw_step) == (D("1.00000001"), D("0.00000001"))
    assert gateway.fetch_deposit_address("USDT", network.network).network is None  # it names none


def test_what_a_class_does_not_offer_is_said_before_anything_is_sent() -> None:
    with kraken_stage() as stage:
        gateway = gateway_for(stage.spec, stage.credentials)
        stage.set_book(SYMBOL, bids=[], asks=[])
        gateway.fetch_book(SYMBOL)
        sent = len(stage.venue.server.requests)

        for call in (
            lambda: gateway.fetch_balances(Wallet.FUNDING),
            lambda: gateway.transfer(
                asset="USDT", amount=D(1), from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING
            ),
            lambda: gateway.fetch_wallet_transfers(
                "USDT", from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING
            ),
        ):
            with pytest.raises(NotSupportedByVenue):
                call()

        assert len(stage.venue.server.requests) == sent


def test_a_market_order_needs_no_price(gateway: VenueGateway) -> None:
    order = gateway.submit_order(
        OrderRequest(SYMBOL, Side.SELL, D("0.5"), "arbtests0000000000000002", kind=OrderKind.MARKET)
    )

    assert order.status is VenueOrderStatus.FILLED
    assert order.average_price == D(59_990)
