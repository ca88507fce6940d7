"""What an engine's own calls to a venue meet counts for the state of the venue, through Redis."""

import asyncio
import socket
import time

import orjson
import pytest
import redis
import uvicorn
from django.urls import reverse
from django.utils.html import escape

from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from arbplatform.management import web
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
from markets.services import shared_pulses
from markets.services.health import keep_health, lift_block, watch_venues
from markets.services.shared_pulses import (
    PulseSharing,
    list_bystanders,
    read_shared_pulses,
    share_beside,
)
from strategies.engine import scanning
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


def test_what_a_bystander_meets_is_shown_and_counts_for_nobodys_state(venue, console):
    web = PulseSharing("web@there:1", is_bystander=True)
    page = reverse("admin:markets_venue_change", args=[venue.pk])
    call_in_vain(venue, FAILURES_MIN)
    tell_and_leave(web)

    shown = console.get(page).content.decode()
    state = keep_health(venue=venue).state
    [(name, cause)] = list_bystanders(venue)
    web.share()  # it is answered again

    assert state == VenueState.HEALTHY
    assert read_shared_pulses(venue) == []
    assert name == "web@there:1"
    assert f"web@there:1: {escape(str(cause))}" in shown
    assert list_bystanders(venue) == []
    assert "web@there:1" not in console.get(page).content.decode()


def test_web_and_scanner_tell_what_they_meet_as_long_as_they_live(venue, monkeypatch):
    monkeypatch.setattr(shared_pulses, "SHARE_EVERY_S", 0.02)
    call_in_vain(venue, FAILURES_MIN)

    share_beside("web")

    deadline = time.monotonic() + 10
    while not list_bystanders(venue) and time.monotonic() < deadline:
        time.sleep(0.02)
    [(name, _cause)] = list_bystanders(venue)
    assert name.startswith("web@")


def test_both_processes_begin_it(monkeypatch):
    begun: list[str] = []
    monkeypatch.setattr(web, "share_beside", begun.append)
    monkeypatch.setattr(scanning, "share_beside", begun.append)
    monkeypatch.setattr(web, "check_system", lambda: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda _self, sockets: sockets[0].close())
    monkeypatch.setattr(scanning.ScannerProcess, "run", lambda _self: asyncio.sleep(0))
    here, there = socket.socketpair()

    with there:
        web.main(here.detach())
    scanning.run_scanner()

    assert begun == ["web", "scanner"]
