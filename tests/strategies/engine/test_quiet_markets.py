"""A market in which nothing changes: traded as long as something of its own proves its book."""

import pytest

from markets.domain.book import Look
from markets.models import Venue
from strategies.models import Execution, Opportunity, Reason
from strategies.services.evidence import recompute
from strategies.services.risk import DEFAULTS
from tests.strategies.engine.stage import offer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_decisions")]

MINUTE_MS = 60_000
AGE_MS_MAX = DEFAULTS.book_age_ms_max or 0
SKEW_MS_MAX = DEFAULTS.book_skew_ms_max or 0


@pytest.fixture
def measured(watched):
    """A strategy on a loop that a test plays, on venues whose clocks go like ours."""
    Venue.objects.update(clock_offset_ms=0, clock_measured_at=watched.clock.now())
    watched.refresh()
    return watched


def stand_still(stage, *venues, proven_ago_ms=None):
    """Let books be a minute old on living connections, and proven by a look at some moment."""
    now_ms = stage.clock.now_ms()
    look = None if proven_ago_ms is None else Look(now_ms - proven_ago_ms, now_ms - proven_ago_ms)
    for venue in venues:
        live = stage.books.live[venue, "BTC/USDT"]
        live.venue_time_ms = now_ms - MINUTE_MS
        live.date(now_ms, now_ms - MINUTE_MS, look)


def test_two_quiet_markets_that_were_looked_at_are_traded(measured):
    offer(measured)
    stand_still(measured, "alpha", "beta", proven_ago_ms=AGE_MS_MAX - 1_000)

    measured.crew.work()

    [book, _other] = Execution.objects.get().opportunity.evidence["books"]
    assert book["proven_by"] == "look"
    assert book["age_ms"] == AGE_MS_MAX - 1_000
    assert recompute(opportunity_id=Opportunity.objects.get().pk).matches


@pytest.mark.parametrize("proven_ago_ms", [None, AGE_MS_MAX + 1])
def test_a_stream_that_may_stand_still_is_not_traded_though_its_connection_lives(
    measured, proven_ago_ms
):
    offer(measured)
    stand_still(measured, "alpha", proven_ago_ms=proven_ago_ms)

    measured.crew.work()

    assert not Execution.objects.exists()
    left = Opportunity.objects.get()
    assert left.reason == Reason.BOOK_STALE
    book = next(item for item in left.evidence["books"] if item["venue"] == "alpha")
    assert book["proven_by"] == ("stream" if proven_ago_ms is None else "look")
    assert book["age_ms"] == left.evidence["denial"]["context"]["value"] > AGE_MS_MAX


def test_a_quiet_market_is_not_compared_with_what_changed_long_after_its_proof(measured):
    offer(measured)
    stand_still(measured, "alpha", proven_ago_ms=SKEW_MS_MAX + 500)

    measured.crew.work()

    assert Opportunity.objects.get().reason == Reason.BOOKS_SKEWED


def test_a_quiet_book_that_is_proven_is_decided_on_again_at_once(measured):
    offer(measured)
    stand_still(measured, "alpha")
    measured.crew.work()
    assert not Execution.objects.exists()

    live = measured.books.live["alpha", "BTC/USDT"]
    stand_still(measured, "alpha", proven_ago_ms=10)
    measured.books.board.book_changed(live, 1)
    measured.pass_ms(20)
    measured.crew.work()

    assert Execution.objects.exists()
