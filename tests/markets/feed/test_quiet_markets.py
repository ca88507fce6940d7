"""Quiet markets: what proves their books over real sockets, and what does not."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK, elapsed_ms
from arbplatform.core.errors import Message
from markets.domain.feeds import FeedState
from markets.domain.live_book import LiveBook
from markets.errors import VenueUnavailable
from markets.feed.ages import Ages
from markets.feed.looks import Looks
from markets.feed.market import MarketFeed
from markets.feed.pace import Backoff
from markets.feed.reader import RestReader
from markets.feed.silence import Silence
from markets.feed.venue import FeedKit
from markets.gateway.base import VenueSpec
from markets.gateway.factory import _FACTORY, _venue_key
from markets.gateway.limiter import BACKGROUND_RESERVE_MS, Urgency
from tests.markets.feed.binance_server import Shelf, binance_like, book_of
from tests.markets.feed.stage import FAST, SYMBOL, followed, reason_of

AGE_MS_MAX = 400
"""What a risk gate would allow here [ms]."""
TIMING = replace(FAST, quiet_ms=30, quiet_pause_ms=5, grace_ms=150)
AWAY = VenueUnavailable(venue="far", cause=Message("away"))
now_ms = SYSTEM_CLOCK.now_ms


def shown_now(sequence, bids=((10, 1),), *, ago_ms=0):
    """Return what answers with a book that the venue makes when it is asked, or so long before."""
    return lambda: book_of(sequence, bids, made_at_ms=now_ms() - ago_ms)


@asynccontextmanager
async def quiet(*looks, is_decided_on=True):
    """Follow a market that says one thing at first, number 6, and then nothing."""
    shelf = Shelf(book_of(5))
    shelf.looks = list(looks)
    async with (
        binance_like() as (stream, spec),
        followed(spec, timing=TIMING, reader=shelf) as told,
    ):
        await told.until_state("healthy", "far")
        await stream.say(6, 6, [["10", "2"]], at_ms=now_ms())
        await told.until_so(lambda: book(told).sequence == 6)
        if is_decided_on:  # it is looked at from now on, and not while the message is under way
            told.hub.want({spec: [SYMBOL]}, {"far": [SYMBOL]})
        yield told, stream, shelf


SAME = (6, ((10, 2),))
MOVED = (7, (("10.5", 1), (10, 2)))


def book(told):
    return told.hub.book("far", SYMBOL).to_book(20)


def proven_at_ms(told):
    """Return when the market's own proof is from, if the clocks go alike [ms since epoch]."""
    shown = book(told)
    moments = [shown.heard_at_ms]
    if shown.look is not None:
        moments.append(min(shown.look.asked_at_ms, shown.look.made_at_ms))
    return max(moments)


def own_age_ms(told):
    return now_ms() - proven_at_ms(told)


async def until_old(told):
    await told.until_so(lambda: own_age_ms(told) > AGE_MS_MAX)


async def test_a_quiet_market_is_proven_again_and_again():
    async with quiet(shown_now(*SAME)) as (told, _stream, shelf):
        heard_at_ms = book(told).heard_at_ms
        changes = len(told.books)
        await told.until_so(lambda: proven_at_ms(told) - heard_at_ms > 2 * AGE_MS_MAX)

        assert book(told).heard_at_ms == pytest.approx(heard_at_ms, abs=2)  # the steady clock's
        assert len(told.books) > changes  # who listens is told that the book is younger
        assert told.states_of("far") == ["resyncing", "healthy"]
        assert set(shelf.looked_at) == {SYMBOL}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(shown_now(*SAME, ago_ms=60_000), id="an old answer that agrees"),
        pytest.param(lambda: book_of(*SAME), id="one that does not say how old it is"),
        pytest.param(shown_now(5, ((10, 1),)), id="an answer from before the last change"),
        pytest.param(shown_now(7, ((10, 2),)), id="the stream owes a message"),
        pytest.param(shown_now(6, ((10, 3),)), id="another quantity"),
        pytest.param(shown_now(6, ((10, 2), (9, 1))), id="one more level"),
        pytest.param(lambda: AWAY, id="no answer"),
    ],
)
async def test_what_is_in_doubt_proves_nothing_and_the_book_grows_old(answer):
    async with quiet(answer) as (told, stream, shelf):
        await until_old(told)

        assert shelf.looked_at
        assert told.states_of("far") == ["resyncing", "healthy"]
        old_ms = proven_at_ms(told)
        await stream.say(7, 7, at_ms=now_ms())  # which changes nothing
        await told.until_so(lambda: proven_at_ms(told) - old_ms > AGE_MS_MAX / 2)


async def test_an_old_answer_proves_the_book_as_of_when_it_was_made():
    async with quiet(shown_now(*SAME)) as (told, _stream, shelf):
        await told.until_so(lambda: book(told).look is not None)
        made_at_ms = now_ms()
        shelf.looks = [lambda: book_of(*SAME, made_at_ms=made_at_ms)]
        await until_old(told)

        assert book(told).look.made_at_ms == made_at_ms


async def test_a_stream_that_stands_still_closes_the_gate_and_is_subscribed_anew():
    async with quiet(shown_now(*MOVED)) as (told, stream, shelf):
        shelf.books = [book_of(*MOVED)]
        await told.until_state("stale", "far")

        assert reason_of(told) == "The stream said nothing although the market has moved."
        [status] = told.hub.statuses()
        assert status.gap_count == 0  # the message may be on its way
        await told.until_so(lambda: told.hub.statuses()[0].gap_count == 1)
        assert told.hub.book("far", SYMBOL) is None
        await told.until_so(lambda: stream.requests.count("SUBSCRIBE") == 2)
        assert stream.requests[-2:] == ["UNSUBSCRIBE", "SUBSCRIBE"]
        await stream.say(8, 8, [["10", "1"]], at_ms=now_ms())
        await told.until_bid(10.5, "far")


async def test_a_message_that_was_on_its_way_opens_the_gate_again_without_a_break():
    second = asyncio.get_running_loop().create_future()
    async with quiet(shown_now(*MOVED), second) as (told, stream, shelf):
        await told.until_state("stale", "far")
        await stream.say(7, 7, [["10.5", "1"]], at_ms=now_ms())
        await told.until_bid(10.5, "far")
        second.set_result(book_of(*MOVED, made_at_ms=now_ms()))
        shelf.looks = [shown_now(*MOVED)]
        looks = len(shelf.looked_at)
        await told.until_so(lambda: len(shelf.looked_at) > looks + 2)

        assert told.hub.statuses()[0].gap_count == 0
        assert told.states_of("far") == ["resyncing", "healthy", "stale", "healthy"]


async def test_an_answer_that_was_wrong_opens_the_gate_again_and_proves_nothing():
    async with quiet(shown_now(*MOVED), shown_now(*SAME, ago_ms=30_000)) as (told, _stream, shelf):
        await told.until_state("stale", "far")
        shelf.looks = [shown_now(*SAME)]
        await told.until_state("healthy", "far")

        assert book(told).look is None
        assert told.hub.statuses()[0].gap_count == 0


async def test_a_market_that_nobody_wants_any_more_is_left_alone_in_the_middle_of_a_doubt():
    async with quiet(shown_now(*MOVED)) as (told, _stream, shelf):
        [venue] = told.hub._venues.values()
        await told.until_state("stale", "far")
        told.hub.want({venue.spec: [SYMBOL]})  # only watched from now on
        looks = len(shelf.looked_at)
        await asyncio.wait([venue._silence._looks._task])

        assert len(shelf.looked_at) == looks
        assert told.states_of("far") == ["resyncing", "healthy", "stale"]


async def test_an_answer_that_the_stream_overtook_says_nothing():
    answer = asyncio.get_running_loop().create_future()
    async with quiet(answer, lambda: AWAY) as (told, stream, shelf):
        await told.until_so(lambda: shelf.looked_at)
        await stream.say(7, 7, [["10.5", "1"]], at_ms=now_ms())
        await told.until_bid(10.5, "far")
        answer.set_result(book_of(*SAME, made_at_ms=now_ms()))
        await told.until_so(lambda: len(shelf.looked_at) > 1)

        assert book(told).look is None
        assert told.states_of("far") == ["resyncing", "healthy"]


async def test_a_look_says_nothing_about_the_book_that_comes_after_it():
    async with quiet(shown_now(*SAME)) as (told, stream, shelf):
        await told.until_so(lambda: book(told).look is not None)
        shelf.looks = [lambda: AWAY]
        await stream.say(7, 7, [["10", "3"]], at_ms=now_ms() - 5_000)  # late
        await told.until_so(lambda: book(told).sequence == 7)

        assert book(told).look is None


async def test_a_venue_that_answers_again_proves_its_markets_again():
    async with quiet(lambda: AWAY) as (told, _stream, shelf):
        await until_old(told)
        shelf.looks = [shown_now(*SAME)]
        await told.until_so(lambda: own_age_ms(told) < AGE_MS_MAX)

        assert len(shelf.looked_at) < 40  # ever longer pauses, as long as it did not answer


async def test_what_no_strategy_decides_on_is_not_looked_at():
    async with quiet(shown_now(*SAME), is_decided_on=False) as (told, _stream, shelf):
        await until_old(told)

        assert shelf.looked_at == []


class Counted(RestReader):
    """Notes who looks, and how many do so at the same moment."""

    def __init__(self):
        super().__init__()
        self.looked_at = []
        self.busy = self.busiest = 0

    async def look(self, spec, symbol, depth):
        self.looked_at.append(symbol)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        return replace(book_of(1, made_at_ms=now_ms()), symbol=symbol)


def quiet_feed(symbol, at_ms):
    live = LiveBook("far", symbol)
    live.replace([["10", "1"]], [["11", "1"]], received_at_ms=1, sequence=1)
    feed = MarketFeed(live, at_ms)
    feed.move(FeedState.HEALTHY, None, at_ms)
    feed.heard_at_ms, feed.is_decided_on = at_ms, True
    return feed


async def test_fifty_quiet_markets_are_looked_at_in_turn_and_no_faster_than_agreed():
    reader, clock, proven = Counted(), elapsed_ms, []

    def ignored(feed):
        raise AssertionError(feed.book.symbol)

    looks = Looks(
        VenueSpec("far", "binance"),
        reader,
        timing=replace(TIMING, quiet_ms=1, quiet_pause_ms=4),
        backoff=Backoff(Random(1)),  # noqa: S311  no secret depends on it
        now_ms=clock,
        is_counted=True,
        proven=lambda feed: proven.append(feed.book.symbol),
        doubted=ignored,
        moved=ignored,
        quiet=ignored,
    )
    began_ms = clock()
    feeds = [quiet_feed(f"{number}/USDT", began_ms - 60_000 + number) for number in range(50)]
    async with asyncio.timeout(20):
        while len(reader.looked_at) < 120:
            looks.look(feeds, clock())
            await asyncio.sleep(0.01)
    await looks.close()

    assert len(reader.looked_at) <= (clock() - began_ms) / 4 + 1
    assert reader.busiest == 1
    assert reader.looked_at[:50] == [feed.book.symbol for feed in feeds]  # the oldest first
    assert sorted(reader.looked_at[50:100]) == sorted(reader.looked_at[:50])
    assert proven[:50] == reader.looked_at[:50]


async def test_a_request_that_takes_long_is_not_paid_for_twice():
    """The pause is from beginning to beginning: an answer that took as long is followed at once."""

    class Slow(Counted):
        at_ms = 100_000.0

        async def look(self, spec, symbol, depth):
            self.at_ms += 60_000
            return await super().look(spec, symbol, depth)

    reader, proven, is_done = Slow(), [], asyncio.Event()

    def note(feed):
        proven.append(feed.book.symbol)
        if len(proven) == 50:
            is_done.set()

    def ignored(feed):
        raise AssertionError(feed.book.symbol)

    looks = Looks(
        VenueSpec("far", "binance"),
        reader,
        timing=replace(TIMING, quiet_pause_ms=60_000),
        backoff=Backoff(Random(1)),  # noqa: S311  no secret depends on it
        now_ms=lambda: reader.at_ms,
        is_counted=True,
        proven=note,
        doubted=ignored,
        moved=ignored,
        quiet=ignored,
    )
    looks.look([quiet_feed(f"{number}/USDT", number) for number in range(50)], reader.at_ms)
    async with asyncio.timeout(20):
        await is_done.wait()
    await looks.close()

    assert proven == [f"{number}/USDT" for number in range(50)]


async def test_looks_leave_orders_what_orders_need(alpha):
    spec, reader = replace(alpha, options={"enableRateLimit": True}), RestReader()
    await reader.book(spec, SYMBOL, 20)  # which loads the markets as well
    limiter: Any = _FACTORY._catalog(_venue_key(spec), spec).limiter
    await asyncio.gather(*(reader.look(spec, SYMBOL, 20) for _ in range(40)))
    reader.close()

    waits: list[float] = []
    limiter._sleep = waits.append
    limiter.acquire((BACKGROUND_RESERVE_MS - 1) / limiter.unit_ms, urgency=Urgency.WRITE)
    assert waits == []


async def test_where_no_answer_says_how_old_it_is_nothing_is_looked_at(alpha):
    reader = Counted()
    for ccxt_id, expected in (("kraken", []), ("okx", ["BTC/USDT"])):
        ages = Ages()
        kit = FeedKit(reader, ages, TIMING, Random(1), 1_000)  # noqa: S311
        told = Told()
        silence = Silence(VenueSpec("far", ccxt_id), kit, told, is_counted=False)
        silence.look([quiet_feed(SYMBOL, ages.now_ms() - 1_000)], ages.now_ms())
        for _ in range(5):
            await asyncio.sleep(0)
        await silence.close()

        assert reader.looked_at == expected
        assert told.proven == expected


class Told:
    """Remembers what was proven."""

    def __init__(self):
        self.proven = []

    def found_proven(self, feed):
        self.proven.append(feed.book.symbol)

    found_doubtful = found_frozen = found_quiet = found_proven
