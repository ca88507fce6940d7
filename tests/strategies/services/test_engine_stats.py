"""What engines say about themselves, in memory and through a real Redis."""

from dataclasses import replace

import orjson
import pytest
import redis

from arbplatform.core.errors import Unavailable
from arbplatform.core.histograms import Histogram
from arbplatform.core.stages import Stage
from strategies.domain.engine_stats import EngineStats
from strategies.services import engine_stats
from strategies.services.engine_stats import (
    INDEX_KEY,
    KEPT_MS,
    list_stats,
    publish_stats,
    withdraw_stats,
)
from tests.processes import redis_server  # noqa: F401  a fixture


@pytest.fixture(params=["memory", "redis"])
def broker(request, settings, monkeypatch):
    monkeypatch.setattr(engine_stats, "_here", {})
    if request.param == "redis":
        settings.REDIS_URL = request.getfixturevalue("redis_server").url
    return request.param


def histogram_of(*durations):
    histogram = Histogram()
    for us in durations:
        histogram.record(us)
    return histogram


def stats_of(name, clock, **changes):
    stats = EngineStats(
        name=name,
        machine="box",
        pid=42,
        at_ms=clock.now_ms(),
        stages={Stage.BOOK: histogram_of(2.0, 3.0), Stage.ACK: histogram_of(700.0)},
        recent={Stage.BOOK: histogram_of(3.0)},
        queues={"decisions": 3},
        drops={"decisions": 1},
        conflated=17,
        feeds={"healthy": 40, "stale": 2},
        strategies=(4, 9),
        rss_bytes=123_456_789,
    )
    return replace(stats, **changes)


def test_what_is_published_is_listed_by_name(broker, clock):
    second, first = stats_of("engine-b", clock), stats_of("engine-a", clock)

    assert publish_stats(second, clock=clock)
    assert publish_stats(first, clock=clock)

    listed = list_stats(clock=clock)
    assert [each.to_dict() for each in listed] == [first.to_dict(), second.to_dict()]
    assert listed[0].stages[Stage.BOOK].count == 2


def test_the_newest_word_of_an_engine_counts(broker, clock):
    publish_stats(stats_of("engine-a", clock), clock=clock)
    clock.advance_ms(1_000)
    publish_stats(stats_of("engine-a", clock, conflated=18), clock=clock)

    assert [(each.at_ms, each.conflated) for each in list_stats(clock=clock)] == [
        (clock.now_ms(), 18)
    ]


def test_an_engine_that_is_silent_is_not_listed_any_more(broker, clock):
    publish_stats(stats_of("engine-a", clock), clock=clock)
    clock.advance_ms(KEPT_MS + 1)
    publish_stats(stats_of("engine-b", clock), clock=clock)

    assert [each.name for each in list_stats(clock=clock)] == ["engine-b"]


def test_an_engine_that_ends_is_not_listed_any_more(broker, clock):
    publish_stats(stats_of("engine-a", clock), clock=clock)

    withdraw_stats("engine-a")

    assert list_stats(clock=clock) == []


def test_a_stage_that_only_a_newer_engine_knows_is_left_out(clock):
    values = stats_of("engine-a", clock).to_dict()
    values["stages"]["teleport"] = histogram_of(1.0).to_dict()

    assert list(EngineStats.from_dict(values).stages) == [Stage.BOOK, Stage.ACK]


def test_what_cannot_be_read_is_left_out(settings, redis_server, clock):  # noqa: F811
    settings.REDIS_URL = redis_server.url
    publish_stats(stats_of("engine-a", clock), clock=clock)
    with redis.Redis.from_url(redis_server.url) as client:
        names = ("engine-b", "engine-c", "engine-d")
        client.zadd(INDEX_KEY, dict.fromkeys(names, clock.now_ms()))
        client.set("arb:engine:engine-b", b'{"name": "engine-b"}')
        values = stats_of("engine-d", clock).to_dict()
        client.set("arb:engine:engine-d", orjson.dumps({**values, "stages": []}))

    assert [each.name for each in list_stats(clock=clock)] == ["engine-a"]


def test_the_redis_keys_end_by_themselves(settings, redis_server, clock):  # noqa: F811
    settings.REDIS_URL = redis_server.url
    publish_stats(stats_of("engine-a", clock), clock=clock)

    with redis.Redis.from_url(redis_server.url) as client:
        assert 0 < client.pttl("arb:engine:engine-a") <= KEPT_MS


def test_without_redis_publishing_harms_nobody_and_reading_says_so(settings, clock, caplog):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    assert not publish_stats(stats_of("engine-a", clock), clock=clock)
    withdraw_stats("engine-a")
    with pytest.raises(Unavailable, match="Redis does not answer"):
        list_stats(clock=clock)

    assert "could not be published" in caplog.text
