"""Nothing is left of a connection that was lost: reconnects do not make a process grow."""

import asyncio
import gc

from markets.gateway.sockets import Socket
from tests.markets.feed.stage import SYMBOL, followed, move, spec_of

KINDS = (Socket, asyncio.Task, asyncio.Transport)


def alive():
    gc.collect()
    # by type: asking a weak proxy for its class fails once its object is gone
    kinds = [type(thing) for thing in gc.get_objects()]
    return [sum(issubclass(found, kind) for found in kinds) for kind in KINDS]


async def cut_once(simulator, told, price):
    simulator.control.add_fault("alpha", "ws_disconnect", symbol=SYMBOL, stream="market")
    opened = told.states_of().count("healthy")
    move(simulator, price)
    await told.until(lambda: told.states_of().count("healthy") > opened)


async def test_many_reconnects_leave_nothing_behind(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        await cut_once(simulator, told, 50_001)
        before = alive()

        for price in range(50_002, 50_010):
            await cut_once(simulator, told, price)
        after = alive()

        venue = told.hub._venues["alpha"]
        assert all(now <= then + 1 for then, now in zip(before, after, strict=True))
        assert venue._streams.exchange.clients == {}
        assert venue._subscriptions._asked == {}
        [status] = told.hub.statuses()
        assert status.reconnect_count == 9


async def test_markets_that_nobody_wants_any_more_leave_nothing_behind(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        venue = told.hub._venues["alpha"]

        told.hub.want({spec_of(simulator): ["ETH/BTC"]})
        await told.until_state("stale", symbol="ETH/BTC")

        assert (
            list(venue.feeds) == list(venue._keepers) == list(venue._lines._line_of) == ["ETH/BTC"]
        )
        assert list(venue._by_id) == ["ETHBTC"]
