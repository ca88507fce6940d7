import pytest

from arbplatform.core.clock import FixedClock
from markets.errors import NotSupportedByVenue, UnknownVenue, VenueDisabled, VenueUnavailable
from markets.models import Venue
from markets.services.reach import Reach, measure_reach
from tests.markets.conftest import Venues

pytestmark = pytest.mark.django_db


def test_round_trip_and_clock_offset_are_measured(
    alpha: Venue, venues: Venues, clock: FixedClock
) -> None:
    def answer() -> int:
        clock.advance_ms(40)
        return clock.at_ms - 20 - 700

    venues.answer("alpha", fetch_time_ms=answer)

    assert measure_reach(venue_id=alpha.pk, clock=clock) == Reach(40, 700)


def test_a_venue_that_tells_no_time_is_asked_for_its_markets(
    alpha: Venue, venues: Venues, clock: FixedClock
) -> None:
    venues.answer("alpha", fetch_time_ms=NotSupportedByVenue(venue="alpha", cause="time"))

    assert measure_reach(venue_id=alpha.pk, clock=clock) == Reach(0, None)
    assert venues.calls("alpha")[-1] == ("fetch_markets",)


def test_a_venue_that_does_not_answer_is_unavailable(alpha: Venue, venues: Venues) -> None:
    venues.answer("alpha", fetch_time_ms=VenueUnavailable(venue="alpha", cause="down"))

    with pytest.raises(VenueUnavailable):
        measure_reach(venue_id=alpha.pk)


def test_what_is_disabled_or_absent_is_not_asked(alpha: Venue, venues: Venues) -> None:
    asked = len(venues.calls("alpha"))
    Venue.objects.update(is_enabled=False)

    with pytest.raises(VenueDisabled):
        measure_reach(venue_id=alpha.pk)
    with pytest.raises(UnknownVenue):
        measure_reach(venue_id=alpha.pk + 1)

    assert len(venues.calls("alpha")) == asked
