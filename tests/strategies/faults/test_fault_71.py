"""Books are compared by the moments they are from by our clock, and not when too far apart."""

import pytest

from markets.models import Venue
from strategies.domain.risk import Limits
from strategies.models import Reason
from strategies.services.risk import DEFAULTS, save_limits
from tests.strategies.domain.test_quality import book_of, code_of, grounds_of
from tests.strategies.faults.play import is_denied, tick
from tests.strategies.services.test_risk import gate_of

pytestmark = pytest.mark.django_db
NOW_MS = book_of("alpha").received_at_ms


def test_a_venues_clock_is_put_right_by_its_measured_offset_before_it_is_believed():
    ahead = book_of("beta", venue_time_ms=NOW_MS + 60_000)  # its clock is a minute ahead of ours
    behind = book_of("beta", venue_time_ms=NOW_MS - 60_000)

    for book, offset_ms in ((ahead, -60_000), (behind, 60_000)):
        assert code_of(grounds_of(book_of("alpha"), book, offsets={"beta": offset_ms})) is None


def test_a_book_that_the_venue_made_long_before_we_had_it_is_skewed():
    old = book_of("beta", venue_time_ms=NOW_MS - 700)

    assert code_of(grounds_of(book_of("alpha"), old, offsets={"beta": 0})) == "books_skewed"


def test_the_gate_denies_legs_too_far_apart(make_cross, start, edge):
    strategy = make_cross(book_age_ms_max=600_000, book_skew_ms_max=600_000)
    start(strategy)
    strategy.refresh_from_db()
    save_limits(strategy_id=strategy.pk, limits=Limits(book_skew_ms_max=0))
    edge["alpha"].book_age_ms = 1_000

    tick(strategy)

    assert is_denied(edge, Reason.BOOKS_SKEWED)
    assert DEFAULTS.book_skew_ms_max == 3_000


def test_offsets_come_from_the_venues_of_the_accounts(cross, edge):
    Venue.objects.filter(code="beta").update(clock_offset_ms=-250)

    gate = gate_of(cross)

    assert gate.grounds.clock_offsets_ms == {"beta": -250}
