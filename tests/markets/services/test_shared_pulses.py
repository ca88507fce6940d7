"""What an engine's own calls to a venue meet counts for the state of the venue, through Redis."""

import orjson
import pytest
import redis

from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from markets.domain.health import (
    FAILURES_MIN,
    NEWS_MS,
    NOTICE_MS,
    RECOVERIES_MIN,
    REFUSALS_MIN,
    Signal,
    VenueState,
)
from markets.errors import VenueBlocked, VenueUnavailable
from markets.gateway import factory
from markets.models import Venue
from markets.services.health import keep_health, lift_block, watch_venues
from markets.services.shared_pulses import PulseSharing, read_shared_pulses
from tests.markets.fakes.server import Reply, ScriptedServer
from tests.processes import redis_server

__all__ = ["redis_server"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    """A venue that answers as a test wants."""
    server = ScriptedServer(lambda _request: Reply({}, status=503))
    with server.running():
        yield server


@pytest.fixture
def venue(server, redis_server, settings):
    settings.REDIS_URL = redis_server.url
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return Venue.objects.create(code="far", name="Far", ccxt_id="binance", rest_origin=server.url)


def call_in_vain(venue, times):
    gateway = factory.gateway_for(venue.to_spec())
    for _ in range(times):
        with pytest.raises(VenueUnavailable):
            gateway.fetch_time_ms()


def tell_and_leave(sharing):
    """Share as an engine does; what follows is another process, which has called nobody."""
    sharing.share()
    factory.close_all()


def test_a_venue_that_fails_every_call_of_an_engine_is_degraded(venue):
    engine = PulseSharing("engine-a")
    call_in_vain(venue, FAILURES_MIN - 1)
    engine.share()
    before = read_shared_pulses(venue)
    call_in_vain(venue, 1)
    tell_and_leave(engine)

    ill = keep_health(venue=venue)

    assert before == []
    assert ill.state == VenueState.DEGRADED
    assert str(ill.to_state_reason()).startswith(f"{FAILURES_MIN} calls in a row failed: ")


def test_it_is_well_when_the_worker_is_answered_and_no_engine_fails_since_then(simulator, venue):
    venue.rest_origin = f"{simulator.url}/alpha"
    venue.save()
    engine, still = PulseSharing("engine-a"), PulseSharing("engine-b")
    simulator.control.add_fault("alpha", "refuse", path="", status=503, times=None)
    call_in_vain(venue, FAILURES_MIN)
    tell_and_leave(engine)
    ill = keep_health(venue=venue)
    call_in_vain(ill, FAILURES_MIN)
    tell_and_leave(still)
    simulator.control.clear_faults("alpha")

    for _ in range(RECOVERIES_MIN):
        watch_venues()
    failing = Venue.objects.get()
    still.share()  # it has called nobody since, or was answered
    watch_venues()
    well = Venue.objects.get()

    assert (ill.state, failing.state) == (VenueState.DEGRADED, VenueState.DEGRADED)
    assert well.state == VenueState.HEALTHY


def test_a_refused_place_is_known_to_all_and_ends_by_the_person_who_lifts_it(server, venue):
    server.respond = lambda _request: Reply({"code": 0, "msg": "restricted location"}, status=451)
    later = FixedClock(SYSTEM_CLOCK.now_ms() + 2 * NOTICE_MS)
    call_in_vain(venue, REFUSALS_MIN)
    with pytest.raises(VenueBlocked):
        factory.gateway_for(venue.to_spec()).fetch_time_ms()
    # however long Redis was away: no further call could be met
    PulseSharing("engine-a", clock=later).share()
    gateway = factory.gateway_for(venue.to_spec())

    watch_venues()
    blocked = Venue.objects.get()
    lifted = lift_block(venue_id=venue.pk)

    assert (blocked.state, lifted.state) == (VenueState.BLOCKED, VenueState.HEALTHY)
    assert read_shared_pulses(lifted) == []
    factory.gateway_for(lifted.to_spec())
    with pytest.raises(VenueUnavailable) as refusal:
        gateway.fetch_time_ms()
    assert not isinstance(refusal.value, VenueBlocked)


def test_a_notice_that_an_engine_met_holds_for_a_minute_after_it_made_the_venue_ill(venue):
    engine = PulseSharing("engine-a")
    factory.gateway_for(venue.to_spec())
    factory._FACTORY._catalogs[factory._venue_key(venue.to_spec())].pulse.note(
        Signal.MAINTENANCE, "closed"
    )
    engine.share()
    ill = keep_health(venue=venue)
    factory.gateway_for(ill.to_spec())  # the engine hears of the state
    tell_and_leave(engine)

    assert ill.state == VenueState.MAINTENANCE
    assert [pulse.notice for pulse in read_shared_pulses(ill)] == [VenueState.MAINTENANCE]
    assert keep_health(venue=ill).state == VenueState.MAINTENANCE


def test_what_is_over_is_taken_back_at_once(venue, redis_server):
    engine = PulseSharing("engine-a")
    call_in_vain(venue, FAILURES_MIN)
    engine.share()
    told = read_shared_pulses(venue)
    factory.close_all()
    engine.share()

    assert len(told) == 1
    assert read_shared_pulses(venue) == []
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.keys("arb:pulse*") == []


def test_what_was_met_at_another_address_or_by_another_version_counts_for_nothing(
    venue, redis_server
):
    call_in_vain(venue, FAILURES_MIN)
    PulseSharing("engine-a").share()
    moved = Venue.objects.get()
    moved.rest_origin = "http://localhost:1/elsewhere"

    with redis.Redis.from_url(redis_server.url) as client:
        for text in (b"[]", b"{", orjson.dumps({"far": {"failures": "many"}})):
            client.set("arb:pulse:engine-b", text)
            client.zadd("arb:pulse:writers", {"engine-b": SYSTEM_CLOCK.now_ms()})
            assert [pulse.failures for pulse in read_shared_pulses(venue)] == [FAILURES_MIN]
    assert read_shared_pulses(moved) == []


def test_what_was_met_long_ago_is_told_no_longer(venue):
    clock = FixedClock(SYSTEM_CLOCK.now_ms())
    engine = PulseSharing("engine-a", clock=clock)
    call_in_vain(venue, FAILURES_MIN)
    engine.share()
    told = read_shared_pulses(venue)
    clock.advance_ms(2 * NEWS_MS)
    engine.share()

    assert len(told) == 1
    assert read_shared_pulses(venue) == []


def test_without_redis_nothing_is_told_and_nothing_breaks(venue, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    call_in_vain(venue, FAILURES_MIN)

    PulseSharing("engine-a").share()

    assert read_shared_pulses(venue) == []
