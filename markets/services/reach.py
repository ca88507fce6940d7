"""Finds out whether a venue can be reached, and how far its clock is from ours."""

from dataclasses import dataclass

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from markets.errors import NotSupportedByVenue, VenueDisabled
from markets.gateway.factory import gateway_for
from markets.selectors import get_venue_by_id
from markets.services.clocks import keep_clock


@dataclass(frozen=True, slots=True)
class Reach:
    """How a venue answered.

    Attributes:
        round_trip_ms: from question to answer [ms].
        clock_offset_ms: our clock minus the venue's [ms]; ``None`` where it tells no time.
    """

    round_trip_ms: int
    clock_offset_ms: int | None


def measure_reach(*, venue_id: int, clock: Clock = SYSTEM_CLOCK) -> Reach:
    """Ask a venue for its time, or for its markets where it tells none; keep its clock's offset.

    Args:
        venue_id: which venue.
        clock: measures.

    Raises:
        UnknownVenue: there is none with this id.
        VenueDisabled: it is switched off.
        VenueError: it did not answer.
    """
    venue = get_venue_by_id(venue_id)
    if not venue.is_enabled:
        raise VenueDisabled(venue=venue.code)
    gateway = gateway_for(venue.to_spec())
    venue_ms: int | None = None
    started_ms = clock.monotonic_ms()
    try:
        venue_ms = gateway.fetch_time_ms()  # the first call also loads the markets
        started_ms = clock.monotonic_ms()
        venue_ms = gateway.fetch_time_ms()
    except NotSupportedByVenue:
        started_ms = clock.monotonic_ms()
        gateway.fetch_markets()
    taken_ms = clock.monotonic_ms() - started_ms
    offset_ms = None if venue_ms is None else round(clock.now_ms() - taken_ms / 2 - venue_ms)
    if offset_ms is not None:
        keep_clock(
            venue_id=venue_id, offset_ms=offset_ms, round_trip_ms=taken_ms, measured_at=clock.now()
        )
    return Reach(round_trip_ms=round(taken_ms), clock_offset_ms=offset_ms)
