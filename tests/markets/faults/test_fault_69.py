"""A venue under maintenance, or that fails again and again, is known as ill to all processes."""

import pytest

from markets.domain.health import FAILURES_MIN, RECOVERIES_MIN, VenueState
from markets.errors import VenueUnavailable
from markets.gateway import factory
from markets.models import Venue
from markets.services.health import keep_health, watch_venues
from markets.tasks import watch_venues as watch_task
from tests.markets.fakes.okx import FakeOkx
from tests.markets.fakes.server import Reply


@pytest.fixture
def venue(simulator, db):
    return Venue.objects.create(
        code="alpha", name="Alpha", ccxt_id="binance", rest_origin=f"{simulator.url}/alpha"
    )


def fail(venue, times):
    gateway = factory.gateway_for(venue.to_spec())
    for _ in range(times):
        with pytest.raises(VenueUnavailable):
            gateway.fetch_book("BTC/USDT")


def test_calls_that_fail_one_after_the_other_make_it_degraded(simulator, venue):
    factory.gateway_for(venue.to_spec()).fetch_book("BTC/USDT")
    simulator.control.add_fault("alpha", "refuse", path="api/v3/depth", status=503, times=None)
    fail(venue, FAILURES_MIN - 1)
    before = keep_health(venue=venue)
    fail(venue, 1)

    ill = keep_health(venue=venue)

    assert before.state == VenueState.HEALTHY
    assert ill.state == VenueState.DEGRADED
    assert f"{FAILURES_MIN} calls in a row failed" in str(ill.to_state_reason())
    assert ill.state_since is not None


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "5 calls in a row failed: "), ("zh-hans", "连续 5 次调用失败：")],
)
def test_why_it_is_ill_is_told_in_the_readers_language(simulator, venue, console, language, words):
    test_calls_that_fail_one_after_the_other_make_it_degraded(simulator, venue)
    asked = {"headers": {"Accept-Language": language}}

    page = console.get(f"/admin/markets/venue/{venue.pk}/change/", **asked).content.decode()
    reason = console.get("/api/venues/alpha", **asked).json()["data"]["state_reason"]

    assert words in page
    assert words in reason
    assert "{" not in reason


def test_it_recovers_by_itself_by_being_asked(simulator, venue):
    test_calls_that_fail_one_after_the_other_make_it_degraded(simulator, venue)
    simulator.control.clear_faults("alpha")
    factory.close_all()  # another process watches

    states = []
    for _ in range(RECOVERIES_MIN):
        watch_task()
        states.append(Venue.objects.get().state)

    assert states == [*[VenueState.DEGRADED] * (RECOVERIES_MIN - 1), VenueState.HEALTHY]
    assert Venue.objects.get().state_reason == ""


def test_it_stays_ill_while_it_does_not_answer(simulator, venue):
    test_calls_that_fail_one_after_the_other_make_it_degraded(simulator, venue)
    simulator.control.clear_faults("alpha")
    simulator.control.add_fault("alpha", "refuse", path="", status=503, times=None)

    for _ in range(2 * RECOVERIES_MIN):
        watch_venues()

    assert Venue.objects.get().state == VenueState.DEGRADED


def test_a_state_that_does_not_change_is_not_written(venue, django_assert_num_queries):
    factory.gateway_for(venue.to_spec()).fetch_time_ms()

    with django_assert_num_queries(0):
        assert keep_health(venue=venue) is venue


class ClosedOkx(FakeOkx):
    """Its engine is being upgraded, and it says so, while its prices can be read."""

    is_closed = True

    def respond(self, request):
        if self.is_closed and request.path.endswith("system/status"):
            return Reply({"code": "0", "msg": "", "data": [{"state": "ongoing", "end": "1"}]})
        if request.path.endswith("system/status"):
            return Reply({"code": "0", "msg": "", "data": []})
        if self.is_closed and "market/books" in request.path:
            return Reply({"code": "50001", "msg": "Matching engine upgrading.", "data": []}, 503)
        return super().respond(request)


@pytest.mark.django_db
def test_a_maintenance_is_believed_at_once_and_ends_when_the_venue_says_so(monkeypatch):
    fake = ClosedOkx()
    with fake.running() as url:
        venue = Venue.objects.create(code="o", name="O", ccxt_id="okx", rest_origin=url)
        with pytest.raises(VenueUnavailable):
            factory.gateway_for(venue.to_spec()).fetch_book("BTC/USDT")
        ill = keep_health(venue=venue)
        watch_venues()
        still = Venue.objects.get()

        fake.is_closed = False
        monkeypatch.setattr("markets.domain.health.NOTICE_MS", 0)
        for _ in range(RECOVERIES_MIN):
            watch_venues()
        well = Venue.objects.get()

    assert ill.state == still.state == VenueState.MAINTENANCE
    assert "Matching engine upgrading" in str(ill.to_state_reason())
    assert well.state == VenueState.HEALTHY


def test_health_of_the_platform_names_ill_venues(venue, user_api):
    Venue.objects.update(state=VenueState.MAINTENANCE)

    part = user_api.get("/api/health").json()["data"]["parts"]["venues"]

    assert part == {
        "is_ok": True,
        "detail": "alpha: under maintenance",
        "age_ms": None,
        "figures": None,
    }


def test_the_api_tells_the_state(venue, user_api):
    data = user_api.get("/api/venues/alpha").json()["data"]

    assert (data["state"], data["state_reason"], data["state_since"]) == ("healthy", "", None)
