from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
from pydantic import ValidationError

from markets.domain.orders import Side
from strategies.domain.reasons import REJECTIONS_MAX
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from strategies.sdk import MarketKey, Scope
from tests.strategies.builders import NOW_MS, make_book, make_rules, make_view

SYMBOL = "BTC/USDT"


def make_params(**stated: object) -> CrossVenueParams:
    return CrossVenueParams.model_validate(stated)


def make_plugin(*symbols: str, **params: object) -> Any:
    stated = {"participation": 1, "balance_share": 1, "slippage_share": 0, **params}
    return CrossVenue(make_params(symbols=symbols or (SYMBOL,), **stated))


def two_venues(*, ask=100, bid=103, **book):
    return [
        make_book("alpha", bids=[(ask - 1, 5)], asks=[(ask, 5)], **book),
        make_book("beta", bids=[(bid, 5)], asks=[(bid + 1, 5)]),
    ]


def view_of(books, *, free=1_000_000, rules=None):
    keys = {(book.venue, book.symbol) for book in books}
    assets = {asset for _, symbol in keys for asset in symbol.split("/")}
    return make_view(
        books,
        rules or [make_rules(venue, symbol, fee=0, lot="0.01") for venue, symbol in sorted(keys)],
        {(venue, asset): free for venue, _ in keys for asset in assets},
    )


def reasons(evaluation):
    return [(rejection.subject, rejection.code) for rejection in evaluation.rejections]


def test_buys_where_it_is_cheap_and_sells_where_it_is_dear():
    evaluation = make_plugin().evaluate(view_of(two_venues()))

    (intent,) = evaluation.intents
    assert [(leg.venue, leg.side, leg.quantity) for leg in intent.legs] == [
        ("alpha", Side.BUY, 5),
        ("beta", Side.SELL, 5),
    ]
    assert (intent.summary, intent.expected_profit, intent.edge_bps, intent.notional) == (
        "BTC/USDT alpha → beta",
        15,
        300,
        500,
    )
    assert reasons(evaluation) == [("BTC/USDT beta → alpha", "edge_below_min")]


def test_the_highest_profit_comes_first_and_not_the_highest_edge():
    books = [
        make_book("alpha", bids=[(99, 9)], asks=[(100, 9)]),
        make_book("beta", bids=[(102, 9)], asks=[(103, 9)]),
        make_book("gamma", bids=[(104, "0.5")], asks=[(105, 9)]),
    ]

    evaluation = make_plugin().evaluate(view_of(books))

    assert [(intent.summary, intent.expected_profit) for intent in evaluation.intents] == [
        ("BTC/USDT alpha → beta", 18),
        ("BTC/USDT alpha → gamma", 2),
        ("BTC/USDT beta → gamma", D("0.5")),
    ]


def test_every_symbol_is_looked_at_by_itself():
    books = [*two_venues(), make_book("alpha", "ETH/USDT", bids=[(99, 1)], asks=[(100, 1)])]

    evaluation = make_plugin(SYMBOL, "ETH/USDT").evaluate(view_of(books))

    assert len(evaluation.intents) == 1
    assert ("ETH/USDT", "too_few_venues") in reasons(evaluation)


def test_the_maximum_amount_limits_what_is_spent():
    (intent,) = make_plugin(max_notional=250).evaluate(view_of(two_venues())).intents

    assert (intent.notional, intent.sizing["limited_by"]) == (250, "spend_max:alpha")


def test_limit_prices_give_away_the_share_that_is_allowed():
    (intent,) = make_plugin(slippage_share="0.5").evaluate(view_of(two_venues())).intents

    assert [leg.limit_price for leg in intent.legs] == [D("100.72"), D("102.25")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"at_ms": NOW_MS - 2001}, ("BTC/USDT alpha", "book_stale")),
        ({"asks": ()}, ("BTC/USDT alpha", "book_without_asks")),
        ({"bids": ((100, 5),)}, ("BTC/USDT alpha", "book_crossed")),
        ({"at_ms": NOW_MS - 1600}, ("BTC/USDT alpha → beta", "books_skewed")),
    ],
)
def test_a_book_that_cannot_be_trusted_is_not_traded_on(change, reason):
    stated = {"bids": [(99, 5)], "asks": [(100, 5)], **change}
    books = [make_book("alpha", **stated), two_venues()[1]]

    evaluation = make_plugin().evaluate(view_of(books))

    assert not evaluation.intents
    assert reason in reasons(evaluation)


def test_a_one_sided_book_can_still_be_traded_on_its_other_side():
    books = [make_book("alpha", asks=[(100, 5)]), make_book("beta", bids=[(103, 5)])]

    evaluation = make_plugin().evaluate(view_of(books))

    assert len(evaluation.intents) == 1
    assert reasons(evaluation) == [
        ("BTC/USDT alpha", "book_without_bids"),
        ("BTC/USDT beta", "book_without_asks"),
    ]


def test_a_missing_book_is_reported_and_the_others_are_traded():
    books = two_venues()
    view = view_of(books)
    third = make_rules("gamma", fee=0)
    view = replace(view, rules={**view.rules, MarketKey("gamma", SYMBOL): third})

    evaluation = make_plugin().evaluate(view)

    assert len(evaluation.intents) == 1
    assert reasons(evaluation)[0] == ("BTC/USDT gamma", "no_book")


def test_without_funds_it_says_which_are_missing():
    evaluation = make_plugin().evaluate(view_of(two_venues(), free=0))

    assert not evaluation.intents
    found = {rejection.code: rejection for rejection in evaluation.rejections}
    assert found["balance_too_low"].message.context == {
        "free": "0",
        "needed": "1",
        "asset": "USDT",
        "venue": "alpha",
    }


def test_funds_that_the_view_does_not_name_are_none():
    view = replace(view_of(two_venues()), free={})

    assert "balance_too_low" in {r.code for r in make_plugin().evaluate(view).rejections}


def test_rejections_are_bounded_and_the_nearest_to_a_trade_come_first():
    books = [
        make_book(f"v{n}", bids=[(D(99) + D(n) / 100, 1)], asks=[(D(100) + D(n) / 100, 1)])
        for n in range(12)
    ]

    evaluation = make_plugin().evaluate(view_of(books))

    edges = [rejection.edge_bps for rejection in evaluation.rejections]
    assert len(edges) == REJECTIONS_MAX < 12 * 11
    assert edges == sorted(edges, reverse=True)
    assert evaluation.rejections[0].subject == "BTC/USDT v0 → v11"


def test_subscribes_to_what_at_least_two_venues_trade():
    rules = {
        MarketKey(venue, symbol): make_rules(venue, symbol)
        for venue, symbol in (
            ("alpha", SYMBOL),
            ("beta", SYMBOL),
            ("alpha", "ETH/USDT"),
            ("gamma", "SOL/USDT"),
        )
    }
    scope = Scope(venues=("beta", "alpha"), rules=rules)

    wanted = make_plugin(SYMBOL, "ETH/USDT", "SOL/USDT").subscriptions(scope)

    assert wanted == [MarketKey("beta", SYMBOL), MarketKey("alpha", SYMBOL)]


def test_looks_no_deeper_than_its_depth():
    assert make_plugin(depth=7).book_depth == 7


def test_two_names_for_dollars_are_not_the_same_quote():
    with pytest.raises(ValidationError, match="have different quote assets"):
        make_params(symbols=["BTC/USDT", "ETH/USDC"])


@pytest.mark.parametrize(
    ("symbols", "sentence"),
    [
        (["BTC/USDT", "BTC/USDT"], "BTC/USDT is named twice."),
        (["BTCUSDT"], "'BTCUSDT' is not a spot symbol. Write it as BASE/QUOTE"),
        ([], "at least 1 item"),
    ],
)
def test_symbols_must_be_different_spot_symbols(symbols, sentence):
    with pytest.raises(ValidationError) as caught:
        make_params(symbols=symbols)

    assert sentence in str(caught.value)


def test_the_cap_of_the_edge_must_be_above_the_minimum():
    with pytest.raises(ValidationError, match="above the minimum edge of 600 bps"):
        make_params(symbols=[SYMBOL], min_edge_bps=600)


def test_a_bad_minimum_is_not_blamed_on_the_cap():
    with pytest.raises(ValidationError) as caught:
        make_params(symbols=[SYMBOL], min_edge_bps=-1)

    assert [error["loc"] for error in caught.value.errors()] == [("min_edge_bps",)]
