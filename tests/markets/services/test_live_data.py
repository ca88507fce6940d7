"""Live books in the place of the venues' answers, as far as they were proven a moment ago."""

import pytest
import redis
from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.feed import interest
from markets.feed.store import BookRow, BookStore, origin_of
from markets.services import data, feeds
from tests.markets.fakes.gateway import make_book
from tests.processes import redis_server

__all__ = ["redis_server"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_time")]
SYMBOL = "BTC/USDT"


@pytest.fixture
def client(redis_server, monkeypatch):
    monkeypatch.setattr(settings, "REDIS_URL", redis_server.url)
    monkeypatch.setattr(feeds._Away, "until_s", 0.0)
    with redis.Redis.from_url(redis_server.url) as made:
        yield made


@pytest.fixture
def asked(venues):
    """Tell how often alpha was asked for a book."""
    venues.answer("alpha", fetch_book=make_book("alpha", SYMBOL))
    return lambda: [call[0] for call in venues.calls("alpha")].count("fetch_book")


def follow(client, venue, *, age_ms=100, bid="31337", said_ago_ms=None, look=None):
    at_ms = SYSTEM_CLOCK.now_ms() - age_ms
    row = BookRow(
        venue.code,
        SYMBOL,
        origin_of(venue.to_spec()),
        [[bid, "1"]],
        [["40000", "1"]],
        at_ms,
        None,
        5,
        None if said_ago_ms is None else SYSTEM_CLOCK.now_ms() - said_ago_ms,
        look,
    )
    BookStore(client, writer="one").write_many(
        [row], gone=[], alive_at_ms={}, statuses=[], now_ms=at_ms
    )


def test_a_live_book_is_taken_and_nobody_is_asked(alpha, client, asked):
    follow(client, alpha)

    one = data.fetch_book(symbol=SYMBOL)
    many = data.fetch_books([(alpha, SYMBOL)])

    assert one.bids[0].price == many.books["alpha", SYMBOL].bids[0].price == 31337
    assert many.errors == {}
    assert asked() == 0


def test_who_wants_to_hear_it_from_the_venue_does(alpha, client, asked):
    follow(client, alpha)

    one = data.fetch_book(symbol=SYMBOL, is_live_enough=False)
    many = data.fetch_books([(alpha, SYMBOL)], is_live_enough=False)

    assert one == many.books["alpha", SYMBOL] == make_book("alpha", SYMBOL)
    assert asked() == 2


@pytest.mark.parametrize(("age_ms", "depth"), [(1_600, 20), (100, 21), (-5_000, 20)])
def test_a_book_of_another_time_or_one_that_is_too_short_is_not_taken(
    alpha, client, asked, age_ms, depth
):
    follow(client, alpha, age_ms=age_ms)

    assert data.fetch_book(symbol=SYMBOL, depth=depth) == make_book("alpha", SYMBOL)
    assert asked() == 1


@pytest.mark.parametrize(
    "case",
    [
        (2_000, None, 0, 0),
        (5_000, None, 0, 1),
        (60_000, (2_000, 1_900), 0, 0),
        (60_000, (5_000, 4_900), 0, 1),
        (60_000, (2_000, 61_900), 60_000, 0),  # the venue's clock is a minute behind ours
        pytest.param((60_000, (2_000, 30_000), 0, 1), id="out of a store of old answers"),
        pytest.param((60_000, (2_000, None), 0, 1), id="it does not say how old it is"),
        pytest.param((60_000, (2_000, 1_900), None, 1), id="nobody measured the venue's clock"),
    ],
)
def test_a_quiet_market_is_asked_for_unless_something_of_its_own_proves_its_book(
    alpha, client, asked, case
):
    said_ago_ms, look_ago_ms, offset_ms, times = case
    alpha.clock_offset_ms, alpha.clock_measured_at = offset_ms, SYSTEM_CLOCK.now()
    alpha.save()
    now_ms = SYSTEM_CLOCK.now_ms()
    look = look_ago_ms and [None if ago_ms is None else now_ms - ago_ms for ago_ms in look_ago_ms]
    follow(client, alpha, said_ago_ms=said_ago_ms, look=look)

    data.fetch_book(symbol=SYMBOL)

    assert asked() == times


@pytest.mark.parametrize("bid", ["NaN", "Infinity", "0", "-1", "40000", "magic"])
def test_a_book_that_cannot_be_true_is_not_taken(alpha, client, asked, bid):
    follow(client, alpha, bid=bid)

    assert data.fetch_book(symbol=SYMBOL) == make_book("alpha", SYMBOL)
    assert asked() == 1


@pytest.mark.parametrize("text", [b"one", b"one\n7", b"one\n[1,2]", b"one\n{}", b"\xff\n["])
def test_one_book_of_another_version_takes_no_other_book_away(alpha, beta, client, asked, text):
    follow(client, beta)
    client.set(f"arb:book:alpha:{SYMBOL}", text)

    report = data.fetch_books([(alpha, SYMBOL), (beta, SYMBOL)])

    assert report.books["alpha", SYMBOL] == make_book("alpha", SYMBOL)
    assert report.books["beta", SYMBOL].sequence == 5
    assert asked() == 1


def test_without_redis_the_venues_are_asked(alpha, client, redis_server, asked):
    follow(client, alpha)
    redis_server.stop()

    report = data.fetch_books([(alpha, SYMBOL)])

    assert report.books["alpha", SYMBOL] == make_book("alpha", SYMBOL)
    assert asked() == 1


def test_what_clients_watch_is_noted_for_engines(alpha, client):
    feeds.register_interest([("alpha", SYMBOL)])

    assert interest.current(client, now_ms=SYSTEM_CLOCK.now_ms()) == [("alpha", SYMBOL)]


def test_where_there_are_no_other_processes_nothing_is_shared(alpha, asked):
    feeds.register_interest([("alpha", SYMBOL)])

    assert feeds.list_feeds() == []
    assert data.fetch_book(symbol=SYMBOL) == make_book("alpha", SYMBOL)
