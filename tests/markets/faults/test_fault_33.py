"""Too many requests: one budget for all processes, orders before market data."""

import pytest

from markets.errors import VenueRateLimited
from markets.gateway import factory
from markets.gateway.base import Credentials
from markets.gateway.budget import Redis
from markets.gateway.limiter import (
    BURST_MS,
    LOOKUP_RESERVE_MS,
    RESERVE_MS,
    WAIT_MS_MAX,
    RateLimiter,
    TooManyRequests,
    Urgency,
)
from markets.gateway.statuses import SILENCE_MS
from tests.markets.faults.play import (
    UNIT_MS,
    limiter_of,
    make_budget,
    make_order,
    process,
    simulated,
)
from tests.markets.simulator.worlds import KEYS

pytestmark = pytest.mark.usefixtures("time_stands_still")

ORDER = make_order(1)


def test_reads_of_one_process_use_up_what_another_may_read(redis_server):
    ours, _ = process(redis_server.url)
    theirs, slept = process(redis_server.url)
    ours.acquire((BURST_MS - RESERVE_MS) / UNIT_MS, urgency=Urgency.READ)

    with pytest.raises(TooManyRequests):
        theirs.acquire(WAIT_MS_MAX / UNIT_MS + 1, urgency=Urgency.READ)

    theirs.acquire(1)
    assert slept.slept_ms == []


def test_a_storm_of_reads_leaves_a_reserve_to_look_ups_of_orders(redis_server):
    reader, _ = process(redis_server.url)
    searcher, slept = process(redis_server.url)
    trader, _ = process(redis_server.url)
    for _request in range(int((BURST_MS - RESERVE_MS) / UNIT_MS)):
        reader.acquire(1, urgency=Urgency.READ)
    with pytest.raises(TooManyRequests):
        reader.acquire(WAIT_MS_MAX / UNIT_MS + 1, urgency=Urgency.READ)

    for _lookup in range(int(LOOKUP_RESERVE_MS / UNIT_MS)):
        searcher.acquire(1, urgency=Urgency.LOOKUP)

    assert slept.slept_ms == []
    for _order in range(int((RESERVE_MS - LOOKUP_RESERVE_MS) / UNIT_MS)):
        trader.acquire(1)  # and look-ups leave one to orders


def test_an_unknown_order_is_found_while_market_data_uses_up_all_it_may(redis_server, simulator):
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)
    gateway = factory.gateway_for(simulated(simulator), Credentials(*KEYS["alpha"]))
    gateway.submit_order(ORDER)
    limiter = limiter_of(gateway)
    # another process has asked for as much as reads may ask for
    limiter.acquire((BURST_MS - RESERVE_MS - 500) / limiter.unit_ms, urgency=Urgency.READ)

    found = gateway.fetch_order(symbol="BTC/USDT", client_order_id=ORDER.client_order_id)

    assert found.client_order_id == ORDER.client_order_id


def test_a_storm_of_reads_leaves_the_reserve_to_orders(redis_server):
    reader, _ = process(redis_server.url)
    trader, slept = process(redis_server.url)
    for _request in range(int((BURST_MS - RESERVE_MS) / UNIT_MS)):
        reader.acquire(1, urgency=Urgency.READ)
    with pytest.raises(TooManyRequests):
        reader.acquire(WAIT_MS_MAX / UNIT_MS + 1, urgency=Urgency.READ)

    for _order in range(int(RESERVE_MS / UNIT_MS)):
        trader.acquire(1)

    assert slept.slept_ms == []


def test_writes_queue_for_their_turn_and_a_late_one_is_refused_whole(redis_server):
    trader, slept = process(redis_server.url)
    trader.acquire(BURST_MS / UNIT_MS)
    trader.acquire(WAIT_MS_MAX / UNIT_MS - 2)

    with pytest.raises(TooManyRequests) as refusal:
        trader.acquire(10)

    assert refusal.value.wait_ms == WAIT_MS_MAX - 2 * UNIT_MS + 10 * UNIT_MS
    assert not refusal.value.is_blocked
    assert slept.slept_ms == [WAIT_MS_MAX - 2 * UNIT_MS]


def test_a_read_that_needs_the_whole_burst_is_not_starved(redis_server):
    reader, slept = process(redis_server.url)

    reader.acquire(BURST_MS / UNIT_MS, urgency=Urgency.READ)

    assert slept.slept_ms == []


def test_a_429_silences_every_process(redis_server, simulator):
    simulator.control.add_fault(
        "alpha", "refuse", path="api/v3/depth", status=429, code=-1003, text="Too many requests."
    )
    spec = simulated(simulator)
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)
    gateway = factory.gateway_for(spec)
    gateway.fetch_time_ms()

    with pytest.raises(VenueRateLimited):
        gateway.fetch_book("BTC/USDT")

    budget = limiter_of(gateway)._budget
    health = Redis(redis_server.url).look(budget)
    assert health is not None
    assert health.silent_ms == SILENCE_MS


def test_an_order_goes_when_market_data_has_used_up_its_part(redis_server, simulator):
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)
    trader = factory.gateway_for(simulated(simulator, rateLimit=20), Credentials(*KEYS["alpha"]))
    trader.fetch_time_ms()
    limiter = limiter_of(trader)
    unit_ms = limiter.unit_ms
    limiter.acquire((BURST_MS + WAIT_MS_MAX / 2) / unit_ms - 30)  # as if reads had gone before

    with pytest.raises(VenueRateLimited, match="share of requests is used up"):
        trader.fetch_book("BTC/USDT")  # a read would have to wait until the reserve is full again
    order = trader.submit_order(ORDER)

    assert order.client_order_id == ORDER.client_order_id


def test_the_part_of_one_process_keeps_the_reserve_as_well():
    slept: list[float] = []
    limiter = RateLimiter(UNIT_MS, now_ms=lambda: 0.0, sleep=slept.append)
    limiter.acquire((BURST_MS - RESERVE_MS) / UNIT_MS, urgency=Urgency.READ)

    with pytest.raises(TooManyRequests):
        limiter.acquire(1, urgency=Urgency.READ)
    limiter.acquire(RESERVE_MS / UNIT_MS)

    assert make_budget().local().unit_ms == 4 * UNIT_MS
