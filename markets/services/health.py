"""Keeps how each venue is, for all processes, and finds out when an ill one is well again.

The state is a part of the venue's row: written when it changes, not with every call. Whoever
changes it wakes the ledger, which lets nothing be opened at a venue that is not healthy.
"""

import logging
from datetime import timedelta

from django.db import transaction

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock, from_ms
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_sentence
from markets.domain.health import VenueState, Verdict, judge
from markets.errors import NotSupportedByVenue, VenueError, VenueNotBlocked
from markets.gateway.factory import gateway_for, read_pulse
from markets.models import Venue
from markets.selectors import get_venue_by_id, list_venues, lock_venue
from markets.services.feeds import count_breaks
from markets.services.shared_pulses import read_shared_pulses

logger = logging.getLogger(__name__)

UNTIL_TOLERANCE = timedelta(seconds=5)
"""A ban whose end moves by less is the same ban."""


def keep_health(*, venue: Venue, clock: Clock = SYSTEM_CLOCK) -> Venue:
    """Bring a venue's state up to date with what calls of this process and of engines met.

    Asks no venue, and writes only if the state changes.

    Args:
        venue: as it was read a moment ago.
        clock: tells the time.

    Returns:
        The venue as it stands now.
    """
    pulse, silent_ms = read_pulse(venue.to_spec())
    reading = venue.clock
    verdict = judge(
        pulse,
        state=VenueState(venue.state),
        silent_ms=silent_ms,
        clock_offset_ms=None if reading is None or reading.is_safe else reading.offset_ms,
        now_ms=clock.now_ms(),
        break_count=count_breaks(venue.code, clock=clock),
        others=read_shared_pulses(venue),
    )
    if verdict is None or _is_same(venue, verdict):
        return venue
    return _change(venue, verdict, clock)


def watch_venues(*, clock: Clock = SYSTEM_CLOCK) -> None:
    """Keep the state of every enabled venue; ask those that are ill how they are."""
    for venue in list_venues(is_enabled=True):
        if not venue.is_healthy and venue.state != VenueState.BLOCKED:
            _probe(venue)  # during a ban the rate budget sees to it that nothing is sent
        keep_health(venue=venue, clock=clock)


@transaction.atomic
def lift_block(*, venue_id: int, clock: Clock = SYSTEM_CLOCK) -> Venue:
    """Let calls to a blocked venue go again, since a person has seen to the cause.

    Args:
        venue_id: which venue.
        clock: tells the time.

    Raises:
        UnknownVenue: there is none with this id.
        VenueNotBlocked: it is not blocked.
    """
    venue = lock_venue(venue_id)
    if venue.state != VenueState.BLOCKED:
        raise VenueNotBlocked(venue=venue.code, state=venue.get_state_display())
    return _change(venue, Verdict(), clock)


def _probe(venue: Venue) -> None:
    """Ask a venue how it is; what the question meets is counted like any call."""
    gateway = gateway_for(venue.to_spec())
    try:
        try:
            gateway.fetch_status()
        except NotSupportedByVenue:
            gateway.fetch_time_ms()
    except VenueError as error:
        logger.info("%s is still %s: %s", venue.code, venue.state, error)


def _is_same(venue: Venue, verdict: Verdict) -> bool:
    if venue.state != verdict.state:
        return False
    if verdict.until_ms is None or venue.state_until is None:
        return True
    return from_ms(verdict.until_ms) - venue.state_until < UNTIL_TOLERANCE


def _change(venue: Venue, verdict: Verdict, clock: Clock) -> Venue:
    """Write the new state, unless another process has just changed it."""
    _write(venue, verdict, clock)
    return get_venue_by_id(venue.pk)


@retried
@transaction.atomic
def _write(venue: Venue, verdict: Verdict, clock: Clock) -> None:
    rows = Venue.objects.filter(pk=venue.pk, state=venue.state, state_since=venue.state_since)
    count = rows.update(
        state=verdict.state,
        state_reason=keep_sentence(verdict.reason),
        state_since=clock.now(),
        state_until=None if verdict.until_ms is None else from_ms(verdict.until_ms),
    )
    if count:
        logger.warning("%s is %s now: %s", venue.code, verdict.state, verdict.reason)
        enqueue_on_commit("ledger.heed_venue", venue_id=venue.pk)
