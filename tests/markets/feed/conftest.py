import pytest

from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from tests.markets.feed.stage import spec_of
from tests.markets.simulator.worlds import ASKS, BIDS, two_venues


@pytest.fixture
def simulator():
    """Two venues, alpha and beta; BTC/USDT is quoted around 50,000 on both."""
    with start_in_thread(two_venues()) as running:
        for code in ("alpha", "beta"):
            running.control.set_book(code, "BTC/USDT", BIDS, ASKS)
        yield running
    close_all()


@pytest.fixture
def alpha(simulator):
    return spec_of(simulator)


@pytest.fixture
def beta(simulator):
    return spec_of(simulator, "beta")
