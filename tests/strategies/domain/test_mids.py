"""What a pair costs when several markets state different prices."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from markets.domain.quote import Ticker
from strategies.domain.mids import SPREAD_MAX, TICKER_AGE_MS_MAX, choose_mids
from strategies.domain.view import MarketKey
from tests.strategies.builders import make_rules

NOW_MS = 1_767_225_600_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC")
VENUES = ("alpha", "beta", "gamma", "delta")
RULES = {
    MarketKey(venue, symbol): make_rules(venue=venue, symbol=symbol)
    for venue in VENUES
    for symbol in SYMBOLS
}


def ticker(venue, bid, ask, *, symbol="BTC/USDT", age_ms=0):
    bid, ask = (None if price is None else D(price) for price in (bid, ask))
    return Ticker(venue, symbol, bid, ask, None, NOW_MS - age_ms)


def price(*tickers, rules=RULES):
    return choose_mids(tickers, rules, now_ms=NOW_MS).get(("BTC", "USDT"))


GOOD = ticker("alpha", "60000", "60010")


def test_a_market_alone_prices_by_the_middle_of_its_spread():
    assert choose_mids([GOOD], RULES, now_ms=NOW_MS) == {("BTC", "USDT"): D(60005)}


@pytest.mark.parametrize(
    "bad",
    [
        ticker("beta", "90000", "90001", age_ms=TICKER_AGE_MS_MAX + 1),
        ticker("beta", "100", "99999"),
        ticker("beta", "90000", "90000"),
        ticker("beta", "90001", "90000"),
        ticker("beta", "0", "90000"),
        ticker("beta", None, "90000"),
        ticker("beta", "90000", None),
        ticker("nowhere", "90000", "90001"),
    ],
)
def test_what_is_old_wide_or_broken_prices_nothing_wherever_it_stands(bad):
    assert price(bad, GOOD) == price(GOOD, bad) == D(60005)
    assert price(bad) is None


def test_a_market_that_is_not_active_prices_nothing():
    key = MarketKey("beta", "BTC/USDT")
    rules = {**RULES, key: replace(RULES[key], is_active=False)}

    assert price(ticker("beta", "90000", "90001"), GOOD, rules=rules) == D(60005)


def test_age_and_spread_have_an_edge():
    bid = D(60_000)
    ask = bid + bid * SPREAD_MAX

    assert price(ticker("alpha", bid, ask, age_ms=TICKER_AGE_MS_MAX)) == (bid + ask) / 2
    assert price(ticker("alpha", bid, ask + D("0.01"))) is None


@pytest.mark.parametrize("wrong", ["1", "59000", "90000", "1000000"])
def test_one_market_that_is_wrong_moves_nothing_among_three(wrong):
    others = [ticker("beta", "60020", "60030"), ticker("gamma", "60040", "60050")]
    liar = ticker("delta", wrong, D(wrong) + D("0.0001"))  # and with the narrowest spread of all

    assert price(liar, GOOD, others[0]) in {D(60005), D(60025)}
    assert price(others[1], GOOD, others[0], liar) in {D(60025), D(60045), D(60005)}


def test_of_two_the_narrower_spread_counts():
    wide = ticker("beta", "60000", "60900")

    assert price(wide, GOOD) == price(GOOD, wide) == D(60005)


def test_the_pair_that_is_known_best_comes_first():
    tickers = [
        ticker("alpha", "3000", "3030", symbol="ETH/USDT"),
        ticker("alpha", "0.05", "0.0501", symbol="ETH/BTC"),
        GOOD,
    ]

    assert list(choose_mids(tickers, RULES, now_ms=NOW_MS)) == [
        ("BTC", "USDT"),
        ("ETH", "BTC"),
        ("ETH", "USDT"),
    ]
