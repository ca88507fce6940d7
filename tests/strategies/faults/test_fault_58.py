"""A book that is older than allowed is no ground to trade on, whatever its strategy says."""

import pytest

from arbplatform.core.clock import SystemClock
from strategies.domain.risk import Limits
from strategies.models import Reason
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from strategies.services.risk import DEFAULTS, save_limits
from tests.patience import PATIENCE_MS, PATIENT_BOOKS
from tests.strategies.faults.play import is_denied, tick

pytestmark = pytest.mark.django_db


class LateClock(SystemClock):
    """Six seconds ahead of the one by which books are received."""

    def now_ms(self):
        return super().now_ms() + 6_000


@pytest.fixture
def careless(make_cross, start):
    """A strategy whose own parameters take books of ten minutes."""
    strategy = make_cross(book_age_ms_max=600_000, book_skew_ms_max=600_000)
    start(strategy)
    strategy.refresh_from_db()
    return strategy


@pytest.fixture
def careful(make_cross, start, monkeypatch):
    """A strategy whose parameters about books are the usual ones; it waits for all of them."""
    monkeypatch.setattr(CrossVenue, "book_wait_ms", PATIENCE_MS)
    fields = CrossVenueParams.model_fields
    strategy = make_cross(**{name: fields[name].default for name in PATIENT_BOOKS})
    start(strategy)
    strategy.refresh_from_db()
    return strategy


@pytest.fixture
def late():
    """A clock by which all books are six seconds old."""
    return LateClock()


@pytest.mark.usefixtures("exact_decisions")
def test_the_gate_denies_a_stale_book_by_our_own_limit(careless, edge, late):
    assert DEFAULTS.book_age_ms_max == 5_000

    tick(careless, clock=late)

    assert is_denied(edge, Reason.BOOK_STALE)


def test_a_wider_limit_of_the_strategy_lets_it_pass(careless, edge, late):
    save_limits(strategy_id=careless.pk, limits=Limits(book_age_ms_max=60_000))

    assert tick(careless, clock=late) is not None


def test_a_strategy_with_its_usual_parameters_finds_nothing_in_a_stale_book(careful, edge, late):
    assert tick(careful, clock=late) is None

    careful.refresh_from_db()
    assert {row["code"] for row in careful.last_decision["rejections"]} == {"book_stale"}
    assert edge["alpha"].requests == []
