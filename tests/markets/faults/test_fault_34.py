"""A ban "until …": no process asks that venue from that address before it ends."""

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.halts import TradingState
from ledger.models import LogEntry
from ledger.services.conditions import heed_venue
from markets.domain.health import RECOVERIES_MIN, VenueState
from markets.errors import VenueRateLimited
from markets.gateway import factory
from markets.gateway.base import VenueSpec
from markets.gateway.client import build_client
from markets.gateway.limiter import TooManyRequests
from markets.gateway.statuses import BAN_MS, BAN_MS_MAX
from markets.models import Venue
from markets.services.health import keep_health, watch_venues
from tests.markets.fakes.server import Reply, ScriptedServer
from tests.markets.faults.play import limiter_of, make_budget, process, simulated

BAN = "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams."


def ban(simulator, minutes, **more):
    until = SYSTEM_CLOCK.now_ms() + minutes * 60_000
    simulator.control.add_fault(
        "alpha",
        "refuse",
        path="api/v3/time",
        status=418,
        code=-1003,
        text=BAN.format(until=until),
        **more,
    )


def banned_gateway(redis_server, simulator, minutes=30):
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)
    gateway = factory.gateway_for(simulated(simulator))
    gateway.fetch_time_ms()
    ban(simulator, minutes)
    with pytest.raises(VenueRateLimited):
        gateway.fetch_time_ms()
    return gateway


def test_a_ban_is_obeyed_by_every_process_until_the_time_that_it_states(redis_server, simulator):
    gateway = banned_gateway(redis_server, simulator)

    other, _ = process(redis_server.url, limiter_of(gateway)._budget)

    with pytest.raises(TooManyRequests) as refusal:
        other.acquire(1)
    assert refusal.value.is_blocked
    assert 29 * 60_000 < refusal.value.wait_ms <= 30 * 60_000


def test_nothing_is_sent_during_a_ban_and_the_refusal_says_how_long(redis_server, simulator):
    gateway = banned_gateway(redis_server, simulator)
    simulator.control.clear_faults("alpha")

    with pytest.raises(
        VenueRateLimited, match=r"no request from this address for 1[78]"
    ) as refusal:
        gateway.fetch_time_ms()

    assert "Nothing was sent" in str(refusal.value)


def test_the_process_that_was_banned_remembers_it_without_redis(redis_server, simulator):
    gateway = banned_gateway(redis_server, simulator)
    redis_server.stop()
    simulator.control.clear_faults("alpha")

    with pytest.raises(VenueRateLimited):
        gateway.fetch_time_ms()


def test_another_venue_and_another_address_are_not_banned(redis_server):
    banned, _ = process(redis_server.url)
    banned.silence(60_000)
    elsewhere, _ = process(redis_server.url, make_budget_at("proxy"))

    elsewhere.acquire(1)

    with pytest.raises(TooManyRequests):
        banned.acquire(1)


def make_budget_at(address):
    budget = make_budget()
    return type(budget)(
        budget.venue_key, address, budget.unit_ms, budget.order_ms, budget.order_window_ms
    )


@pytest.mark.parametrize(
    ("headers", "body", "wait_ms"),
    [
        ({}, {}, BAN_MS),
        ({"Retry-After": "3600"}, {}, 3_600_000),
        ({"Retry-After": "99999999"}, {}, BAN_MS_MAX),
    ],
)
def test_a_ban_without_an_end_is_taken_for_a_short_one_and_none_for_ever(headers, body, wait_ms):
    silences = []

    class Listening:
        unit_ms = 1.0

        def acquire(self, cost=1.0, *, urgency=None, account=""):
            return None

        def silence(self, duration_ms):
            silences.append(duration_ms)

        def silent_ms(self):
            return 0.0

        def hold_orders(self, account):
            return None

    server = ScriptedServer(lambda _request: Reply(body, status=418, headers=headers))
    with server.running():
        client = build_client(
            VenueSpec("v", "binance", server.url), None, timeout_ms=30_000, limiter=Listening()
        )
        with pytest.raises(Exception, match="418"):
            client.publicGetPing()

    assert silences == [wait_ms]


@pytest.mark.django_db
def test_a_ban_is_shown_in_the_api_and_in_the_console(redis_server, simulator, user_api, console):
    spec = simulated(simulator)
    banned_gateway(redis_server, simulator)
    venue = Venue.objects.create(
        code="alpha",
        name="Alpha",
        ccxt_id="binance",
        rest_origin=spec.rest_origin,
        options=dict(spec.options),
    )

    budget = user_api.get("/api/venues/alpha").json()["data"]["budget"]
    page = console.get(f"/admin/markets/venue/{venue.pk}/change/").content.decode()

    assert budget["state"] == "blocked"
    assert budget["blocked_until"] > SYSTEM_CLOCK.now().isoformat()[:16]
    assert "blocked by the venue until" in page


@pytest.mark.django_db
def test_during_a_ban_the_venues_strategies_may_only_reduce(redis_server, simulator):
    spec = simulated(simulator)
    banned_gateway(redis_server, simulator, minutes=30)
    venue = Venue.objects.create(
        code="alpha",
        name="Alpha",
        ccxt_id="binance",
        rest_origin=spec.rest_origin,
        options=dict(spec.options),
    )

    ill = keep_health(venue=venue)
    first_end = ill.state_until
    again = keep_health(venue=ill)

    assert ill.state == VenueState.BANNED
    assert first_end is not None
    assert again.state_until == first_end  # the same ban, not written again
    assert 29 * 60 < (first_end - SYSTEM_CLOCK.now()).total_seconds() <= 30 * 60
    assert heed_venue(venue_id=venue.pk) is TradingState.REDUCING
    assert LogEntry.objects.get().event == "trading_reducing"


@pytest.mark.django_db
def test_another_process_knows_of_the_ban_and_it_ends_by_itself(redis_server, simulator):
    test_during_a_ban_the_venues_strategies_may_only_reduce(redis_server, simulator)
    simulator.control.clear_faults("alpha")
    factory.close_all()
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)

    watch_venues()
    still = Venue.objects.get()
    redis_server.stop()
    redis_server.start()  # with nothing in it, as when the time is up
    factory.close_all()
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)
    for _ in range(RECOVERIES_MIN):
        watch_venues()

    assert still.state == VenueState.BANNED
    assert Venue.objects.get().state == VenueState.HEALTHY
    assert heed_venue(venue_id=still.pk) is TradingState.ACTIVE


@pytest.mark.django_db
def test_a_venue_without_a_limit_says_so(user_api, console):
    venue = Venue.objects.create(
        code="alpha", name="Alpha", ccxt_id="binance", rest_origin="http://127.0.0.1:1/x"
    )

    budget = user_api.get("/api/venues/alpha").json()["data"]["budget"]
    page = console.get(f"/admin/markets/venue/{venue.pk}/change/").content.decode()

    assert budget == {
        "state": "unlimited",
        "free_percent": None,
        "orders_free_percent": None,
        "blocked_until": None,
    }
    assert "not limited" in page


@pytest.mark.django_db
def test_a_budget_in_order_is_shown_in_percent(redis_server, user_api, console):
    factory.configure(timeout_ms=5_000, redis_url=redis_server.url)
    venue = Venue.objects.create(code="alpha", name="Alpha", ccxt_id="binance")

    budget = user_api.get("/api/venues/alpha").json()["data"]["budget"]
    page = console.get(f"/admin/markets/venue/{venue.pk}/change/").content.decode()

    assert budget == {
        "state": "shared",
        "free_percent": 100,
        "orders_free_percent": 100,
        "blocked_until": None,
    }
    assert "100 % of requests, 100 % of orders free" in page
