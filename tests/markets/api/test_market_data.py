from decimal import Decimal as D
from typing import Any

import pytest
from rest_framework.test import APIClient

from markets.domain.quote import Candle, Ticker
from markets.errors import VenueRejected, VenueUnavailable
from markets.models import Market, Venue
from tests.markets.conftest import Venues
from tests.markets.fakes.gateway import make_book

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_venues(alpha: Venue, beta: Venue, venues: Venues) -> Venues:
    return venues


PATHS = ("/api/markets/ticker", "/api/markets/orderbook", "/api/markets/kline")


def test_symbols_are_listed_with_exact_rules(
    user_api: APIClient, alpha: Venue, beta: Venue
) -> None:
    Market.objects.filter(venue=beta).update(tick=D("0.000000000000000001"))

    data = user_api.get("/api/markets/symbols").json()["data"]

    assert data["count"] == 3
    rows = [(row["symbol"], row["venue"]) for row in data["results"]]
    assert rows == [("BTC/USDT", "alpha"), ("BTC/USDT", "beta"), ("ETH/USDT", "alpha")]
    first, second = data["results"][:2]
    assert (first["base"], first["quote"]) == ("BTC", "USDT")
    assert (first["lot"], first["quantity_max"], first["taker_fee"]) == ("0.0001", None, "0.001")
    assert second["tick"] == "0.000000000000000001"
    assert first["fee_mode"] == "received"


def test_symbols_say_the_fees_that_are_planned_with(user_api: APIClient, alpha: Venue) -> None:
    told_at = alpha.created_at
    Market.objects.filter(symbol="BTC/USDT").update(
        own_maker_fee="0.003", own_taker_fee="0.008", own_fees_at=told_at
    )

    own, listed = user_api.get("/api/markets/symbols").json()["data"]["results"]

    assert (own["planned_maker_fee"], own["planned_taker_fee"]) == ("0.003", "0.008")
    assert (own["taker_fee"], listed["planned_taker_fee"]) == ("0.001", "0.001")
    assert own["own_fees_at"] is not None
    assert listed["own_fees_at"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("venue=beta", ["BTC/USDT"]),
        ("venue=alpha&base=eth", ["ETH/USDT"]),
        ("quote=USDT&venue=alpha", ["BTC/USDT", "ETH/USDT"]),
        ("search=eth", ["ETH/USDT"]),
        ("is_active=false", []),
        ("venue=alpha&ordering=-symbol", ["ETH/USDT", "BTC/USDT"]),
        ("page=9", []),
    ],
)
def test_symbols_are_filtered_and_ordered(
    user_api: APIClient, alpha: Venue, beta: Venue, query: str, expected: list[str]
) -> None:
    data = user_api.get(f"/api/markets/symbols?{query}").json()["data"]

    assert [row["symbol"] for row in data["results"]] == expected


def test_symbols_of_an_unknown_venue_are_a_named_error(user_api: APIClient, alpha: Venue) -> None:
    answer = user_api.get("/api/markets/symbols?venue=nowhere")

    assert (answer.status_code, answer.json()["code"]) == (404, 2010)


def test_a_list_takes_the_same_number_of_queries_however_long(
    user_api: APIClient, alpha: Venue, beta: Venue, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        user_api.get("/api/markets/symbols")


def test_a_ticker_is_shown_in_plain_digits(
    user_api: APIClient, alpha: Venue, venues: Venues
) -> None:
    venues.answer(
        "alpha",
        fetch_ticker=Ticker(
            "alpha", "BTC/USDT", D("1E+5"), D("100000.10"), None, 1_700_000_000_000
        ),
    )

    data = user_api.get("/api/markets/ticker?symbol=btc/usdt").json()["data"]

    assert (data["venue"], data["symbol"]) == ("alpha", "BTC/USDT")
    assert (data["bid"], data["ask"], data["last"]) == ("100000", "100000.1", None)
    assert data["received_at_ms"] == 1_700_000_000_000


def test_a_book_is_shown_level_by_level(user_api: APIClient, beta: Venue, venues: Venues) -> None:
    venues.answer("beta", fetch_book=make_book("beta", "BTC/USDT"))

    data = user_api.get("/api/markets/orderbook?symbol=BTC/USDT&venue=beta&depth=3").json()["data"]

    assert data["bids"] == [{"price": "100", "quantity": "1.5"}]
    assert data["asks"] == [{"price": "101", "quantity": "2"}]
    assert venues.calls("beta")[-1] == ("fetch_book", "BTC/USDT", 3)


def test_bars_are_shown_oldest_first(user_api: APIClient, alpha: Venue, venues: Venues) -> None:
    bar = Candle(1_700_000_000_000, D("1.10"), D(2), D("0.5"), D("1.5"), D("1E-8"))
    venues.answer("alpha", fetch_candles=[bar])

    query = "symbol=BTC/USDT&timeframe=15m&limit=7&since=2026-01-01T00:00:00Z"
    data = user_api.get(f"/api/markets/kline?{query}").json()["data"]

    assert (data["venue"], data["symbol"], data["timeframe"]) == ("alpha", "BTC/USDT", "15m")
    assert data["candles"] == [
        {
            "opened_at_ms": 1_700_000_000_000,
            "open": "1.1",
            "high": "2",
            "low": "0.5",
            "close": "1.5",
            "volume": "0.00000001",
        }
    ]
    assert venues.calls("alpha")[-1] == (
        "fetch_candles", "BTC/USDT", "15m", 1_767_225_600_000, 7,
    )  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (400, 1001)),
        ("symbol=", (400, 1001)),
        ("symbol=BTCUSDT", (400, 1001)),
        ("symbol=BTC/USDT/X", (400, 1001)),
        ("symbol=" + "A" * 70 + "/B", (400, 1001)),
        ("symbol=%00/USDT", (400, 1001)),
        ("symbol=DOGE/USDT", (404, 2011)),
        ("symbol=BTC/USDT&venue=nowhere", (404, 2010)),
        ("symbol=ETH/USDT&venue=beta", (404, 2011)),
    ],
)
def test_a_wrong_market_is_named_and_no_venue_is_asked(
    user_api: APIClient, two_venues: Venues, path: str, query: str, expected: tuple[int, int]
) -> None:
    answer = user_api.get(f"{path}?{query}")

    assert (answer.status_code, answer.json()["code"]) == expected
    assert [call[0] for call in two_venues.calls("alpha")] == ["fetch_markets"]


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("/api/markets/orderbook", "depth", "0"),
        ("/api/markets/orderbook", "depth", "501"),
        ("/api/markets/orderbook", "depth", "many"),
        ("/api/markets/kline", "limit", "0"),
        ("/api/markets/kline", "limit", "1001"),
        ("/api/markets/kline", "timeframe", "soon"),
        ("/api/markets/kline", "since", "yesterday"),
    ],
)
def test_limits_are_checked(
    user_api: APIClient, alpha: Venue, path: str, field: str, value: str
) -> None:
    answer = user_api.get(f"{path}?symbol=BTC/USDT&{field}={value}")

    assert (answer.status_code, answer.json()["code"]) == (400, 1001)
    assert list(answer.json()["data"]["fields"]) == [field]


def test_a_width_that_the_venue_has_not_is_its_refusal(
    user_api: APIClient, alpha: Venue, venues: Venues
) -> None:
    venues.answer("alpha", fetch_candles=VenueRejected(venue="alpha", cause="no bars of 7m"))

    answer = user_api.get("/api/markets/kline?symbol=BTC/USDT&timeframe=7m")

    assert (answer.status_code, answer.json()["code"]) == (422, 2001)


@pytest.mark.parametrize("path", PATHS)
def test_a_venue_that_cannot_be_reached_is_named(
    user_api: APIClient, alpha: Venue, venues: Venues, path: str
) -> None:
    down = VenueUnavailable(venue="alpha", cause="the connection failed or broke")
    venues.answer("alpha", fetch_ticker=down, fetch_book=down, fetch_candles=down)

    answer = user_api.get(f"{path}?symbol=BTC/USDT")

    assert (answer.status_code, answer.json()["code"]) == (503, 2004)
    assert "alpha" in answer.json()["msg"]


@pytest.mark.parametrize("path", PATHS)
def test_a_disabled_venue_gives_no_data(
    user_api: APIClient, alpha: Venue, venues: Venues, path: str
) -> None:
    Venue.objects.update(is_enabled=False)

    answer = user_api.get(f"{path}?symbol=BTC/USDT&venue=alpha")

    assert (answer.status_code, answer.json()["code"]) == (409, 2012)


@pytest.mark.parametrize("path", ["/api/markets/symbols", *PATHS])
def test_who_is_not_logged_in_gets_nothing(
    anonymous_api: APIClient, alpha: Venue, path: str
) -> None:
    answer = anonymous_api.get(f"{path}?symbol=BTC/USDT")

    assert (answer.status_code, answer.json()["code"]) == (401, 1009)
