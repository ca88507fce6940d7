"""What an engine passes on through a real Redis, and what others may conclude from it."""

import asyncio
import time
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import redis

from arbplatform.core.errors import Message
from arbplatform.push.publisher import listen_here
from markets.domain.book import Look
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.health import VenueHealth, VenueState
from markets.domain.live_book import LiveBook
from markets.errors import VenueUnavailable
from markets.feed import interest
from markets.feed.hub import FeedHub
from markets.feed.sharing import ROUND_S, TELL_MS
from markets.feed.store import (
    FORGOTTEN_MS,
    KEPT_MS,
    WRITERS_KEY,
    BookRow,
    BookStore,
    origin_of,
    row_of,
)
from markets.feed.timing import TIMING
from markets.gateway.base import VenueSpec
from markets.gateway.factory import gateway_for
from markets.services.feeds import FRESH_MS
from markets.services.live_feeds import LiveFeeds
from tests.markets.feed.stage import FAST, SYMBOL, Recorder, move, streams
from tests.processes import redis_server

__all__ = ["redis_server"]

SPEC = VenueSpec("alpha", "binance", "http://127.0.0.1:1/alpha")
KEY = ("alpha", SYMBOL)
NOW_MS = 1_767_225_600_000


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as made:
        yield made


def row(bid="50000.00", received_at_ms=NOW_MS, spec=SPEC):
    levels = [[bid, "1.5"]], [["50010.10", "2"], ["50020", "3"]]
    return BookRow("alpha", SYMBOL, origin_of(spec), *levels, received_at_ms, NOW_MS - 5, 77)


def write(store, *rows, gone=(), alive=None, statuses=(), now_ms=NOW_MS):
    store.write_many(rows, gone=gone, alive_at_ms=alive or {}, statuses=statuses, now_ms=now_ms)


def read(store, depth=20, spec=SPEC):
    return store.read_many([(spec, SYMBOL)], depth).get(KEY)


def test_a_quiet_market_is_proven_often_enough_to_be_current_for_others():
    answer_ms = 300  # of a venue at the other end of the world
    proven_ms = TIMING.ping_after_ms + TIMING.look_ms + answer_ms
    told_ms = TELL_MS + ROUND_S * 1_000

    assert proven_ms + told_ms < FRESH_MS < TIMING.stale_after_ms


def test_a_book_is_read_as_it_was_written(client):
    store = BookStore(client, writer="one")

    write(store, row())
    book = read(store, depth=1)

    assert book.bids == ((Decimal("50000.00"), Decimal("1.5")),)
    assert book.asks == ((Decimal("50010.10"), Decimal(2)),)
    assert (book.received_at_ms, book.venue_time_ms, book.sequence) == (NOW_MS, NOW_MS - 5, 77)
    assert 0 < client.pttl(f"arb:book:alpha:{SYMBOL}") <= KEPT_MS


def test_what_proves_a_book_is_read_with_it(client):
    store = BookStore(client, writer="one")
    live = LiveBook("alpha", SYMBOL)
    live.replace([["50000.00", "1.5"]], [["50010.10", "2"]], received_at_ms=NOW_MS)
    live.date(NOW_MS, NOW_MS - 40_000, Look(NOW_MS - 700, NOW_MS - 900))

    write(store, row_of(live, origin_of(SPEC)))

    assert read(store) == live.to_book(20)


def test_a_sign_of_life_of_its_own_writer_makes_a_quiet_book_current(client):
    one, two = BookStore(client, writer="one"), BookStore(client, writer="two")
    write(one, row())

    write(two, alive={"alpha": NOW_MS + 900})
    by_another = read(one).received_at_ms
    write(one, alive={"alpha": NOW_MS + 700})

    assert (by_another, read(one).received_at_ms) == (NOW_MS, NOW_MS + 700)


def test_a_book_is_taken_away_by_its_writer_only(client):
    one, two = BookStore(client, writer="one"), BookStore(client, writer="two")
    write(one, row())

    write(two, gone=[KEY])
    left = read(one)
    write(one, gone=[KEY])

    assert left is not None
    assert read(one) is None


def test_a_book_from_another_address_is_another_book(client):
    store = BookStore(client, writer="one")
    write(store, row())

    assert read(store, spec=VenueSpec("alpha", "binance", "http://127.0.0.1:2/alpha")) is None


def test_states_are_listed_with_their_sentences_and_forgotten_with_their_engine(client):
    store = BookStore(client, writer="host:1:abc")
    cause = VenueUnavailable(venue="alpha", cause=Message("no answer within the time limit"))
    status = FeedStatus("alpha", SYMBOL, FeedState.DOWN, cause.message, NOW_MS, gap_count=3)
    healthy = FeedStatus("alpha", "ETH/BTC", FeedState.HEALTHY, None, NOW_MS, NOW_MS)

    write(store, statuses=[status, healthy], alive={"alpha": NOW_MS + 50})
    [down, up] = store.read_statuses(["alpha", "beta"], now_ms=NOW_MS)

    assert (down.status, down.writer, down.confirmed_at_ms) == (status, "host:1:abc", None)
    assert (up.status, up.confirmed_at_ms) == (healthy, NOW_MS + 50)
    assert store.read_statuses(["alpha"], now_ms=NOW_MS + KEPT_MS + 1) == []
    store.forget([KEY])
    assert [one.status.symbol for one in store.read_statuses(["alpha"], now_ms=NOW_MS)] == [
        "ETH/BTC"
    ]


def test_what_another_version_says_hides_nothing_else(client):
    store = BookStore(client, writer="one")
    write(store, statuses=[FeedStatus("alpha", SYMBOL, FeedState.HEALTHY, None, NOW_MS, NOW_MS)])
    client.hset("arb:feed:alpha:two", mapping={b"\xff": b"{}", b"X/Y": b"7", b"Z/Y": b"[]"})
    client.zadd(WRITERS_KEY, {b"two": NOW_MS, b"\xff": NOW_MS})
    interest.register(client, [KEY], now_ms=NOW_MS)
    client.zadd(interest.KEY, {b"\xff": NOW_MS + 1})

    (found,) = store.read_statuses(["alpha"], now_ms=NOW_MS)

    assert found.status.symbol == SYMBOL
    assert interest.current(client, now_ms=NOW_MS) == [KEY]


def test_an_engine_that_was_killed_leaves_nothing_behind(client):
    status = FeedStatus("alpha", SYMBOL, FeedState.HEALTHY, None, NOW_MS, NOW_MS)
    later_ms = NOW_MS + FORGOTTEN_MS + 1
    write(BookStore(client, writer="killed"), statuses=[status], alive={"alpha": NOW_MS})

    write(BookStore(client, writer="one"), statuses=[status], now_ms=later_ms)

    assert client.zrange(WRITERS_KEY, 0, -1) == [b"one"]
    assert client.hgetall("arb:alive:alpha") == {}
    assert 0 < client.pttl("arb:feed:alpha:killed") <= KEPT_MS
    [left] = BookStore(client).read_statuses(["alpha"], now_ms=later_ms)
    assert left.writer == "one"


def test_a_sign_of_life_is_read_before_the_book_that_it_confirms():
    asked = []

    class Pipeline:
        def hgetall(self, key):
            asked.append(key)

        def mget(self, keys):
            asked.extend(keys)

        def execute(self):
            return [{}, [None]]

    class Client:
        def pipeline(self, *, transaction):
            assert not transaction
            return Pipeline()

    assert BookStore(Client()).read_many([(SPEC, SYMBOL)], 5) == {}
    assert asked == ["arb:alive:alpha", f"arb:book:alpha:{SYMBOL}"]


def test_what_is_watched_is_watched_for_half_a_minute(client):
    interest.register(client, [KEY, ("beta", "ETH/BTC")], now_ms=NOW_MS)
    interest.register(client, [KEY], now_ms=NOW_MS + 1_000)

    assert interest.current(client, now_ms=NOW_MS) == [KEY, ("beta", "ETH/BTC")]
    assert interest.current(client, now_ms=NOW_MS + 30_500) == [KEY]
    assert interest.current(client, now_ms=NOW_MS + 31_001) == []


def test_one_engine_is_the_feeder_until_it_leaves(client):
    assert interest.take_feeder(client, "one")
    assert not interest.take_feeder(client, "two")
    assert interest.take_feeder(client, "one")

    interest.leave_feeder(client, "two")
    assert not interest.take_feeder(client, "two")
    interest.leave_feeder(client, "one")

    assert interest.take_feeder(client, "two")


class Follower:
    """Live feeds of one engine, and what comes of them."""

    def __init__(self, client, name, specs, told=None):
        self.told = told or Recorder()
        self.feeds = LiveFeeds(
            listener=self.told,
            name=name,
            open_hub=lambda told: FeedHub(listener=told, timing=FAST, random=Random(1)),  # noqa: S311
            client=client,
            list_specs=lambda: specs,
        )
        self.told.hub = self.feeds

    async def until_read(self, client, spec, is_so):
        """Return when what another process reads is so."""
        store = BookStore(client)
        await self.told.until_so(lambda: is_so(store.read_many([(spec, SYMBOL)], 5).get(KEY)))


def told(client):
    """Return what is said of the one feed."""
    [stored] = BookStore(client).read_statuses(["alpha"], now_ms=0)
    return stored.status


async def test_a_live_book_reaches_other_processes_and_leaves_them_with_its_gate(
    simulator, alpha, client
):
    engine = Follower(client, "one", [])
    engine.feeds.want({alpha: [SYMBOL]})
    await engine.told.until_state("healthy")

    move(simulator, "50001")
    await engine.until_read(client, alpha, lambda book: book and book.bids[0].price == 50001)
    simulator.control.add_fault("alpha", "refuse", endpoint="depth", times=None)
    simulator.control.add_fault("alpha", "ws_gap", symbol=SYMBOL)
    move(simulator, "50002")
    await asyncio.sleep(0)
    await engine.told.until_so(lambda: "ws_gap" in simulator.control.count_strikes("alpha"))
    move(simulator, "50003")
    await engine.told.until_state("resyncing")
    await engine.until_read(client, alpha, lambda book: book is None)
    # nor can a snapshot be had, which a later round says
    await engine.told.until_so(lambda: "cannot be reached" in str(told(client).reason))
    status = told(client)
    await engine.feeds.close()

    assert (status.state, status.gap_count) == (FeedState.RESYNCING, 1)
    assert BookStore(client).read_statuses(["alpha"], now_ms=0) == []


async def test_what_is_watched_is_followed_by_one_engine_and_told_to_clients(
    simulator, alpha, client
):
    frames: list[tuple[str, bytes]] = []
    stop = listen_here(frames.extend)
    interest.register(client, [KEY, ("gone", SYMBOL)], now_ms=NOW_MS * 2)
    first, second = Follower(client, "one", [alpha]), Follower(client, "two", [alpha])
    try:
        await first.told.until_so(lambda: first.told.states or second.told.states)
        feeder = first if first.told.states else second
        await feeder.told.until_state("healthy")
        move(simulator, "50001")
        await feeder.told.until_so(lambda: any(b'"bid":"50001"' in frame for _, frame in frames))
    finally:
        stop()
        await first.feeds.close()
        await second.feeds.close()

    assert (first.told.states == []) != (second.told.states == [])
    channels = {channel for channel, _ in frames}
    assert channels == {f"arb:push:ticker:alpha:{SYMBOL}", f"arb:push:book:alpha:{SYMBOL}"}


async def test_who_reads_what_is_watched_hears_of_blocks_and_of_their_ends(
    simulator, alpha, client
):
    interest.register(client, [KEY], now_ms=NOW_MS * 2)
    gateway: Any = gateway_for(alpha)
    counter = gateway._session.catalog.pulse
    seen = []
    for since_ms, state in enumerate((VenueState.BLOCKED, VenueState.HEALTHY), 1):
        read = replace(alpha, health=VenueHealth(state, since_ms))
        engine = Follower(client, "one", [read])
        await asyncio.to_thread(engine.feeds._read_watched)
        seen.append(counter.is_blocked)
        await engine.feeds.close()

    assert seen == [True, False]


async def test_without_redis_an_engine_goes_on(simulator, alpha, redis_server, client):
    engine = Follower(client, "one", [])
    redis_server.stop()
    engine.feeds.want({alpha: [SYMBOL]})
    await engine.told.until_state("healthy")
    move(simulator, "50001")
    await engine.told.until_bid(50001.0)

    redis_server.start()
    await engine.until_read(client, alpha, lambda book: book is not None)
    await engine.feeds.close()

    assert streams(simulator) == set()


class Moody:
    """Redis as one engine sees it: away for so long as a test says."""

    def __init__(self, client):
        self._client = client
        self.is_away = False
        self.refused = 0

    def pipeline(self, **options):
        if self.is_away:
            self.refused += 1
            raise redis.ConnectionError("away")
        return self._client.pipeline(**options)

    def __getattr__(self, name):
        return getattr(self._client, name)


async def proofs_of_before(engine, client, spec):
    """Return the newest proof that the book of before the change got, until the new one is read."""
    newest_ms = 0

    def is_new(book):
        nonlocal newest_ms
        if book.bids[0].price == 50001:
            return True
        newest_ms = max(newest_ms, book.received_at_ms)
        return False

    await engine.until_read(client, spec, is_new)
    return newest_ms


async def test_a_book_that_redis_did_not_take_is_not_confirmed_in_its_place(
    simulator, alpha, client
):
    moody = Moody(client)
    engine = Follower(moody, "one", [])
    engine.feeds.want({alpha: [SYMBOL]})
    await engine.until_read(client, alpha, lambda book: book and book.bids[0].price == 50000)

    moody.is_away = True
    move(simulator, "50001")
    await engine.told.until_bid(50001.0)
    await engine.told.until_so(lambda: moody.refused)
    changed_ms = time.time_ns() // 1_000_000
    moody.is_away = False

    assert await proofs_of_before(engine, client, alpha) < changed_ms
    await engine.feeds.close()


async def test_what_an_engine_raises_hides_no_change_from_the_others(simulator, alpha, client):
    class Failing(Recorder):
        def book_changed(self, book):
            super().book_changed(book)
            raise RuntimeError("the engine has a fault")

    engine = Follower(client, "one", [], Failing())
    engine.feeds.want({alpha: [SYMBOL]})
    await engine.told.until_state("healthy")

    move(simulator, "50001")
    await engine.told.until_bid(50001.0)
    changed_ms = time.time_ns() // 1_000_000

    assert await proofs_of_before(engine, client, alpha) <= changed_ms
    await engine.feeds.close()
