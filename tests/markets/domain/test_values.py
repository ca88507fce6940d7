from dataclasses import FrozenInstanceError, fields, replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.errors import InvalidInput
from markets.domain.book import Book, Level
from markets.domain.funds import VenueBalance
from markets.domain.orders import OrderKind, OrderRequest, Side, TimeInForce, Write
from markets.domain.symbols import split_symbol

_CODE = st.from_regex(r"[A-Z0-9.\-_]{1,32}", fullmatch=True)


def _book(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Book:
    return Book(
        venue="v",
        symbol="A/B",
        bids=tuple(Level(D(price), D(size)) for price, size in bids),
        asks=tuple(Level(D(price), D(size)) for price, size in asks),
        received_at_ms=1_000,
    )


def test_the_best_levels_are_the_first_ones() -> None:
    book = _book([(10, 1), (9, 2)], [(11, 3), (12, 4)])

    assert book.best_bid == Level(D(10), D(1))
    assert book.best_ask == Level(D(11), D(3))


def test_an_empty_side_has_no_best_level_and_crosses_nothing() -> None:
    empty = _book([], [])

    assert (empty.best_bid, empty.best_ask, empty.is_crossed) == (None, None, False)
    assert not _book([(10, 1)], []).is_crossed
    assert not _book([], [(10, 1)]).is_crossed


@pytest.mark.parametrize(
    ("bid", "ask", "expected"), [(9, 10, False), (10, 10, True), (11, 10, True)]
)
def test_a_book_whose_bid_reaches_its_ask_is_crossed(bid: int, ask: int, expected: bool) -> None:
    assert _book([(bid, 1)], [(ask, 1)]).is_crossed is expected


def test_the_age_of_a_book_counts_from_its_receipt() -> None:
    assert _book([], []).age_ms(1_250) == 250


def test_a_book_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        _book([], []).venue = "other"  # type: ignore[misc]


def test_a_balance_is_what_is_free_and_what_is_held() -> None:
    assert VenueBalance("BTC", D("0.1"), D("0.2")).total == D("0.3")


@given(_CODE, _CODE)
def test_a_symbol_is_split_into_its_two_assets(base: str, quote: str) -> None:
    assert split_symbol(f"{base}/{quote}") == (base, quote)


@pytest.mark.parametrize(
    "symbol",
    ["", "BTC", "BTC/", "/USDT", "btc/usdt", "A/B/C", "BTC USDT", "A/B:B", "A" * 33 + "/B"],
)
def test_what_is_no_symbol_is_named(symbol: str) -> None:
    with pytest.raises(InvalidInput, match="is not a spot symbol"):
        split_symbol(symbol)


def test_an_order_leaves_with_all_that_it_says() -> None:
    request = OrderRequest(
        *("A/B", Side.SELL, D(1), "id", OrderKind.MARKET, D(2), TimeInForce.FOK, 1.0),
        lambda _write: False,
    )

    def let_go(_write: Write) -> bool:
        return True

    leaving = request.leaving(send_before_ms=5.0, let_go=let_go)
    expected = replace(request, send_before_ms=5.0, let_go=let_go)

    assert [getattr(leaving, each.name) for each in fields(request)] == [
        getattr(expected, each.name) for each in fields(request)
    ]
