"""Three refusals of our place in a row stop every call until a person has seen to it."""

import pytest

from markets.domain.health import VenueState
from markets.errors import VenueAuthFailed, VenueBlocked, VenueNotBlocked, VenueUnavailable
from markets.gateway import factory
from markets.gateway.base import Credentials, VenueSpec
from markets.models import Venue
from markets.services.health import keep_health, lift_block, watch_venues
from tests.markets.fakes.server import Misbehaviour, Reply, ScriptedServer

GEO = {"code": 0, "msg": "Service unavailable from a restricted location."}


@pytest.fixture
def refusing():
    """A venue that does not serve our place."""
    server = ScriptedServer(lambda _request: Reply(GEO, status=451))
    with server.running():
        yield server


@pytest.fixture
def venue(refusing, db):
    return Venue.objects.create(code="far", name="Far", ccxt_id="binance", rest_origin=refusing.url)


def call(venue):
    fresh = Venue.objects.get(pk=venue.pk)
    return factory.gateway_for(fresh.to_spec()).fetch_book("BTC/USDT")


def refuse(venue, times):
    for _ in range(times):
        with pytest.raises(VenueUnavailable):
            call(venue)


def test_after_three_refusals_nothing_is_sent_any_more(refusing, venue):
    refuse(venue, 3)
    sent = len(refusing.requests)

    with pytest.raises(VenueBlocked, match="does not serve the place") as refusal:
        call(venue)

    assert refusal.value.code == 2054
    assert len(refusing.requests) == sent == 3


def test_the_block_is_kept_for_all_processes_and_outlives_answers(refusing, venue):
    refuse(venue, 3)
    kept = keep_health(venue=venue)
    factory.close_all()  # another process: it has met nothing yet
    refusing.respond = lambda _request: Reply({})

    for _ in range(4):
        watch_venues()
    with pytest.raises(VenueBlocked):
        call(venue)

    assert (kept.state, kept.state_until) == (VenueState.BLOCKED, None)
    assert "restricted location" in str(kept.to_state_reason())
    assert len(refusing.requests) == 3


def test_a_person_lifts_it(refusing, venue, staff_api, user_api):
    refuse(venue, 3)
    keep_health(venue=venue)

    forbidden = user_api.post("/api/venues/far/unblock")
    answer = staff_api.post("/api/venues/far/unblock")
    again = staff_api.post("/api/venues/far/unblock")

    assert forbidden.status_code == 403
    assert answer.json()["data"]["state"] == "healthy"
    assert (again.status_code, again.json()["code"]) == (409, 2055)
    with pytest.raises(VenueUnavailable) as refusal:
        call(venue)
    assert not isinstance(refusal.value, VenueBlocked)
    assert len(refusing.requests) == 4


def test_it_is_shown_with_the_button_that_lifts_it(refusing, venue, console):
    refuse(venue, 3)
    keep_health(venue=venue)

    listed = console.get("/admin/markets/venue/").content.decode()
    page = console.get(f"/admin/markets/venue/{venue.pk}/change/").content.decode()
    console.post(f"/admin/markets/venue/{venue.pk}/unblock_one/", {"_form_submitted": "True"})
    lifted = console.get(f"/admin/markets/venue/{venue.pk}/change/").content.decode()

    assert "blocked" in listed
    assert "it refused our place 3 times in a row" in page
    assert "Lift the block" in page
    assert "Lift the block" not in lifted


def test_a_page_of_a_firewall_counts_and_one_answer_between_does_not(venue, refusing):
    refusing.respond = lambda _request: Reply({"symbols": []})
    refusing.misbehave(Misbehaviour.HTML_403, Misbehaviour.HTML_403)
    refuse(venue, 3)
    refusing.misbehave(Misbehaviour.HTML_403)
    refuse(venue, 2)

    assert keep_health(venue=venue).state != VenueState.BLOCKED


def test_a_refused_key_is_no_refused_place():
    body = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    server = ScriptedServer(lambda _request: Reply(body, status=403))
    with server.running():
        spec = VenueSpec("v", "binance", server.url)
        gateway = factory.gateway_for(spec, Credentials("k" * 12, "s" * 12))
        for _ in range(4):
            with pytest.raises(VenueAuthFailed):
                gateway.fetch_balances()


def test_only_what_is_blocked_can_be_unblocked(alpha):
    with pytest.raises(VenueNotBlocked, match="not blocked") as refusal:
        lift_block(venue_id=alpha.pk)

    assert refusal.value.code == 2055
