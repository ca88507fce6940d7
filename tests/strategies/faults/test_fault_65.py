"""An edge that is too good to be true is not traded, and an alarm says how good it looked."""

import pytest

from ledger.models import LogEntry, LogLevel
from strategies.models import Opportunity, Reason
from tests.strategies.faults.play import is_denied, tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def trusting(make_cross, start):
    """A strategy whose own cap takes everything."""
    strategy = make_cross(max_edge_bps="9999")
    start(strategy)
    strategy.refresh_from_db()
    return strategy


def test_a_fat_finger_is_denied_by_the_platforms_own_cap(trusting, edge):
    edge["beta"].set_book("BTC/USDT", bids=[("99000", "1")], asks=[("99010", "1")])

    tick(trusting)

    assert is_denied(edge, Reason.TICKER_MISMATCH)
    denial = Opportunity.objects.get().evidence["denial"]
    assert denial["context"]["limit"] == "1000"
    assert denial["context"]["value"].startswith("9800")
    alarm = LogEntry.objects.get(event="intent_ticker_mismatch")
    assert alarm.level == LogLevel.WARNING
    tick(trusting)
    assert LogEntry.objects.filter(event="intent_ticker_mismatch").count() == 1  # not each tick


def test_a_strategy_has_a_cap_of_its_own(cross, edge):
    edge["beta"].set_book("BTC/USDT", bids=[("54000", "1")], asks=[("54010", "1")])

    assert tick(cross) is None

    cross.refresh_from_db()
    assert "edge_too_good" in {row["code"] for row in cross.last_decision["rejections"]}
    assert edge["alpha"].requests == edge["beta"].requests == []


def test_a_triangle_that_earns_too_much_is_denied_by_its_edge(make_triangular, start, triangle):
    strategy = make_triangular(max_edge_bps="9999")
    start(strategy)
    strategy.refresh_from_db()
    triangle["alpha"].set_book("ETH/USDT", bids=[("3000", "200")], asks=[("3001", "200")])

    tick(strategy)

    assert is_denied(triangle, Reason.EDGE_ABOVE_CAP)
