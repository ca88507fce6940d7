"""A simulated venue over real HTTP, and a database server that a test may stop and start."""

import pytest

from markets.gateway import factory
from markets.simulator.running import start_in_thread
from tests.ledger.faults.wire import Wire
from tests.ledger.over_http import open_account
from tests.ledger.reconciled import bought, look, opened_books, resting
from tests.markets.simulator.worlds import ASKS, BIDS, two_venues
from tests.restartable import spool_dir

__all__ = [
    "bought",
    "look",
    "opened_books",
    "resting",
    "spool_dir",
]

PATIENCE_MS = 10_000
"""How long the gateway waits here: a machine that is busy makes no answer of a venue late."""


@pytest.fixture
def wire(request, db, monkeypatch):
    """The venue alpha with a funded account, its books opened; every request is noted.

    Its parameter is how long the gateway waits [ms].
    """
    config = two_venues() | {"settlement": {"delay_ms": 100, "network_fees": {}}}
    factory.configure(timeout_ms=getattr(request, "param", PATIENCE_MS))
    with start_in_thread(config) as simulator:
        simulator.control.set_book("alpha", "BTC/USDT", BIDS, ASKS)
        simulator.control.set_book("beta", "BTC/USDT", BIDS, ASKS)
        made = Wire(simulator, open_account(simulator, "alpha"))
        made.note_requests(monkeypatch)
        yield made
        factory.close_all()
    factory.configure(timeout_ms=factory.TIMEOUT_MS)
