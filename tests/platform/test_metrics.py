"""``/metrics``: what Prometheus reads, and who may."""

import pytest
import redis
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.domain.feeds import FeedState, FeedStatus
from markets.feed.reasons import NOT_YET
from markets.feed.store import BookStore
from markets.models import Venue
from tests.processes import redis_server  # noqa: F401  a fixture
from tests.speeds import DURATIONS, engine, no_engines  # noqa: F401  fixtures
from tests.strategies.conftest import *  # noqa: F403  strategies and venues

pytestmark = pytest.mark.django_db

TOKEN = "prometheus-reads-here"


def read(response):
    """Return every sample by its name and labels."""
    assert response.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


@pytest.fixture
def samples(client, settings):
    settings.METRICS_TOKEN = TOKEN
    return lambda: read(client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}))


def of(found, name, **labels):
    return found[(name, *sorted(labels.items()))]


def test_the_stages_of_an_engine_are_histograms(samples, engine):  # noqa: F811
    found = samples()

    for stage, durations in DURATIONS.items():
        own = {"engine": "lives", "stage": stage.value}
        name = "arb_engine_stage_seconds"
        assert of(found, f"{name}_count", **own) == len(durations)
        assert of(found, f"{name}_sum", **own) == pytest.approx(sum(durations) / 1e6)
        buckets = [
            (float(dict(labels)["le"]), value)
            for (each, *labels), value in found.items()
            if each == f"{name}_bucket" and dict(labels)["stage"] == stage.value
        ]
        for bound_s, number in sorted(buckets):
            assert number <= sum(1 for us in durations if us <= bound_s * 1e6)
            assert number >= sum(1 for us in durations if us < bound_s * 1e6 / 2)


def test_queues_drops_feeds_and_leases_of_an_engine_are_told(samples, engine):  # noqa: F811
    found = samples()

    assert of(found, "arb_engine_queue", engine="lives", queue="decisions") == 3
    assert of(found, "arb_engine_drops_total", engine="lives", queue="decisions") == 2
    assert of(found, "arb_engine_conflated_total", engine="lives") == 17
    assert of(found, "arb_engine_feeds", engine="lives", state="stale") == 2
    assert of(found, "arb_engine_strategies", engine="lives") == 2
    assert of(found, "arb_engine_memory_bytes", engine="lives") == 200 * 1_048_576
    assert 0 <= of(found, "arb_engine_age_seconds", engine="lives") < 10


def test_feeds_are_told_by_engine_and_venue(samples, settings, redis_server, no_engines):  # noqa: F811
    settings.REDIS_URL = redis_server.url
    Venue.objects.create(code="kappa", name="Kappa", ccxt_id="binance")
    now_ms = SYSTEM_CLOCK.now_ms()
    with redis.Redis.from_url(redis_server.url) as client:
        BookStore(client, writer="one").write_many(
            [],
            gone=[],
            alive_at_ms={},
            statuses=[
                FeedStatus("kappa", "A/B", FeedState.HEALTHY, None, now_ms, now_ms - 700),
                FeedStatus("kappa", "C/B", FeedState.HEALTHY, None, now_ms, now_ms - 4_000, 3),
                FeedStatus("kappa", "D/B", FeedState.DOWN, NOT_YET, now_ms, None, 2, 5),
            ],
            now_ms=now_ms,
        )

    found = samples()

    own = {"engine": "one", "venue": "kappa"}
    assert of(found, "arb_feeds", state="healthy", **own) == 2
    assert of(found, "arb_feeds", state="down", **own) == 1
    assert 4 <= of(found, "arb_feed_age_seconds", **own) < 60
    assert of(found, "arb_feed_breaks", **own) == 5
    assert of(found, "arb_feed_reconnects", **own) == 5
    assert sum(name == "arb_feed_age_seconds" for name, *_ in found) == 1


def test_trading_and_health_are_told(samples, no_engines, held):  # noqa: F811
    found = samples()

    assert of(found, "arb_executions", state="held") == 1
    assert of(found, "arb_executions", state="completed") == 0
    assert of(found, "arb_strategies", state="running") == 1
    assert of(found, "arb_live_orders", state="unknown") == 0
    assert of(found, "arb_unheld_strategies") == 0
    assert of(found, "arb_venue_state", venue="alpha", state="healthy") == 1
    assert of(found, "arb_part_up", part="database") == 1
    assert {value for (name, *_), value in found.items() if name == "arb_source_up"} == {1}


def test_a_source_that_is_away_is_said_to_be_down_and_the_others_are_told(samples, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    found = samples()

    assert of(found, "arb_source_up", source="engines") == 0
    assert of(found, "arb_source_up", source="queues") == 0
    assert of(found, "arb_source_up", source="trading") == 1
    assert of(found, "arb_part_up", part="queues") == 0
    assert of(found, "arb_strategies", state="running") == 0


def test_the_newer_format_is_spoken_too(client, settings, engine):  # noqa: F811
    settings.METRICS_TOKEN = TOKEN
    accept = "application/openmetrics-text; version=1.0.0"

    response = client.get(
        "/metrics", headers={"authorization": f"Bearer {TOKEN}", "accept": accept}
    )

    assert response["Content-Type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(response.content.decode())}
    assert "arb_engine_stage_seconds" in names


def test_members_of_staff_may_read(client, staff):
    client.force_login(staff)

    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics/").status_code == 200


def test_others_who_are_logged_in_may_not(client, user):
    client.force_login(user)

    assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize(
    "sent", ["", "Bearer wrong", "Bearer ", f"Token {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"]
)
def test_without_the_right_token_nothing_is_told(client, settings, sent):
    settings.METRICS_TOKEN = TOKEN

    response = client.get("/metrics", headers={"authorization": sent})

    assert (response.status_code, response.json()["code"]) == (401, 1009)
    assert response["WWW-Authenticate"] == "Bearer"
    assert "arb_" not in response.content.decode()


def test_where_no_token_is_set_none_is_right(client):
    response = client.get("/metrics", headers={"authorization": "Bearer "})

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("10.0.0.1", 401), ("", 401), ("nonsense", 401)],
)
def test_this_machine_may_read_only_if_the_settings_say_so(client, settings, address, status):
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 401

    settings.METRICS_LOOPBACK = True
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


def test_nothing_can_be_written_there(client, staff):
    client.force_login(staff)

    assert client.post("/metrics").status_code == 405
