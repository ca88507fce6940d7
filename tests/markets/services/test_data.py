import threading
from collections.abc import Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, wait
from typing import Any

import pytest
from django.conf import settings

from markets.domain.book import Book
from markets.domain.quote import Candle, Ticker
from markets.errors import UnknownSymbol, UnknownVenue, VenueDisabled, VenueUnavailable
from markets.gateway.base import VenueSpec
from markets.models import Venue
from markets.services import data
from tests.markets.conftest import Venues
from tests.markets.fakes.gateway import make_book

pytestmark = pytest.mark.django_db

SYMBOL = "BTC/USDT"


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit passes as soon as the first venue has answered."""

    def until_one_has_answered(futures: Any, timeout: float) -> Any:
        assert timeout == settings.VENUE_TIMEOUT_MS / 1_000 + data.DEADLINE_S_EXTRA
        return wait(futures, return_when=FIRST_COMPLETED)

    monkeypatch.setattr(data, "wait", until_one_has_answered)


def test_the_ticker_is_the_venues_own(alpha: Venue, beta: Venue, venues: Venues) -> None:
    for code in ("alpha", "beta"):
        venues.answer(code, fetch_ticker=Ticker(code, SYMBOL, None, None, None, 1))

    assert data.fetch_ticker(symbol=SYMBOL).venue == "alpha"
    assert data.fetch_ticker(symbol=SYMBOL, venue_code="beta").venue == "beta"


def test_a_book_is_asked_for_as_deep_as_wanted(alpha: Venue, venues: Venues) -> None:
    venues.answer("alpha", fetch_book=make_book("alpha", SYMBOL))

    assert data.fetch_book(symbol=SYMBOL, depth=7) == make_book("alpha", SYMBOL)
    assert venues.calls("alpha")[-1] == ("fetch_book", SYMBOL, 7)


def test_bars_tell_where_they_are_from(alpha: Venue, venues: Venues) -> None:
    bars: list[Candle] = []
    venues.answer("alpha", fetch_candles=bars)

    found = data.fetch_candles(symbol=SYMBOL, timeframe="5m", since_ms=3, limit=9)

    assert found == data.MarketCandles("alpha", SYMBOL, "5m", bars)
    assert venues.calls("alpha")[-1] == ("fetch_candles", SYMBOL, "5m", 3, 9)


def test_unknown_names_are_refused_before_any_venue_is_asked(alpha: Venue, venues: Venues) -> None:
    asked = len(venues.calls("alpha"))

    with pytest.raises(UnknownSymbol):
        data.fetch_ticker(symbol="NO/SUCH")
    with pytest.raises(UnknownVenue):
        data.fetch_book(symbol=SYMBOL, venue_code="nowhere")
    Venue.objects.update(is_enabled=False)
    with pytest.raises(VenueDisabled):
        data.fetch_candles(symbol=SYMBOL, venue_code="alpha")

    assert len(venues.calls("alpha")) == asked


def test_books_are_fetched_at_the_same_time_and_each_failure_stands_alone(
    alpha: Venue, beta: Venue, venues: Venues, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    together = threading.Barrier(2, timeout=30)

    def fetch(symbol: str, depth: int) -> object:
        if symbol == "ETH/USDT":
            return VenueUnavailable(venue="alpha", cause="down")
        together.wait()
        return make_book("any", symbol)

    venues.answer("alpha", fetch_book=fetch)
    venues.answer("beta", fetch_book=fetch)
    keys: list[tuple[Venue | VenueSpec, str]] = [
        (alpha, SYMBOL),
        (beta.to_spec(), SYMBOL),
        (alpha, "ETH/USDT"),
    ]

    with django_assert_num_queries(0):  # type: ignore[operator]
        report = data.fetch_books(keys, depth=5)

    assert sorted(report.books) == [("alpha", SYMBOL), ("beta", SYMBOL)]
    assert list(report.errors) == [("alpha", "ETH/USDT")]
    assert isinstance(report.errors["alpha", "ETH/USDT"], VenueUnavailable)
    assert ("fetch_book", SYMBOL, 5) in venues.calls("beta")


def test_a_book_that_comes_too_late_is_an_error_not_a_wait(
    short_patience: None, venues: Venues
) -> None:
    release = threading.Event()
    slow, fast = VenueSpec("slow", "binance"), VenueSpec("fast", "binance")
    venues.answer("slow", fetch_book=lambda *_: release.wait(60) and make_book("slow", SYMBOL))
    venues.answer("fast", fetch_book=make_book("fast", SYMBOL))

    try:
        report = data.fetch_books([(slow, SYMBOL), (fast, SYMBOL)])
    finally:
        release.set()

    assert list(report.books) == [("fast", SYMBOL)]
    assert "no answer within the time limit" in str(report.errors["slow", SYMBOL])


def test_who_cannot_wait_so_long_says_so(monkeypatch: pytest.MonkeyPatch, venues: Venues) -> None:
    waited: list[float] = []

    def note(futures: Any, timeout: float) -> Any:
        waited.append(timeout)
        return wait(futures, 30)

    monkeypatch.setattr(data, "wait", note)
    venues.answer("fast", fetch_book=make_book("fast", SYMBOL))

    assert data.fetch_books([(VenueSpec("fast", "binance"), SYMBOL)], wait_ms=1_500).books
    assert waited == [1.5]


def test_a_venue_that_hangs_keeps_no_thread_of_another(
    short_patience: None, venues: Venues
) -> None:
    release = threading.Event()
    slow, fast = VenueSpec("slow", "binance"), VenueSpec("fast", "binance")
    venues.answer("slow", fetch_book=lambda *_: release.wait(60) and make_book("slow", SYMBOL))
    venues.answer("fast", fetch_book=make_book("fast", SYMBOL))
    many = [(slow, f"COIN{number}/USDT") for number in range(100)]

    try:
        report = data.fetch_books([*many, (fast, SYMBOL)])
    finally:
        release.set()

    assert list(report.books) == [("fast", SYMBOL)]
    assert len(report.errors) == 100


def test_once_a_book_is_there_others_are_waited_for_no_longer_than_it_may_grow_old(
    venues: Venues, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, first, second = (threading.Event() for _ in range(3))
    rests_s: list[float] = []

    def after(event: threading.Event, code: str) -> Book:
        event.wait(60)
        return make_book(code, SYMBOL)

    def play(futures: Any, timeout: float, return_when: str = ALL_COMPLETED) -> Any:
        if return_when == FIRST_COMPLETED:  # again after the refusal, which ends nothing
            if len(futures) < len(specs):
                first.set()
            return wait(futures, 30, FIRST_COMPLETED)
        rests_s.append(timeout)
        second.set()
        wait([future for future, (code, _symbol) in futures.items() if code == "then"], 30)
        return wait(futures, 0)  # the time is up

    refused = VenueUnavailable(venue="down", cause="refused")
    venues.answer("slow", fetch_book=lambda *_: release.wait(60) and make_book("slow", SYMBOL))
    venues.answer("down", fetch_book=refused)
    venues.answer("late", fetch_book=lambda *_: after(first, "late"))
    venues.answer("then", fetch_book=lambda *_: after(second, "then"))
    specs = [VenueSpec(code, "binance") for code in ("slow", "down", "late", "then")]
    monkeypatch.setattr(data, "wait", play)

    try:
        report = data.fetch_books([(spec, SYMBOL) for spec in specs], late_ms=500)
    finally:
        release.set()

    # it is the first book that is counted from, and not the first refusal
    assert sorted(report.books) == [("late", SYMBOL), ("then", SYMBOL)]
    assert report.errors[("down", SYMBOL)] is refused
    assert "no answer within the time limit" in str(report.errors["slow", SYMBOL])
    assert rests_s == [0.5]


def test_a_bug_in_a_gateway_is_not_hidden_as_a_venues_failure(venues: Venues) -> None:
    venues.answer("alpha", fetch_book=RuntimeError("a bug"))

    with pytest.raises(RuntimeError, match="a bug"):
        data.fetch_books([(VenueSpec("alpha", "binance"), SYMBOL)])


def test_no_books_and_too_many_books(venues: Venues) -> None:
    assert data.fetch_books([]) == data.BooksReport()
    with pytest.raises(ValueError, match="at most 500"):
        data.fetch_books([(VenueSpec("alpha", "binance"), SYMBOL)] * 501)


@pytest.fixture(autouse=True)
def threads_end_with_the_test() -> Iterator[None]:
    yield
    data._THREADS.close()
