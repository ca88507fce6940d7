"""A wrong checksum closes the gate before anything can be decided and throws the book away; a
market whose books break too often within an hour is left alone for a while, and a venue with many
such markets is degraded."""

import pytest
import redis

from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.health import VenueState
from markets.domain.live_book import LiveBook
from markets.feed.ages import Ages
from markets.feed.market import BREAKS_MAX, REST_MS, MarketFeed
from markets.feed.reasons import RESTING
from markets.feed.store import BookStore
from markets.gateway.base import VenueSpec
from markets.models import Venue
from markets.services.feeds import count_breaks
from markets.services.health import keep_health
from tests.markets.feed.okx_server import okx_like
from tests.markets.feed.stage import SYMBOL, followed, reason_of
from tests.processes import redis_server

__all__ = ["redis_server"]


@pytest.fixture
async def venue():
    async with okx_like() as (stream, rest_origin, ws_origin):
        yield stream, VenueSpec("far", "okx", rest_origin, ws_origin)


def operations(stream):
    return [request["op"] for request in stream.requests]


async def test_right_checksums_keep_a_book_healthy(venue):
    stream, spec = venue
    async with followed(spec) as told:
        await told.until_state("healthy", "far")
        await stream.update(bids=[("59995.50", "0.1")])
        await told.until_bid(59995.5, "far")
        await stream.update(asks=[("59999.9", "3")], bids=[("59996.0", "1")])
        await told.until_bid(59996.0, "far")

        assert told.diary == ["resyncing", "healthy", 59990.0, 59995.5, 59996.0]
        assert operations(stream) == ["subscribe"]
        assert stream.requests[0]["args"] == [{"channel": "books", "instId": "BTC-USDT"}]


async def test_a_wrong_one_throws_the_book_away_and_subscribes_anew(venue):
    stream, spec = venue
    async with followed(spec) as told:
        await told.until_state("healthy", "far")

        await stream.update(bids=[("59995.50", "0.1")], checksum_off_by=1)
        await told.until_state("resyncing", "far")
        reason = reason_of(told)
        await told.until_bid(59995.5, "far")

        assert reason.startswith("The checksum of the book is ")
        assert told.diary[3:] == ["resyncing", "healthy", 59995.5]
        assert operations(stream) == ["subscribe", "unsubscribe", "subscribe"]
        assert told.is_never_open_when_closed
        [status] = told.hub.statuses()
        assert status.gap_count == 1


async def test_a_gap_in_the_chain_subscribes_anew_as_well(venue):
    stream, spec = venue
    async with followed(spec) as told:
        await told.until_state("healthy", "far")

        await stream.update(bids=[("59995.50", "0.1")], skips=1)
        await told.until_bid(59995.5, "far")

        assert told.diary[3:] == ["resyncing", "healthy", 59995.5]
        assert operations(stream) == ["subscribe", "unsubscribe", "subscribe"]


async def test_the_pongs_of_the_venue_itself_prove_a_quiet_book_current(venue):
    _stream, spec = venue
    async with followed(spec) as told:
        await told.until_state("healthy", "far")
        first_ms = told.hub.book("far", SYMBOL).to_book(1).received_at_ms

        await told.until_so(
            lambda: told.hub.book("far", SYMBOL).to_book(1).received_at_ms > first_ms
        )

        assert told.states_of("far") == ["resyncing", "healthy"]


def broken_feeds(markets):
    return [
        FeedStatus("far", f"A{n}/B", FeedState.STALE, RESTING, 1, recent_breaks=20)
        for n in range(markets)
    ]


def write(client, writer, statuses):
    now_ms = SYSTEM_CLOCK.now_ms()
    BookStore(client, writer=writer).write_many(
        [], gone=[], alive_at_ms={}, statuses=statuses, now_ms=now_ms
    )


@pytest.mark.django_db
def test_a_venue_whose_books_break_again_and_again_is_degraded_until_they_do_not(
    redis_server, settings
):
    settings.REDIS_URL = redis_server.url
    far = Venue.objects.create(code="far", name="Far", ccxt_id="okx")
    with redis.Redis.from_url(redis_server.url) as client:
        write(client, "one", broken_feeds(4))
        write(client, "two", broken_feeds(4))  # the same markets, seen by another engine
        before = keep_health(venue=far)
        write(client, "one", broken_feeds(5))
        ill = keep_health(venue=far)
        client.flushall()
        still = keep_health(venue=ill)

    assert before.state == VenueState.HEALTHY
    assert (ill.state, str(ill.to_state_reason())) == (
        VenueState.DEGRADED,
        "its live books broke 100 times within an hour",
    )
    assert still.state == VenueState.DEGRADED  # it is asked how it is before it counts as well
    redis_server.stop()
    assert count_breaks("far") == 0


def test_breaks_are_remembered_for_an_hour():
    clock, steady = FixedClock(9_000_000_000), [0.0]
    ages = Ages(clock, lambda: steady[0])
    feed = MarketFeed(LiveBook("far", SYMBOL), 0)
    for now_ms in (0.0, 1_000.0):
        feed.note_break(now_ms)

    steady[0] = 3_600_500.0
    status = feed.status(ages)

    assert (status.gap_count, status.recent_breaks) == (2, 1)


def test_the_first_break_is_mended_at_once_and_many_within_an_hour_are_not():
    feed = MarketFeed(LiveBook("far", SYMBOL), 0)

    pauses, now_ms = [], 0.0
    for _ in range(BREAKS_MAX):
        due_ms = feed.note_break(now_ms)
        pauses.append(due_ms - now_ms)
        now_ms = due_ms + 1

    assert pauses[:6] == [0, 1_000, 2_000, 4_000, 8_000, 16_000]
    assert pauses[-1] == REST_MS
    assert feed.is_resting
    assert feed.gap_count == BREAKS_MAX
