"""ccxt's market data become our values, or are refused."""

from decimal import Decimal as D
from typing import Any

import ccxt
import pytest

from markets.domain.fees import FeeMode, FeeSchedule
from markets.gateway import market_data
from markets.gateway.error_map import Malformed
from markets.gateway.quirks import COMMON, BookStamp, Quirks

SYMBOL = "BTC/USDT"
MARKET: dict[str, Any] = {
    "symbol": SYMBOL,
    "spot": True,
    "active": True,
    "precision": {"price": "0.1", "amount": "0.001"},
    "limits": {"amount": {"min": "0.001", "max": "100"}, "cost": {"min": "5"}},
    "maker": "0.0008",
    "taker": "0.001",
    "feeSide": "get",
}


@pytest.mark.parametrize(
    ("fee_side", "own", "expected"),
    [
        ("get", None, FeeMode.RECEIVED),
        ("give", None, FeeMode.GIVEN),
        ("quote", None, FeeMode.QUOTE),
        ("other", None, FeeMode.RECEIVED),
        (None, None, FeeMode.RECEIVED),
        ("get", FeeMode.QUOTE, FeeMode.QUOTE),
    ],
)
def test_the_coin_of_the_fee_is_ccxts_word_unless_we_know_better(
    fee_side: Any, own: Any, expected: FeeMode
) -> None:
    quirks = Quirks(fee_mode=own)

    rules = market_data.parse_rules({**MARKET, "feeSide": fee_side}, "v", quirks, ccxt.TICK_SIZE)

    assert rules is not None
    assert rules.fees == FeeSchedule(D("0.0008"), D("0.001"), expected)


@pytest.mark.parametrize(
    ("mode", "stated", "expected"),
    [
        (ccxt.TICK_SIZE, "0.05", "0.05"),
        (ccxt.TICK_SIZE, 1e-10, "1e-10"),
        (ccxt.TICK_SIZE, "0", "1e-8"),
        (ccxt.TICK_SIZE, None, "1e-8"),
        (ccxt.DECIMAL_PLACES, 3, "0.001"),
        (ccxt.DECIMAL_PLACES, "0", "1"),
        (ccxt.DECIMAL_PLACES, "-2", "100"),
        (ccxt.SIGNIFICANT_DIGITS, 5, "1e-8"),
    ],
)
def test_every_way_to_state_a_step_is_understood(mode: int, stated: Any, expected: str) -> None:
    market = {**MARKET, "precision": {"price": stated, "amount": stated}}

    rules = market_data.parse_rules(market, "v", COMMON, mode)

    assert rules is not None
    assert (rules.tick, rules.lot) == (D(expected), D(expected))


@pytest.mark.parametrize(
    "changes",
    [{"spot": False}, {"contract": True}, {"symbol": "BTC/USDT:USDT"}, {"symbol": None},
     {"symbol": "币安人生/USDT"}],
)  # fmt: skip
def test_markets_that_are_not_spot_or_cannot_be_named_are_left_out(changes: Any) -> None:
    assert market_data.parse_rules({**MARKET, **changes}, "v", COMMON, ccxt.TICK_SIZE) is None


def test_limits_that_are_not_stated_bind_nothing() -> None:
    bare = {**MARKET, "limits": None, "active": None}

    rules = market_data.parse_rules(bare, "v", COMMON, ccxt.TICK_SIZE)

    assert rules is not None
    assert (rules.quantity_min, rules.quantity_max, rules.notional_min) == (D(0), None, D(0))
    assert rules.is_active is True


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"maker": None, "taker": None}, ("0.01", "0.01")),
        ({"maker": "0.002", "taker": None}, ("0.002", "0.01")),
        ({"maker": "-0.0001", "taker": "0"}, ("-0.0001", "0")),
    ],
)
def test_a_fee_that_is_not_stated_is_taken_for_a_high_one_and_none_that_is_for_none(
    stated: Any, expected: tuple[str, str]
) -> None:
    rules = market_data.parse_rules({**MARKET, **stated}, "v", COMMON, ccxt.TICK_SIZE)

    assert rules is not None
    assert (rules.fees.maker, rules.fees.taker) == tuple(D(fee) for fee in expected)


def _book(answer: Any, raw: Any = None, depth: int = 5) -> Any:
    return market_data.parse_book(
        answer, raw, venue="v", symbol=SYMBOL, depth=depth, received_at_ms=1
    )


@pytest.mark.parametrize(
    ("stamp", "headers", "made_at_ms"),
    [
        (BookStamp.NONE, {"Date": "Thu, 26 Nov 2026 09:00:07 GMT"}, None),
        (BookStamp.BODY, {"Date": "Thu, 26 Nov 2026 09:00:07 GMT"}, 7),
        (BookStamp.BODY, None, 7),
        (BookStamp.HTTP_DATE, {"Date": "Thu, 26 Nov 2026 09:00:07 GMT"}, 1_795_683_607_000),
        (
            BookStamp.HTTP_DATE,
            {"Date": "Thu, 26 Nov 2026 09:00:07 GMT", "Age": "30"},
            1_795_683_577_000,
        ),
        (BookStamp.HTTP_DATE, {"Date": "Thu, 26 Nov 2026 09:00:07 GMT", "Age": "x"}, None),
        (BookStamp.HTTP_DATE, {"Date": "Thu, 26 Nov 2026 09:00:07 GMT", "Age": "-9"}, None),
        (BookStamp.HTTP_DATE, {"Date": "Thu, 26 Nov 2026 09:00:07 -0000"}, None),
        (BookStamp.HTTP_DATE, {"Date": "now"}, None),
        (BookStamp.HTTP_DATE, {}, None),
        (BookStamp.HTTP_DATE, None, None),
    ],
)
def test_how_old_an_answer_is_says_only_what_is_known_to_say_it(
    stamp: BookStamp, headers: Any, made_at_ms: int | None
) -> None:
    book = _book({"bids": [["8", "1"]], "asks": [], "timestamp": 7})

    assert market_data.made_at_ms_of(book, headers, stamp) == made_at_ms


def test_levels_without_quantity_or_price_are_dropped() -> None:
    book = _book({"bids": [["9", "0"], ["8", "1"]], "asks": [["0", "1"]]})

    assert [level.price for level in book.bids] == [D(8)]
    assert book.asks == ()


@pytest.mark.parametrize(
    "raw",
    [
        {"bids": [], "asks": []},
        {"data": [{"asks": [], "bids": []}]},
        {"result": {"b": [], "a": []}},
        {"result": {"XBTUSDT": {"bids": [], "asks": []}}},
        [{"bids": [], "asks": []}],
    ],
)
def test_an_empty_book_is_believed_where_the_venue_has_its_sides(raw: Any) -> None:
    assert _book({"bids": [], "asks": []}, raw).bids == ()


@pytest.mark.parametrize(
    ("answer", "raw"),
    [
        (None, None),
        ({}, {}),
        ({"bids": [], "asks": []}, {"status": "maintenance"}),
        ({"bids": [], "asks": []}, None),
        ({"bids": [], "asks": []}, {"a": {"b": {"c": {"d": {"bids": [], "asks": []}}}}}),
        ({"bids": [["x", "1"]], "asks": []}, None),
        ({"bids": [[None, "1"]], "asks": []}, None),
        ({"bids": [], "asks": [], "symbol": "ETH/USDT"}, {"bids": [], "asks": []}),
    ],
)
def test_what_is_no_book_of_this_market_is_refused(answer: Any, raw: Any) -> None:
    with pytest.raises(Malformed):
        _book(answer, raw)


def _ticker(answer: Any) -> Any:
    return market_data.parse_ticker(answer, venue="v", symbol=SYMBOL, received_at_ms=1)


def test_a_ticker_needs_one_price_of_this_market() -> None:
    assert _ticker({"symbol": SYMBOL, "last": "5"}).last == D(5)
    for answer in (None, {}, {"symbol": SYMBOL}, {"symbol": SYMBOL, "bid": "0"},
                   {"symbol": "ETH/USDT", "last": "5"}):  # fmt: skip
        with pytest.raises(Malformed):
            _ticker(answer)


def _tickers(answer: Any, raw: Any) -> Any:
    return market_data.parse_tickers(
        answer, raw, venue="v", symbols=[SYMBOL, "ETH/USDT"], received_at_ms=1
    )


def test_tickers_without_any_price_are_left_out() -> None:
    rows = {SYMBOL: {"symbol": SYMBOL, "last": "5"}, "ETH/USDT": {"symbol": "ETH/USDT"}, "X/Y": 1}

    assert list(_tickers(rows, [])) == [SYMBOL]
    assert _tickers({}, []) == {}
    with pytest.raises(Malformed):
        _tickers({}, {"status": "maintenance"})


def test_bars_are_sorted_and_broken_ones_refused() -> None:
    rows = [[2, "1", "2", "0.5", "1.5", None], [1, "1", "2", "0.5", "1.5", "7"]]

    bars = market_data.parse_candles(rows, rows)

    assert [(bar.opened_at_ms, bar.volume) for bar in bars] == [(1, D(7)), (2, D(0))]
    for broken in ([[1, "1"]], ["x"], [[None, "1", "1", "1", "1", "1"]], [[1, None, 1, 1, 1, 1]]):
        with pytest.raises(Malformed):
            market_data.parse_candles(broken, broken)
