"""What an engine passes on through a real Redis, and what others may conclude from it."""

import asyncio
from decimal import Decimal
from random import Random

import pytest
import redis

from arbplatform.core.errors import Message
from arbplatform.push.publisher import listen_here
from markets.domain.feeds import FeedState, FeedStatus
from markets.errors import VenueUnavailable
from markets.feed import interest
from markets.feed.hub import FeedHub
from markets.feed.store import KEPT_MS, BookRow, BookStore, origin_of
from markets.gateway.base import VenueSpec
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


def test_a_book_is_read_as_it_was_written(client):
    store = BookStore(client, writer="one")

    write(store, row())
    book = read(store, depth=1)

    assert book.bids == ((Decimal("50000.00"), Decimal("1.5")),)
    assert book.asks == ((Decimal("50010.10"), Decimal(2)),)
    assert (book.received_at_ms, book.venue_time_ms, book.sequence) == (NOW_MS, NOW_MS - 5, 77)
    assert 0 < client.pttl(f"arb:book:alpha:{SYMBOL}") <= KEPT_MS


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
    client.hset("arb:feed:alpha", mapping={b"\xff|two": b"{}", b"X/Y|two": b"7", b"Z/Y|two": b"[]"})
    interest.register(client, [KEY], now_ms=NOW_MS)
    client.zadd(interest.KEY, {b"\xff": NOW_MS + 1})

    (found,) = store.read_statuses(["alpha"], now_ms=NOW_MS)

    assert found.status.symbol == SYMBOL
    assert interest.current(client, now_ms=NOW_MS) == [KEY]


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

    def __init__(self, client, name, specs):
        self.told = Recorder()
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
