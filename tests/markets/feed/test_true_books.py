"""What could make a book look current that is not: each case over real sockets."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.errors import VenueUnavailable
from markets.feed import wired
from markets.feed.reasons import SILENT
from markets.gateway import stream_facts
from markets.gateway.base import VenueSpec
from markets.gateway.stream_facts import StreamFacts
from markets.gateway.wire.keeper import OLD_MAX
from tests.markets.feed.binance_server import REFUSAL, Shelf, binance_like, book_of
from tests.markets.feed.stage import FAST, SYMBOL, followed, reason_of


@pytest.fixture
async def venue():
    async with binance_like() as (stream, spec):
        yield stream, spec


def feed_of(told):
    [feed] = told.hub.feeds()
    return feed


async def test_a_refused_subscription_opens_no_gate_and_is_named(venue):
    stream, spec = venue
    stream.answers = [REFUSAL, {"result": None}]
    shelf = Shelf(book_of(5))
    async with followed(spec, reader=shelf, timing=replace(FAST, dead_after_ms=600_000)) as told:
        await told.until(lambda: "refuses" in reason_of(told))
        reason, asked = reason_of(told), shelf.asked

        await told.until_state("healthy", "far")

        assert reason == ("The venue refuses the subscription: Invalid request: too many streams.")
        assert asked == 0
        assert stream.requests[:2] == ["SUBSCRIBE", "UNSUBSCRIBE"]
        assert told.diary == ["resyncing", "resyncing", "healthy", 10.0]


async def test_a_subscription_without_an_answer_opens_no_gate_before_the_stream_speaks(venue):
    stream, spec = venue
    stream.answers = [None]
    shelf = Shelf(book_of(5))
    async with followed(spec, reader=shelf) as told:
        await told.until_so(lambda: stream.requests == ["SUBSCRIBE"])
        await told.until_so(lambda: told.states_of("far") == ["resyncing"])
        assert shelf.asked == 0

        await stream.say(5, 6, bids=[["10.5", "1"]])
        await told.until_bid(10.5, "far")


async def test_an_answer_to_an_unsubscription_confirms_nothing(venue):
    stream, spec = venue
    stream.answers = [None]
    async with followed(spec, reader=Shelf(book_of(5))) as told:
        await told.until_so(lambda: stream.requests == ["SUBSCRIBE"])
        venue_feed = told.hub._venues["far"]
        [line] = venue_feed._lines

        venue_feed.line_said(line, b'{"result":null,"id":999}', 1)

        assert feed_of(told).told_since_ms is None


async def test_a_snapshot_from_before_a_lost_connection_is_not_taken_after_it(venue):
    stream, spec = venue
    early, late = (asyncio.get_running_loop().create_future() for _ in range(2))
    shelf = Shelf(early, late, book_of(9, bids=((12, 1),), asks=((13, 1),)))
    async with followed(spec, reader=shelf, timing=replace(FAST, poll_after_ms=600_000)) as told:
        await told.until_so(lambda: shelf.asked == 1)
        await stream.cut()
        await told.until_so(lambda: len(stream.sockets) == 2 and shelf.asked == 2)

        early.set_result(book_of(5))
        await told.until_so(lambda: shelf.asked == 3)
        late.set_result(book_of(9, bids=((12, 1),), asks=((13, 1),)))
        await told.until_state("healthy", "far")

        assert told.books == [("far", SYMBOL, 12.0, 13.0)]
        assert told.is_never_open_when_closed


async def test_a_venue_that_counts_anew_is_noticed(venue):
    stream, spec = venue
    shelf = Shelf(book_of(1_000), book_of(OLD_MAX, bids=((12, 1),), asks=((13, 1),)))
    async with followed(spec, reader=shelf) as told:
        await told.until_state("healthy", "far")

        for number in range(1, OLD_MAX + 1):
            await stream.say(number, number, bids=[["9", "1"]])
        await told.until_bid(12.0, "far")

        assert told.diary == ["resyncing", "healthy", 10.0, "resyncing", "healthy", 12.0]


async def test_a_stream_that_only_repeats_itself_is_compared_like_a_silent_one(venue):
    stream, spec = venue
    shelf = Shelf(book_of(1_000), book_of(1_001, bids=((12, 1),), asks=((13, 1),)))
    timing = replace(FAST, silence_ms=200, grace_ms=1, suspect_ms=600_000)
    async with followed(spec, reader=shelf, timing=timing) as told:
        await told.until_state("healthy", "far")
        closed = asyncio.create_task(told.until_state("stale", "far"))
        while not closed.done():
            await stream.say(999, 999, bids=[["9", "1"]])
            await asyncio.sleep(0.02)

        assert reason_of(told) == "The stream said nothing although the market has moved."


async def test_a_refreshed_book_that_has_lost_its_best_levels_is_closed(venue, monkeypatch):
    facts = StreamFacts(snapshot_depths=(1, 1), pause_ms=1)
    monkeypatch.setitem(stream_facts._TABLE, "binance", facts)
    stream, spec = venue
    fresh = asyncio.get_running_loop().create_future()
    shelf = Shelf(book_of(5), fresh, VenueUnavailable(venue="far", cause="away"))
    # two levels of bids are known by the second message, but no second one of the asks
    async with followed(spec, reader=shelf, timing=replace(FAST, silence_ms=50)) as told:
        await told.until_state("healthy", "far")
        feed_of(told).book.tick = 0.0
        await stream.say(6, 6, asks=[["10.5", "1"]])
        await told.until_so(lambda: feed_of(told).book.best_ask == 10.5)
        await told.until_so(lambda: shelf.asked == 2)
        await stream.say(7, 7, asks=[["10.5", "0"]])
        await told.until_so(lambda: feed_of(told).book.best_ask == 11.0)
        still_open = told.states_of("far")[-1]

        fresh.set_result(book_of(6, asks=((Decimal("10.5"), 1),)))
        await told.until_state("resyncing", "far")

        assert still_open == "healthy"
        assert told.hub.book("far", SYMBOL) is None


async def test_a_short_book_is_deepened_however_often_looks_prove_it(venue, monkeypatch):
    facts = StreamFacts(snapshot_depths=(1, 1), pause_ms=1)
    monkeypatch.setitem(stream_facts._TABLE, "binance", facts)
    _stream, spec = venue
    shelf = Shelf(book_of(5), book_of(5))
    shelf.looks = [lambda: book_of(5, made_at_ms=SYSTEM_CLOCK.now_ms())]
    timing = replace(FAST, silence_ms=500, quiet_ms=20, quiet_pause_ms=5)
    async with followed(spec, reader=shelf, timing=timing) as told:
        told.hub.want({spec: [SYMBOL]}, {"far": [SYMBOL]})
        await told.until_state("healthy", "far")
        await told.until_so(lambda: shelf.asked == 2)

        assert feed_of(told).agreement is not None
        assert told.states_of("far") == ["resyncing", "healthy"]


async def test_a_message_that_is_no_json_ends_the_connection(venue):
    stream, spec = venue
    async with followed(spec, reader=Shelf(book_of(5))) as told:
        await told.until_state("healthy", "far")
        await stream.sockets[-1].send_str("pong")
        await stream.say(6, 6, bids=[["10.5", "1"]])
        await told.until_bid(10.5, "far")

        await stream.sockets[-1].send_str('{"e":"depthUpdate","s":"BTCUSDT","U":7,"u":7,"b":[["10')
        await told.until_state("down", "far")

        assert reason_of(told) == "A message of the stream could not be read."


async def test_events_of_connections_that_come_while_all_is_closed_are_harmless(venue):
    _stream, spec = venue
    async with followed(spec, reader=Shelf(book_of(5))) as told:
        await told.until_state("healthy", "far")
        venue_feed = told.hub._venues["far"]
        [line] = venue_feed._lines
        await told.hub.close()

        line.symbols = {SYMBOL}
        venue_feed.line_closed(line, SILENT)
        venue_feed.line_opened(line)


async def test_a_market_that_is_listed_later_is_found_without_a_restart(venue, monkeypatch):
    monkeypatch.setattr(wired, "RELEARN_MS", 50)
    _stream, spec = venue
    shelf = Shelf(book_of(5))
    shelf.listings = [RuntimeError("no such answer"), None]
    async with followed(spec, reader=shelf) as told:
        await told.until_state("healthy", "far")

        assert told.states_of("far") == ["down", "down", "resyncing", "healthy"]


async def test_a_comparison_that_breaks_concludes_nothing_and_is_made_again(venue):
    _stream, spec = venue
    shelf = Shelf(book_of(5), RuntimeError("no such answer"))
    async with followed(spec, reader=shelf, timing=replace(FAST, silence_ms=100)) as told:
        await told.until_state("healthy", "far")

        await told.until_compared(feed_of(told), times=2)

        assert told.states_of("far") == ["resyncing", "healthy"]


async def test_a_venue_that_is_polled_is_polled_on_whatever_a_reading_meets():
    spec = VenueSpec("far", "zebpay", "http://127.0.0.1:9")
    shelf = Shelf(RuntimeError("no such answer"), book_of(5))
    async with followed(spec, reader=shelf) as told:
        await told.until_state("healthy", "far")

        assert set(told.states_of("far")) == {"healthy"}
