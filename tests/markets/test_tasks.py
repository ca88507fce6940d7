from typing import Any

import pytest

from markets import tasks
from markets.errors import VenueError, VenueUnavailable
from markets.models import Market, Venue
from tests.markets.conftest import Venues
from tests.markets.fakes.gateway import make_rules

pytestmark = pytest.mark.django_db


def test_the_tasks_have_the_names_that_beat_and_services_use() -> None:
    assert tasks.sync_all_markets.name == "markets.sync_all_markets"
    assert tasks.sync_markets.name == "markets.sync_markets"


def test_one_venue_is_synchronised(alpha: Venue, venues: Venues) -> None:
    venues.answer("alpha", fetch_markets=[make_rules("alpha", "SOL/USDT")])

    tasks.sync_markets(venue_id=alpha.pk)

    assert Market.objects.get(is_active=True).symbol == "SOL/USDT"


def test_all_venues_are_synchronised(alpha: Venue, beta: Venue, venues: Venues) -> None:
    venues.answer("beta", fetch_markets=[make_rules("beta", "SOL/USDT")])

    tasks.sync_all_markets()

    assert Market.objects.filter(venue=beta, symbol="SOL/USDT", is_active=True).exists()


def test_a_venue_that_went_meanwhile_is_no_error(alpha: Venue, venues: Venues) -> None:
    asked = len(venues.calls("alpha"))

    tasks.sync_markets(venue_id=alpha.pk + 1)
    Venue.objects.update(is_enabled=False)
    tasks.sync_markets(venue_id=alpha.pk)

    assert len(venues.calls("alpha")) == asked


def test_a_venue_that_does_not_answer_is_asked_again(alpha: Venue, venues: Venues) -> None:
    task: Any = tasks.sync_markets
    assert task.autoretry_for == (VenueError,)
    assert task.max_retries == 5
    venues.answer("alpha", fetch_markets=VenueUnavailable(venue="alpha", cause="down"))

    with pytest.raises(VenueUnavailable):
        task._orig_run(venue_id=alpha.pk)
