"""Our clock and the venue's differ: measured every minute, corrected once, and never traded on."""

from dataclasses import replace

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.halts import TradingState
from ledger.services.conditions import heed_venue
from markets import tasks
from markets.domain.clocks import OFFSET_MS_MAX, ClockReading
from markets.domain.health import RECOVERIES_MIN, VenueState
from markets.errors import VenueClockSkewed, VenueUnavailable
from markets.gateway import catalog, factory
from markets.gateway.base import Credentials, VenueSpec
from markets.models import Venue
from markets.services.clocks import measure_clock
from markets.services.health import watch_venues
from markets.services.reach import measure_reach
from tests.markets.fakes.okx import FakeOkx
from tests.markets.fakes.server import Reply
from tests.markets.fakes.stage import KEY, PASSPHRASE, SECRET
from tests.markets.faults.play import make_order
from tests.markets.simulator.worlds import KEYS

CREDENTIALS = Credentials(*KEYS["alpha"])


def spec_of(simulator):
    return VenueSpec("alpha", "binance", f"{simulator.url}/alpha")


def refuse_time_stamps(simulator, times):
    simulator.control.add_fault(
        "alpha",
        "refuse",
        path="api/v3/order",
        method="POST",
        status=400,
        code=-1021,
        text="Timestamp for this request is outside of the recvWindow.",
        times=times,
    )


def reading(offset_ms, later_ms=60_000):
    """Return a reading that is newer than what a gateway measures when it is made."""
    return ClockReading(offset_ms, SYSTEM_CLOCK.now_ms() + later_ms)


@pytest.mark.parametrize("offset_ms", [OFFSET_MS_MAX + 1, -OFFSET_MS_MAX - 1])
def test_beyond_a_second_nothing_that_moves_money_is_sent(simulator, offset_ms):
    spec = spec_of(simulator)
    gateway = factory.gateway_for(spec, CREDENTIALS)
    gateway.submit_order(make_order(1))

    factory.gateway_for(replace(spec, clock=reading(offset_ms)), CREDENTIALS)
    with pytest.raises(VenueClockSkewed, match=f"{offset_ms} ms ahead") as refusal:
        gateway.submit_order(make_order(2))

    assert refusal.value.code == 2015
    (order,) = gateway.fetch_open_orders("BTC/USDT")
    assert order.client_order_id == "mine-1"
    gateway.cancel_order(symbol="BTC/USDT", client_order_id="mine-1")
    assert gateway.fetch_open_orders("BTC/USDT") == []


def test_orders_go_again_once_the_clock_is_measured_right(simulator):
    spec = spec_of(simulator)
    gateway = factory.gateway_for(replace(spec, clock=reading(5_000)), CREDENTIALS)
    factory.gateway_for(replace(spec, clock=reading(0, 120_000)), CREDENTIALS)

    assert gateway.submit_order(make_order(1)).client_order_id == "mine-1"


def test_an_older_reading_changes_nothing(simulator):
    spec = spec_of(simulator)
    gateway = factory.gateway_for(spec, CREDENTIALS)
    gateway.fetch_time_ms()

    factory.gateway_for(replace(spec, clock=ClockReading(90_000, 1)), CREDENTIALS)

    assert gateway.submit_order(make_order(1)).client_order_id == "mine-1"


def test_a_refused_time_stamp_leads_to_one_more_send_with_the_same_id(simulator):
    gateway = factory.gateway_for(spec_of(simulator), CREDENTIALS)
    refuse_time_stamps(simulator, times=1)

    gateway.submit_order(make_order(1))

    (order,) = gateway.fetch_open_orders("BTC/USDT")
    assert order.client_order_id == "mine-1"


def test_a_time_stamp_that_is_refused_twice_is_a_definite_refusal(simulator):
    gateway = factory.gateway_for(spec_of(simulator), CREDENTIALS)
    refuse_time_stamps(simulator, times=2)

    with pytest.raises(VenueUnavailable) as refusal:
        gateway.submit_order(make_order(1))

    assert type(refusal.value) is VenueUnavailable
    assert gateway.fetch_open_orders("BTC/USDT") == []


class LateOkx(FakeOkx):
    """Its clock is set while we are connected; from then on it refuses our time stamps."""

    ahead_ms = 0
    refused = 0

    def respond(self, request):
        reply = super().respond(request) if not self._refuses(request) else self._refusal()
        if request.path.endswith("public/time"):
            reply.data["data"][0]["ts"] = str(int(reply.data["data"][0]["ts"]) + self.ahead_ms)
        return reply

    def _refuses(self, request):
        return bool(self.ahead_ms) and "ok-access-timestamp" in request.headers

    def _refusal(self):
        self.refused += 1
        return Reply({"code": "50102", "msg": "Timestamp request expired", "data": []}, 401)


def test_no_second_send_when_the_new_measurement_is_beyond_a_second(monkeypatch):
    monkeypatch.setattr(catalog, "ROUND_TRIP_MS_MAX", 60_000)  # on a busy machine too
    venue = LateOkx()
    venue.add_account(KEY, SECRET, PASSPHRASE, {"USDT": "100000"})
    venue.set_book("BTC/USDT", bids=[], asks=[("60000", "1")])
    with venue.running() as url:
        gateway = factory.gateway_for(
            VenueSpec("okx-like", "okx", url), Credentials(KEY, SECRET, PASSPHRASE)
        )
        gateway.fetch_book("BTC/USDT")
        venue.ahead_ms = 45_000

        with pytest.raises(VenueClockSkewed):
            gateway.submit_order(make_order(1))

        assert (venue.refused, venue.orders) == (1, {})


@pytest.mark.django_db
def test_the_offset_is_measured_and_kept(alpha, venues, clock):
    def answer():
        clock.advance_ms(40)
        return clock.at_ms - 20 - 700

    venues.answer("alpha", fetch_time_ms=answer)

    measured = measure_clock(venue_id=alpha.pk, clock=clock)

    alpha.refresh_from_db()
    assert measured == alpha.clock == ClockReading(700, clock.at_ms)
    assert alpha.to_spec().clock == measured


@pytest.mark.django_db
@pytest.mark.parametrize("measure", [measure_clock, measure_reach])
def test_an_answer_that_comes_late_says_nothing_about_the_clock(alpha, venues, clock, measure):
    def answer():
        clock.advance_ms(1_100)
        return clock.at_ms - 900

    venues.answer("alpha", fetch_time_ms=answer)

    measure(venue_id=alpha.pk, clock=clock)

    alpha.refresh_from_db()
    assert alpha.clock is None


@pytest.mark.django_db
def test_a_test_of_the_connection_keeps_the_offset_as_well(alpha, venues, clock):
    venues.answer("alpha", fetch_time_ms=lambda: clock.at_ms + 3_000)

    measure_reach(venue_id=alpha.pk, clock=clock)

    alpha.refresh_from_db()
    assert alpha.clock == ClockReading(-3_000, clock.at_ms)


@pytest.mark.django_db
def test_a_venue_that_does_not_answer_keeps_no_other_from_being_measured(alpha, beta, venues):
    venues.answer("alpha", fetch_time_ms=VenueUnavailable(venue="alpha", cause="down"))
    venues.answer("beta", fetch_time_ms=SYSTEM_CLOCK.now_ms)

    tasks.measure_clocks()

    alpha.refresh_from_db()
    beta.refresh_from_db()
    assert alpha.clock is None
    assert beta.clock is not None
    assert beta.clock.is_safe


@pytest.mark.django_db
def test_beyond_a_second_its_strategies_may_only_reduce_and_go_on_by_themselves(simulator):
    venue = Venue.objects.create(
        code="alpha",
        name="Alpha",
        ccxt_id="binance",
        rest_origin=f"{simulator.url}/alpha",
        clock_offset_ms=-1_500,
        clock_measured_at=SYSTEM_CLOCK.now(),
    )

    watch_venues()
    ill = Venue.objects.get()
    reducing = heed_venue(venue_id=venue.pk)
    watch_venues()
    Venue.objects.update(clock_offset_ms=3)
    for _ in range(RECOVERIES_MIN):
        watch_venues()

    assert (ill.state, reducing) == (VenueState.DEGRADED, TradingState.REDUCING)
    assert "our clock is -1500 ms ahead of the venue's" in str(ill.to_state_reason())
    assert Venue.objects.get().state == VenueState.HEALTHY
    assert heed_venue(venue_id=venue.pk) is TradingState.ACTIVE


def test_it_is_measured_every_minute(settings):
    entries = settings.CELERY_BEAT_SCHEDULE.values()
    (entry,) = [entry for entry in entries if entry["task"] == tasks.measure_clocks.name]
    assert entry["schedule"].total_seconds() == 60


@pytest.mark.django_db
def test_the_offset_is_shown_and_that_it_stops_orders(alpha, clock, user_api, console):
    path = f"/admin/markets/venue/{alpha.pk}/change/"
    before = console.get(path).content.decode()
    Venue.objects.filter(pk=alpha.pk).update(clock_offset_ms=-1_001, clock_measured_at=clock.now())

    page = console.get(path).content.decode()
    data = user_api.get("/api/venues/alpha").json()["data"]

    assert "not measured yet" in before
    assert "-1001 ms, measured at" in page
    assert "orders and transfers are refused" in page
    assert data["clock_offset_ms"] == -1_001
    assert data["clock_measured_at"].startswith("2026-01-01T00:00:00")
