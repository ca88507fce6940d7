from decimal import Decimal as D
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.orders import Side
from markets.domain.quote import Ticker
from strategies.domain.edge import PricedLeg, fee_factors, round_trip_edge
from strategies.domain.intents import Intent, Rejection
from strategies.domain.scan import Kind, Step, confirm, survey
from strategies.domain.view import MarketKey
from tests.strategies.builders import NOW_MS, make_book, make_rules

BTC, ETH, ETH_BTC = "BTC/USDT", "ETH/USDT", "ETH/BTC"
DEPTH = 20


def ticker(venue, symbol, bid, ask):
    return Ticker(
        venue,
        symbol,
        bid=None if bid is None else D(bid),
        ask=None if ask is None else D(ask),
        last=None,
        received_at_ms=NOW_MS,
    )


def rules_for(tickers, **options):
    return {
        MarketKey(item.venue, item.symbol): make_rules(item.venue, item.symbol, **options)
        for item in tickers
    }


def test_a_pair_of_venues_that_earns_after_fees_is_nominated():
    tickers = [ticker("alpha", BTC, "59999", "60000"), ticker("beta", BTC, "60200", "60201")]

    found = survey(tickers, rules_for(tickers), starts=["USDT"])

    assert (found.markets, found.pairs, found.cycles) == (2, 2, 0)
    (best,) = found.nominations
    assert (best.kind, best.subject) == (Kind.CROSS_VENUE, "BTC/USDT alpha → beta")
    assert best.steps == (
        Step(MarketKey("alpha", BTC), Side.BUY),
        Step(MarketKey("beta", BTC), Side.SELL),
    )
    assert best.edge.net_bps == (D("0.999") * 60200 * D("0.999") / 60000 - 1) * 10_000
    assert not best.is_suspicious


def test_a_way_around_one_venue_is_entered_at_the_preferred_asset():
    tickers = [
        ticker("alpha", BTC, "59999", "60000"),
        ticker("alpha", ETH_BTC, "0.0499", "0.05"),
        ticker("alpha", ETH, "3018", "3019"),
    ]

    found = survey(tickers, rules_for(tickers), starts=["EUR", "USDT"])

    assert (found.markets, found.pairs, found.cycles) == (3, 0, 2)
    assert [item.subject for item in found.nominations] == ["alpha: USDT → BTC → ETH → USDT"]
    assert found.nominations[0].edge.net_bps == (
        (D("0.999") ** 3 * 3018 / (60000 * D("0.05")) - 1) * 10_000
    )


def test_a_way_through_no_preferred_asset_is_entered_anywhere():
    tickers = [
        ticker("alpha", BTC, "59999", "60000"),
        ticker("alpha", ETH_BTC, "0.0499", "0.05"),
        ticker("alpha", ETH, "3018", "3019"),
    ]

    (best,) = survey(tickers, rules_for(tickers), starts=[]).nominations

    assert {step.key.symbol for step in best.steps} == {BTC, ETH_BTC, ETH}


@pytest.mark.parametrize(
    ("bid", "ask"), [(None, "60000"), ("60000", None), ("60000", "60000"), ("-1", "60000")]
)
def test_a_market_without_two_sane_prices_is_passed_over(bid, ask):
    tickers = [ticker("alpha", BTC, bid, ask), ticker("beta", BTC, "70000", "70001")]

    found = survey(tickers, rules_for(tickers), starts=["USDT"])

    assert (found.markets, found.nominations) == (1, ())


def test_a_market_that_is_unknown_or_inactive_is_passed_over():
    tickers = [ticker(venue, BTC, bid, "90000") for venue, bid in [("a", "1"), ("b", "80000")]]
    rules = rules_for(tickers[:1], is_active=False)

    assert survey(tickers, rules, starts=["USDT"]).markets == 0


def test_what_only_reaches_the_threshold_is_not_nominated():
    tickers = [ticker("alpha", BTC, "1", "100"), ticker("beta", BTC, "101", "102")]
    rules = rules_for(tickers, fee=0)

    def found(edge_bps_min):
        return survey(tickers, rules, starts=["USDT"], edge_bps_min=D(edge_bps_min)).nominations

    assert found("100") == ()
    assert len(found("99.9999999999")) == 1


def test_an_edge_that_is_too_good_is_marked():
    tickers = [ticker("alpha", BTC, "1", "100"), ticker("beta", BTC, "200", "201")]

    assert survey(tickers, rules_for(tickers), starts=["USDT"]).nominations[0].is_suspicious


prices = st.integers(min_value=90, max_value=110)


@given(
    quotes=st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["X/Y", "Y/Z", "X/Z"])),
        st.tuples(prices, st.integers(min_value=1, max_value=3)),
        max_size=9,
    ),
    fee=st.sampled_from(["0", "0.001", "0.01"]),
    edge_bps_min=st.integers(min_value=0, max_value=200),
)
def test_a_survey_finds_what_trying_everything_finds(quotes, fee, edge_bps_min):
    tickers = [
        ticker(venue, symbol, D(bid) / 100, D(bid + width) / 100)
        for (venue, symbol), (bid, width) in quotes.items()
    ]
    rules = rules_for(tickers, fee=fee)
    prices_of = {
        (MarketKey(item.venue, item.symbol), side): price
        for item in tickers
        for side, price in ((Side.BUY, item.ask), (Side.SELL, item.bid))
    }

    def edge(steps):
        return round_trip_edge(
            PricedLeg(side, prices_of[key, side], fee_factors(rules[key].fees, side))
            for key, side in steps
        ).net_bps

    def assets(key, side):
        base, quote = key.symbol.split("/")
        return (quote, base) if side is Side.BUY else (base, quote)

    expected = {
        frozenset(steps)
        for length in (2, 3)
        for steps in permutations(prices_of, length)
        if all(
            assets(*one)[1] == assets(*other)[0]
            for one, other in zip(steps, (*steps[1:], steps[0]), strict=True)
        )
        and len({key for key, _side in steps}) == length
        and len({key.venue for key, _side in steps}) == (2 if length == 2 else 1)
        and len({assets(*step)[0] for step in steps}) == length
        and edge(steps) > edge_bps_min
    }

    found = survey(tickers, rules, starts=["Z"], edge_bps_min=D(edge_bps_min)).nominations

    assert {frozenset(tuple(step) for step in item.steps) for item in found} == expected
    assert len(found) == len(expected)
    assert [item.edge.net_bps for item in found] == sorted(
        (edge(item.steps) for item in found), reverse=True
    )


def nominate_pair():
    tickers = [ticker("alpha", BTC, "59999", "60000"), ticker("beta", BTC, "60200", "60201")]
    rules = rules_for(tickers)
    return survey(tickers, rules, starts=["USDT"]).nominations[0], rules


def books_of(*books):
    return {MarketKey(book.venue, book.symbol): book for book in books}


def test_a_nomination_is_confirmed_with_size_and_profit():
    nomination, rules = nominate_pair()
    books = books_of(
        make_book("alpha", BTC, bids=[(59999, 1)], asks=[(60000, 1), (60100, 1)]),
        make_book("beta", BTC, bids=[(60200, "0.5"), (60150, 9)], asks=[(60201, 1)]),
    )

    intent = confirm(nomination, books=books, rules=rules, depth=DEPTH)

    assert isinstance(intent, Intent)
    # beyond 60000 against 60150 the fees take more than the prices differ by
    assert intent.legs[0].quantity == 1
    # one lot less than arrives, so that rounded fees cannot make it short
    assert intent.legs[1].quantity == D("0.99899")
    assert intent.profit_asset == "USDT"
    proceeds = (D("0.5") * 60200 + D("0.49899") * 60150) * D("0.999")
    left_over = D("0.00001") * 59999 * D("0.999")
    assert intent.expected_profit == proceeds + left_over - 60000


def test_a_cycle_is_confirmed_leg_by_leg():
    tickers = [
        ticker("alpha", BTC, "59999", "60000"),
        ticker("alpha", ETH_BTC, "0.0499", "0.05"),
        ticker("alpha", ETH, "3018", "3019"),
    ]
    rules = rules_for(tickers)
    (nomination,) = survey(tickers, rules, starts=["USDT"]).nominations
    books = books_of(
        make_book("alpha", BTC, bids=[(59999, 1)], asks=[(60000, 1)]),
        make_book("alpha", ETH_BTC, bids=[("0.0499", 1)], asks=[("0.05", 50)]),
        make_book("alpha", ETH, bids=[(3018, 50)], asks=[(3019, 1)]),
    )

    intent = confirm(nomination, books=books, rules=rules, depth=DEPTH)

    assert isinstance(intent, Intent)
    assert [leg.symbol for leg in intent.legs] == [BTC, ETH_BTC, ETH]
    assert intent.expected_profit > 0


def test_what_real_books_no_longer_offer_is_rejected():
    nomination, rules = nominate_pair()
    books = books_of(
        make_book("alpha", BTC, bids=[(59999, 1)], asks=[(60190, 1)]),
        make_book("beta", BTC, bids=[(60200, 1)], asks=[(60201, 1)]),
    )

    outcome = confirm(nomination, books=books, rules=rules, depth=DEPTH)

    assert isinstance(outcome, Rejection)


@pytest.mark.parametrize(
    "book",
    [
        None,
        make_book("beta", BTC, bids=[], asks=[(60201, 1)]),
        make_book("beta", BTC, bids=[(60202, 1)], asks=[(60201, 1)]),
    ],
)
def test_without_a_sound_book_nothing_is_confirmed(book):
    nomination, rules = nominate_pair()
    sound = make_book("alpha", BTC, bids=[(59999, 1)], asks=[(60000, 1)])

    assert (
        confirm(nomination, books=books_of(*filter(None, [sound, book])), rules=rules, depth=DEPTH)
        is None
    )
