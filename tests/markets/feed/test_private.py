"""What a simulated venue tells the owner of a key, over real sockets."""

import asyncio
import logging
from decimal import Decimal

import pytest

from markets.domain.orders import Side, VenueOrderStatus
from markets.feed.private import PrivateStream
from markets.feed.reader import RestReader
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.private_streams import PrivateStreams
from tests.markets.feed.stage import FAST, SYMBOL, TIMEOUT_S
from tests.markets.simulator.worlds import KEYS, RawClient


class Owner:
    """Remembers what an account was told."""

    def __init__(self):
        self.orders, self.fills, self.balances, self.starts = [], [], 0, 0
        self._news = asyncio.Event()

    def order_changed(self, order):
        self.orders.append(order)
        self._news.set()

    def fill_happened(self, fill):
        self.fills.append(fill)
        self._news.set()

    def balance_changed(self):
        self.balances += 1
        self._news.set()

    def heard_again(self):
        self.starts += 1
        self._news.set()

    async def until(self, is_so):
        async with asyncio.timeout(TIMEOUT_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def owner(alpha):
    told, reader = Owner(), RestReader()
    key, secret = KEYS["alpha"]
    stream = PrivateStream(
        alpha,
        Credentials(key, secret),
        listener=told,
        reader=reader,
        timeout_ms=10_000,
        timing=FAST,
    )
    yield told
    await stream.close()
    reader.close()


async def trade(simulator, told, client_id, enough):
    """Buy a little again and again until what was told is enough."""
    client = RawClient(simulator.url, "alpha", KEYS["alpha"])
    try:
        async with asyncio.timeout(TIMEOUT_S):
            number = 0
            while not enough():
                number += 1
                order = {"price": "50010", "quantity": "0.001", "timeInForce": "IOC"}
                order["newClientOrderId"] = f"{client_id}-{number}"
                await asyncio.to_thread(client.order, **order)
                await asyncio.sleep(0.1)  # the simulator tells in a thread of its own
    finally:
        client.close()


@pytest.mark.parametrize(
    "row",
    [None, [], {}, {"id": "1", "status": []}, {"id": "1", "fees": 7}, {"id": "1", "amount": "x"}],
)
async def test_an_event_that_cannot_be_read_is_left_out(row):
    streams = PrivateStreams(VenueSpec("far", "okx"), Credentials("k", "s"), timeout_ms=1)

    assert streams._order(row) is None
    assert streams._fill(row) is None
    await streams.close()


async def test_orders_and_executions_are_told_as_they_happen(simulator, owner):
    await owner.until(lambda: owner.starts == 1)

    await trade(simulator, owner, "mine", lambda: owner.orders and owner.fills and owner.balances)

    done = next(order for order in owner.orders if order.status is VenueOrderStatus.FILLED)
    assert done.client_order_id.startswith("mine-")
    assert (done.symbol, done.side, done.quantity) == (SYMBOL, Side.BUY, Decimal("0.001"))
    fill = owner.fills[0]
    assert (fill.symbol, fill.price, fill.quantity) == (SYMBOL, Decimal(50010), Decimal("0.001"))
    assert (fill.fee, fill.fee_asset) == (Decimal("0.000001"), "BTC")
    assert fill.venue_order_id in {order.venue_order_id for order in owner.orders}


async def test_after_a_lost_connection_it_is_listened_again(simulator, owner, caplog):
    caplog.set_level(logging.DEBUG)
    await owner.until(lambda: owner.starts == 1)
    await trade(simulator, owner, "before", lambda: owner.orders)
    simulator.control.add_fault("alpha", "ws_disconnect", stream="user")

    await trade(simulator, owner, "between", lambda: owner.starts >= 2)
    # of those between, one may be told of after any number of moments
    await trade(
        simulator,
        owner,
        "after",
        lambda: any(order.client_order_id.startswith("after-") for order in owner.orders),
    )

    key, secret = KEYS["alpha"]
    assert key not in caplog.text
    assert secret not in caplog.text
