"""Simulated venues, and nothing that outlives a test in the gateway."""

from collections.abc import Iterator
from typing import Any

import pytest

from markets.gateway import budget, factory
from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import ASKS, BIDS, two_venues
from tests.processes import redis_server

__all__ = ["redis_server"]

STANDING_CLOCK = "{'1767225600', '0'}"


@pytest.fixture
def simulator() -> Iterator[Any]:
    with start_in_thread(two_venues()) as running:
        for code in ("alpha", "beta"):
            running.control.set_book(code, "BTC/USDT", BIDS, ASKS)
        yield running


@pytest.fixture
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing flow into the budgets in Redis: what is left of them is exact then."""
    for name in ("_TAKE", "_SILENCE", "_HOLD", "_LOOK"):
        script = getattr(budget, name)
        assert script.count("redis.call('TIME')") == 1
        standing = script.replace("redis.call('TIME')", STANDING_CLOCK)
        monkeypatch.setattr(budget, name, standing)


@pytest.fixture(autouse=True)
def nothing_is_shared_afterwards() -> Iterator[None]:
    yield
    factory.close_all()
    factory.configure(timeout_ms=10_000)
