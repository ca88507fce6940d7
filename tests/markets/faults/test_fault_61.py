"""A wrong checksum closes the gate before anything can be decided and throws the book away; a
market whose books break too often within an hour is left alone for a while."""

from dataclasses import replace

import pytest

from markets.domain.live_book import LiveBook
from markets.feed.market import BREAKS_MAX, REST_MS, MarketFeed
from markets.gateway.base import VenueSpec
from tests.markets.feed.okx_server import okx_like
from tests.markets.feed.stage import FAST, SYMBOL, followed, reason_of


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
    async with followed(spec, timing=replace(FAST, stale_after_ms=1_500)) as told:
        await told.until_state("healthy", "far")
        first_ms = told.hub.book("far", SYMBOL).to_book(1).received_at_ms

        await told.until_so(
            lambda: told.hub.book("far", SYMBOL).to_book(1).received_at_ms > first_ms
        )

        assert told.states_of("far") == ["resyncing", "healthy"]


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
