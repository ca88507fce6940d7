"""Keeps how far our clock is from each venue's."""

import logging
from datetime import datetime

from arbplatform.core.clock import SYSTEM_CLOCK, Clock, to_ms
from markets.domain.clocks import ROUND_TRIP_MS_MAX, ClockReading
from markets.errors import NotSupportedByVenue, UnknownVenue, VenueDisabled, VenueError
from markets.gateway.factory import gateway_for
from markets.models import Venue
from markets.selectors import get_venue_by_id, list_venues

logger = logging.getLogger(__name__)


def measure_clock(*, venue_id: int, clock: Clock = SYSTEM_CLOCK) -> ClockReading | None:
    """Compare our clock with a venue's and keep the offset.

    Returns:
        The reading, or ``None`` where the venue tells no time or answered too slowly to tell.

    Raises:
        UnknownVenue: there is none with this id.
        VenueDisabled: it is switched off.
        VenueError: it did not answer; what was measured before stays.
    """
    venue = get_venue_by_id(venue_id)
    if not venue.is_enabled:
        raise VenueDisabled(venue=venue.code)
    gateway = gateway_for(venue.to_spec())
    try:
        gateway.fetch_time_ms()  # the first call also loads the markets
        started_ms = clock.monotonic_ms()
        venue_ms = gateway.fetch_time_ms()
    except NotSupportedByVenue:
        return None
    taken_ms = clock.monotonic_ms() - started_ms
    offset_ms = round(clock.now_ms() - taken_ms / 2 - venue_ms)
    return keep_clock(
        venue_id=venue_id, offset_ms=offset_ms, round_trip_ms=taken_ms, measured_at=clock.now()
    )


def keep_clock(
    *, venue_id: int, offset_ms: int, round_trip_ms: float, measured_at: datetime
) -> ClockReading | None:
    """Keep a measured offset, unless the answer took too long to say anything.

    Args:
        venue_id: whose clock.
        offset_ms: our clock minus the venue's [ms].
        round_trip_ms: from question to answer [ms].
        measured_at: when.
    """
    if round_trip_ms > ROUND_TRIP_MS_MAX:
        logger.warning("The clock of venue %s was not measured: its answer came late", venue_id)
        return None
    Venue.objects.filter(pk=venue_id).update(
        clock_offset_ms=offset_ms, clock_measured_at=measured_at
    )
    reading = ClockReading(offset_ms, to_ms(measured_at))
    if not reading.is_safe:
        logger.error("Our clock is %s ms ahead of the clock of venue %s", offset_ms, venue_id)
    return reading


def measure_all_clocks() -> None:
    """Measure the clock of every enabled venue; one that does not answer stops no other."""
    for venue_id in list(list_venues(is_enabled=True).values_list("pk", flat=True)):
        try:
            measure_clock(venue_id=venue_id)
        except (UnknownVenue, VenueDisabled):
            continue  # deleted or switched off since it was listed
        except VenueError as error:
            logger.warning("The clock of venue %s was not measured: %s", venue_id, error)
