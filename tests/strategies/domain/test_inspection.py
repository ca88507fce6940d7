from typing import Any

import pytest

from strategies.domain.inspection import (
    name_market,
    reject_book,
    reject_empty_sides,
    reject_skew,
)
from strategies.domain.view import MarketKey
from tests.strategies.builders import NOW_MS, make_book, make_rules, make_view

KEY = MarketKey("alpha", "BTC/USDT")


def judge(books, *, is_active=True):
    view = make_view(books, [make_rules(is_active=is_active)], {})
    rejection = reject_book(view, KEY, age_ms_max=2000, depth=2)
    return rejection and (rejection.code, str(rejection.message))


@pytest.mark.parametrize("age_ms", [0, 2000, -2000])
def test_a_fresh_whole_book_is_used(age_ms):
    book = make_book(bids=[(99, 1)], asks=[(100, 1)], at_ms=NOW_MS - age_ms)

    assert judge([book]) is None


@pytest.mark.parametrize("age_ms", [2001, -2001])
def test_a_book_from_another_time_is_stale(age_ms):
    book = make_book(bids=[(99, 1)], asks=[(100, 1)], at_ms=NOW_MS - age_ms)

    assert judge([book]) == (
        "book_stale",
        f"The order book of BTC/USDT on alpha is {age_ms} ms old; 2000 ms are allowed.",
    )


@pytest.mark.parametrize("bid", [100, 101])
def test_a_book_whose_bid_reaches_its_ask_is_broken(bid):
    assert judge([make_book(bids=[(bid, 1)], asks=[(100, 1)])]) == (
        "book_crossed",
        (
            f"The order book of BTC/USDT on alpha is broken: its best bid {bid} is not below its "
            "best ask 100."
        ),
    )


@pytest.mark.parametrize(
    "sides",
    [
        {"asks": [(101, 1), (100, 1)]},
        {"bids": [(98, 1), (99, 1)]},
        {"asks": [(0, 1), (100, 1)]},
        {"bids": [(99, 1), (-1, 1)]},
    ],
)
def test_a_book_with_impossible_prices_is_broken(sides):
    code, sentence = judge([make_book(**sides)])

    assert code == "book_broken"
    assert sentence.endswith("is broken: its prices are not positive or not in order.")


def test_levels_that_are_not_looked_at_may_be_in_any_order():
    levels = [(100, 1), (100, 1), (99, 1)]

    assert judge([make_book(asks=levels)]) is None


def test_a_missing_book_is_named():
    assert judge([]) == (
        "no_book",
        "No order book of BTC/USDT on alpha could be had in this tick.",
    )


def test_a_market_that_is_not_traded_is_named():
    assert judge([make_book()], is_active=False) == (
        "market_inactive",
        "alpha does not trade BTC/USDT at present.",
    )


def test_a_one_sided_book_is_not_broken_but_its_empty_side_is_named():
    book = make_book(bids=[(99, 1)])

    assert judge([book]) is None
    assert [item.code for item in reject_empty_sides(book, subject="x")] == ["book_without_asks"]
    empty = reject_empty_sides(make_book(), subject="x")
    assert [item.code for item in empty] == ["book_without_asks", "book_without_bids"]


def test_books_that_were_taken_too_far_apart_are_not_compared():
    books = [make_book(at_ms=NOW_MS - age_ms) for age_ms in (0, 700, 1500)]

    assert reject_skew(books, skew_ms_max=1500, subject="x") is None
    rejection: Any = reject_skew(books, skew_ms_max=1499, subject="x")
    assert (rejection.code, str(rejection.message)) == (
        "books_skewed",
        "The order books were taken 1500 ms apart; 1499 ms are allowed.",
    )


def test_a_market_is_called_by_symbol_and_venue():
    assert name_market(KEY) == "BTC/USDT alpha"
