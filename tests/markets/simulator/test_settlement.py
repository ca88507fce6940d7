"""Withdrawals between venues, in memory."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.clock import FixedClock
from markets.domain.funds import Wallet
from markets.simulator import settlement as settlement_module
from markets.simulator.exchange.units import UNITS_PER_ONE, from_units
from markets.simulator.settlement import (
    RepeatedClientId,
    TransferStatus,
    deposit_address,
    network_of,
)
from markets.simulator.venue import InsufficientBalance
from tests.markets.simulator.worlds import new_world, two_venues

START_MS = 1_767_225_600_000
DELAY_MS = 60_000


@pytest.fixture
def world(clock):
    return new_world(two_venues(), clock)


def send(world, amount, *, asset="USDT", address=None, client_id="", wallet=Wallet.SPOT):
    return world.settlement.withdraw(
        world.venues["alpha"],
        "ours",
        wallet=wallet,
        asset=asset,
        amount=int(Decimal(amount) * UNITS_PER_ONE),
        address=address or deposit_address("beta", "ours", asset),
        client_id=client_id,
    )


def free(world, venue, asset="USDT"):
    return world.venues[venue].engine.free_of("ours", asset)


def test_a_withdrawal_arrives_after_the_delay_and_not_before(world, clock):
    transfer = send(world, "10")
    clock.advance_ms(DELAY_MS - 1)
    assert world.settlement.settle(clock.now_ms()) == []
    assert (free(world, "alpha"), free(world, "beta")) == (99_990, 100_000)

    clock.advance_ms(1)
    assert world.settlement.settle(clock.now_ms()) == [transfer]
    assert world.settlement.settle(clock.now_ms()) == []

    assert transfer.status is TransferStatus.COMPLETED
    assert free(world, "beta") == 100_009


def test_an_asset_without_a_network_fee_arrives_whole(world, clock):
    send(world, "0.5", asset="BTC")
    clock.advance_ms(DELAY_MS)
    world.settlement.settle(clock.now_ms())

    assert (free(world, "alpha", "BTC"), free(world, "beta", "BTC")) == (
        Decimal("1.5"),
        Decimal("2.5"),
    )


def test_an_address_belongs_to_one_account_and_asset_only(world, clock):
    send(world, "10", address=deposit_address("beta", "ours", "BTC"))
    clock.advance_ms(DELAY_MS)

    [transfer] = world.settlement.settle(clock.now_ms())

    assert transfer.status is TransferStatus.FAILED
    assert (free(world, "alpha"), free(world, "beta")) == (100_000, 100_000)


def test_refusals_take_nothing(world):
    send(world, "10", client_id="once")

    with pytest.raises(RepeatedClientId):
        send(world, "10", client_id="once")
    with pytest.raises(InsufficientBalance):
        send(world, "99990.000000000000000001")
    with pytest.raises(InsufficientBalance):
        send(world, "1", wallet=Wallet.FUNDING)

    assert free(world, "alpha") == 99_990


def test_old_transfers_are_forgotten_beyond_the_bound_but_never_those_on_their_way(
    world, clock, monkeypatch
):
    monkeypatch.setattr(settlement_module, "TRANSFERS_KEPT_MAX", 2)
    first = send(world, "10", client_id="a")
    clock.advance_ms(DELAY_MS)
    world.settlement.settle(clock.now_ms())
    later = [send(world, "10", client_id=name) for name in ("b", "c", "d")]

    assert first.id not in world.settlement.transfers
    assert all(transfer.id in world.settlement.transfers for transfer in later)


def test_assets_have_networks():
    assert (network_of("BTC"), network_of("USDT"), network_of("XYZ")) == ("BTC", "TRX", "SIM")


amounts = st.lists(
    st.tuples(st.integers(1, 500), st.booleans(), st.integers(0, 90_000)), max_size=20
)


@given(amounts)
def test_nothing_is_created_or_lost_on_the_way(script):
    clock = FixedClock(START_MS)
    world = new_world(two_venues(), clock)

    def total():
        inside = sum(venue.engine.total_of("USDT") for venue in world.venues.values())
        return inside + from_units(world.settlement.in_transit("USDT"))

    before = total()
    for amount, is_known, wait_ms in script:
        send(world, amount + 1, address=None if is_known else "0x" + "0" * 40)
        clock.advance_ms(wait_ms)
        world.settlement.settle(clock.now_ms())
        assert total() == before
