from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
from pydantic import ValidationError

from arbplatform.core.errors import LimitExceeded
from markets.domain.orders import Side
from strategies.domain.reasons import REJECTIONS_MAX
from strategies.plugins.triangular import NOMINEES_MAX, Triangular, TriangularParams
from strategies.sdk import MarketKey, MarketView, Scope
from tests.strategies.builders import NOW_MS, make_book, make_rules, make_view

ASSETS = ("USDT", "BTC", "ETH")


def make_params(**stated: object) -> TriangularParams:
    return TriangularParams.model_validate(stated)


def make_plugin(*assets: str, **params: object) -> Any:
    stated = {"participation": 1, "balance_share": 1, "slippage_share": 0, **params}
    return Triangular(make_params(assets=assets or ASSETS, **stated))


def three_books(venue="alpha", *, last=102, at_ms=NOW_MS, size=50):
    """USDT → BTC at 10, BTC → ETH at 10, ETH → USDT at ``last``."""
    return [
        make_book(venue, "BTC/USDT", bids=[(9, 50)], asks=[(10, 50)], at_ms=at_ms),
        make_book(venue, "ETH/BTC", bids=[(9, 50)], asks=[(10, 50)]),
        make_book(venue, "ETH/USDT", bids=[(last, size)], asks=[(120, 50)]),
    ]


def view_of(books, *, free=10_000):
    assets = {asset for book in books for asset in book.symbol.split("/")}
    return make_view(
        books,
        [make_rules(book.venue, book.symbol, fee=0, lot="0.01") for book in books],
        {(book.venue, asset): free for book in books for asset in assets},
    )


def reasons(evaluation):
    return [(rejection.subject, rejection.code) for rejection in evaluation.rejections]


def test_goes_around_in_the_direction_that_earns():
    evaluation = make_plugin().evaluate(view_of(three_books()))

    (intent,) = evaluation.intents
    assert [(leg.symbol, leg.side, leg.quantity) for leg in intent.legs] == [
        ("BTC/USDT", Side.BUY, 50),
        ("ETH/BTC", Side.BUY, 5),
        ("ETH/USDT", Side.SELL, 5),
    ]
    assert (intent.summary, intent.expected_profit, intent.edge_bps) == (
        "alpha: USDT → BTC → ETH → USDT",
        10,
        200,
    )
    assert reasons(evaluation) == [("alpha: USDT → ETH → BTC → USDT", "edge_below_min")]


def test_the_maximum_amount_limits_what_is_spent():
    (intent,) = make_plugin(max_start_amount=123).evaluate(view_of(three_books())).intents

    assert intent.notional <= 123
    assert intent.sizing["limited_by"] == "spend_max:alpha"


def test_each_venue_is_watched_for_itself():
    books = [*three_books("alpha", last=102), *three_books("beta", last=103)]

    evaluation = make_plugin().evaluate(view_of(books))

    assert [intent.summary.split(":")[0] for intent in evaluation.intents] == ["beta", "alpha"]
    for intent in evaluation.intents:
        assert len({leg.venue for leg in intent.legs}) == 1


def test_the_next_start_asset_is_taken_when_the_preferred_one_is_not_there():
    plugin = make_plugin(start_assets=["USDT", "BTC"])
    view = view_of(three_books())
    free = {key: D(0) if key.asset == "USDT" else amount for key, amount in view.free.items()}

    rich, poor = plugin.evaluate(view), plugin.evaluate(replace(view, free=free))

    assert [intent.profit_asset for intent in rich.intents] == ["USDT"]
    assert [intent.profit_asset for intent in poor.intents] == ["BTC"]
    assert [leg.symbol for leg in poor.intents[0].legs] == ["ETH/BTC", "ETH/USDT", "BTC/USDT"]


def test_profits_in_different_assets_are_compared_by_their_worth():
    """On alpha only BTC is in stock, on beta only USDT; alpha's 0.98 BTC beat beta's 1 USDT."""
    plugin = make_plugin(start_assets=["USDT", "BTC"], max_start_amount=50)
    books = [*three_books("alpha"), *three_books("beta")]
    view = view_of(books)
    free = {
        key: D(10_000) if key in {("alpha", "BTC"), ("beta", "USDT")} else D(0) for key in view.free
    }

    evaluation = plugin.evaluate(replace(view, free=free))

    assert [(intent.profit_asset, intent.expected_profit) for intent in evaluation.intents] == [
        ("BTC", D("0.98")),
        ("USDT", 1),
    ], "one BTC is worth nine USDT"


def test_a_profit_that_cannot_be_compared_comes_last():
    books = [
        *three_books(),
        make_book(symbol="X/BTC", bids=[(1, 9)], asks=[("1.1", 9)]),
        make_book(symbol="X/ETH", bids=[("0.13", 9)], asks=[("0.14", 9)]),
    ]
    plugin = make_plugin("X", *ASSETS, start_assets=["USDT", "X"], max_edge_bps=2000)

    evaluation = plugin.evaluate(view_of(books))

    assert [intent.profit_asset for intent in evaluation.intents] == ["USDT", "X"]


@pytest.mark.parametrize(
    ("at_ms", "reason"),
    [
        (NOW_MS - 2001, ("BTC/USDT alpha", "book_stale")),
        (NOW_MS - 1501, ("alpha: USDT → BTC → ETH → USDT", "books_skewed")),
    ],
)
def test_books_of_different_moments_are_not_combined(at_ms, reason):
    evaluation = make_plugin().evaluate(view_of(three_books(at_ms=at_ms)))

    assert not evaluation.intents
    assert reason in reasons(evaluation)


def test_a_missing_book_and_an_empty_side_are_reported():
    books = three_books()
    books[1] = make_book(symbol="ETH/BTC", bids=[(9, 50)])
    view = view_of(books)
    view = replace(
        view, books={key: book for key, book in view.books.items() if key.symbol != "BTC/USDT"}
    )

    evaluation = make_plugin().evaluate(view)

    assert not evaluation.intents
    assert reasons(evaluation) == [
        ("BTC/USDT alpha", "no_book"),
        ("ETH/BTC alpha", "book_without_asks"),
    ]


def test_markets_of_other_assets_make_no_cycle():
    evaluation = make_plugin().evaluate(view_of([make_book(symbol="SOL/USDT")]))

    assert reasons(evaluation) == [("alpha", "no_cycle")]


def test_a_cycle_without_a_start_asset_is_left_alone():
    plugin = make_plugin("USDT", "A", "B", "C")
    books = [
        make_book(symbol="B/A", bids=[(9, 9)], asks=[(10, 9)]),
        make_book(symbol="C/B", bids=[(9, 9)], asks=[(10, 9)]),
        make_book(symbol="C/A", bids=[(150, 9)], asks=[(160, 9)]),
    ]

    evaluation = plugin.evaluate(view_of(books))

    assert (evaluation.intents, evaluation.rejections) == ((), ())


def test_says_what_stands_in_the_way_of_a_nominated_cycle():
    evaluation = make_plugin().evaluate(view_of(three_books(size=0)))

    assert ("alpha: USDT → BTC → ETH → USDT", "book_without_bids") in reasons(evaluation)


def many_coins(count: int, *, last: str) -> tuple[Any, MarketView]:
    """``count`` coins that each make a way around between USDT and BTC."""
    coins = [f"C{n:02}" for n in range(count)]
    books = [make_book(symbol="BTC/USDT", bids=[("9.99", 500)], asks=[(10, 500)])]
    for coin in coins:
        books.append(make_book(symbol=f"{coin}/BTC", bids=[(9, 50)], asks=[(10, 50)]))
        books.append(make_book(symbol=f"{coin}/USDT", bids=[(last, 50)], asks=[(150, 50)]))
    return make_plugin("USDT", "BTC", *coins), view_of(books)


def test_rejections_are_bounded():
    plugin, view = many_coins(40, last="99.9")

    evaluation = plugin.evaluate(view)

    assert not evaluation.intents
    assert len(evaluation.rejections) == REJECTIONS_MAX
    assert all(rejection.code == "edge_below_min" for rejection in evaluation.rejections)


def test_only_so_many_cycles_are_sized_in_one_evaluation():
    plugin, view = many_coins(40, last="101")

    evaluation = plugin.evaluate(view)

    assert len(evaluation.intents) == NOMINEES_MAX
    assert "alpha: USDT → BTC → C00 → USDT" in {intent.summary for intent in evaluation.intents}


def test_subscribes_to_the_markets_of_cycles_through_a_start_asset():
    symbols = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDT", "SOL/ETH", "A/B")
    rules = {
        MarketKey(venue, symbol): make_rules(venue, symbol)
        for venue in ("alpha", "beta")
        for symbol in symbols
        if (venue, symbol) != ("beta", "ETH/BTC")
    }
    scope = Scope(venues=("alpha", "beta"), rules=rules)

    wanted = make_plugin(*ASSETS, "SOL").subscriptions(scope)

    assert set(wanted) == {
        *(MarketKey("alpha", symbol) for symbol in symbols[:5]),
        *(MarketKey("beta", symbol) for symbol in ("ETH/USDT", "SOL/USDT", "SOL/ETH")),
    }


def test_refuses_to_watch_more_cycles_than_it_can():
    assets = [f"A{n:02}" for n in range(60)]
    rules = {
        MarketKey("alpha", f"{base}/{quote}"): make_rules("alpha", f"{base}/{quote}")
        for base in assets
        for quote in assets
        if base < quote
    }

    with pytest.raises(LimitExceeded, match="Choose fewer assets"):
        make_plugin(*assets, start_assets=["A00"]).subscriptions(Scope(("alpha",), rules))


def test_looks_no_deeper_than_its_depth():
    assert make_plugin(depth=7).book_depth == 7


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"assets": ["A", "B", "B"], "start_assets": ["A"]}, "B is named twice."),
        ({"assets": ["A", "B", "C"], "start_assets": ["D"]}, "D is not among the assets."),
        ({"assets": ["A", "B", "C"]}, "USDT is not among the assets."),
        ({"assets": ["USDT", "B", "C"], "start_assets": ["B", "B"]}, "B is named twice."),
        ({"assets": ["A", "B"]}, "at least 3 items"),
    ],
)
def test_assets_must_be_different_and_hold_the_start(params, sentence):
    with pytest.raises(ValidationError) as caught:
        make_params(**params)

    assert sentence in str(caught.value)
