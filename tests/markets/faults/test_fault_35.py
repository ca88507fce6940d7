"""The order count is a limit of its own, of each account."""

import pytest

from markets.errors import VenueRateLimited
from markets.gateway import factory
from markets.gateway.base import Credentials
from markets.gateway.limiter import ACCOUNTS_MAX, RateLimiter, TooManyRequests, Urgency
from tests.markets.faults.play import make_budget, make_order, process, simulated
from tests.markets.simulator.worlds import KEYS

pytestmark = pytest.mark.usefixtures("time_stands_still")

BUDGET = make_budget(order_ms=1_000, window_ms=10_000)


def test_orders_of_all_processes_count_together_but_reads_go_on(redis_server):
    ours, _ = process(redis_server.url, BUDGET)
    theirs, slept = process(redis_server.url, BUDGET)
    for _order in range(5):
        ours.acquire(0.1, account="a")
        theirs.acquire(0.1, account="a")
    theirs.acquire(0.1, account="a")
    theirs.acquire(0.1, account="a")

    with pytest.raises(TooManyRequests):
        ours.acquire(0.1, account="a")

    ours.acquire(0.1, urgency=Urgency.READ)
    ours.acquire(0.1, account="b")
    assert slept.slept_ms == [BUDGET.order_ms, 2 * BUDGET.order_ms]


def test_orders_from_another_address_count_as_well(redis_server):
    ours, _ = process(redis_server.url, BUDGET)
    elsewhere = type(BUDGET)("test", "elsewhere", 100.0, 1_000.0, 10_000)
    theirs, _ = process(redis_server.url, elsewhere)
    for _order in range(12):
        ours.acquire(0.1, account="a")

    with pytest.raises(TooManyRequests):
        theirs.acquire(0.1, account="a")


def test_the_venues_own_refusal_holds_the_accounts_orders_back(redis_server, simulator):
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)
    gateway = factory.gateway_for(simulated(simulator), Credentials(*KEYS["alpha"]))
    gateway.submit_order(make_order(1))
    simulator.control.add_fault(
        "alpha",
        "refuse",
        path="api/v3/order",
        method="POST",
        status=400,
        code=-1015,
        text="Too many new orders; current limit is 50 orders per 10 SECOND.",
    )

    with pytest.raises(VenueRateLimited):
        gateway.submit_order(make_order(2))
    with pytest.raises(VenueRateLimited, match="share of requests is used up"):
        gateway.submit_order(make_order(3))

    gateway.cancel_order(symbol="BTC/USDT", client_order_id="mine-1")
    assert gateway.fetch_open_orders("BTC/USDT") == []


def test_a_process_alone_counts_and_holds_orders_as_well():
    at_ms = [0.0]
    limiter = RateLimiter(
        0, order_ms=1_000, hold_ms=10_000, now_ms=lambda: at_ms[0], sleep=lambda _seconds: None
    )
    limiter.hold_orders("a")

    with pytest.raises(TooManyRequests):
        limiter.acquire(account="a")
    limiter.acquire()
    limiter.acquire(account="b")
    at_ms[0] += 10_000
    limiter.acquire(account="a")


def test_the_memory_of_accounts_is_bounded():
    limiter = RateLimiter(0, order_ms=1, now_ms=lambda: 0.0, sleep=lambda _seconds: None)

    for number in range(ACCOUNTS_MAX + 5):
        limiter.acquire(account=str(number))

    assert len(limiter._orders_from_ms) == ACCOUNTS_MAX
