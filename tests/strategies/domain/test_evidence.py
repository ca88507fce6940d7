from dataclasses import replace
from decimal import Decimal as D

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbplatform.core.errors import InvalidInput
from markets.domain.book import Look
from markets.domain.fees import FeeMode
from strategies.domain.evidence import from_evidence, misdated_books, to_evidence
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from strategies.plugins.triangular import Triangular, TriangularParams
from tests.strategies.builders import NOW_MS, make_book, make_levels, make_rules, make_view


def stated(*args, **more):
    """Return evidence as it is read again."""
    return orjson.loads(orjson.dumps(to_evidence(*args, **more)))


sizes = st.decimals(min_value=D("0.001"), max_value=5, places=6)


@st.composite
def levels(draw: st.DrawFn, sign: int, top: D) -> list[tuple[D, D]]:
    price, found = top, []
    for _ in range(draw(st.integers(1, 5))):
        found.append((price, draw(sizes)))
        price += sign * draw(st.decimals(min_value=D("0.01"), max_value=2, places=2))
    return found


@st.composite
def cross_venue_cases(draw):
    mode = st.sampled_from(FeeMode)
    symbols = ["BTC/USDT", "ETH/USDT"]
    books, rules = [], []
    for venue, mid in (("alpha", 100), ("beta", draw(st.integers(100, 106))), ("gamma", 103)):
        for symbol in symbols:
            bids, asks = draw(levels(-1, D(mid) - 1)), draw(levels(1, D(mid)))
            age_ms = draw(st.integers(0, 900))
            books.append(make_book(venue, symbol, bids=bids, asks=asks, at_ms=NOW_MS - age_ms))
            rules.append(make_rules(venue, symbol, fee="0.0007", mode=draw(mode), notional_min=5))
    free = {
        (venue, asset): draw(st.sampled_from(["0.123456789", 1000]))
        for venue in ("alpha", "beta", "gamma")
        for asset in ("BTC", "ETH", "USDT")
    }
    params = CrossVenueParams(
        symbols=tuple(symbols), max_notional=D("777.77"), depth=draw(st.integers(1, 5))
    )
    return CrossVenue(params), make_view(books, rules, free)


@st.composite
def triangular_cases(draw):
    ask = D(draw(st.integers(960, 1000))) / 10
    books = [
        make_book(symbol="X/USDT", bids=draw(levels(-1, D("9.9"))), asks=draw(levels(1, D(10)))),
        make_book(symbol="Y/X", bids=draw(levels(-1, D("9.9"))), asks=draw(levels(1, D(10)))),
        make_book(symbol="Y/USDT", bids=draw(levels(-1, D(103))), asks=draw(levels(1, D(104)))),
        make_book(symbol="Z/USDT", bids=draw(levels(-1, ask)), asks=draw(levels(1, ask + 1))),
        make_book(symbol="Z/X", bids=draw(levels(-1, D("9.8"))), asks=draw(levels(1, D(10)))),
    ]
    mode = draw(st.sampled_from(FeeMode))
    rules = [
        make_rules(symbol=book.symbol, fee="0.0007", mode=mode, lot="0.0001") for book in books
    ]
    free = {("alpha", asset): draw(st.sampled_from([5, 1000])) for asset in ("X", "Y", "Z", "USDT")}
    params = TriangularParams(
        assets=("USDT", "X", "Y", "Z"), start_assets=("USDT", "X"), max_edge_bps=D(2000)
    )
    return Triangular(params), make_view(books, rules, free)


def check_that_every_decision_is_made_again(plugin, view):
    for intent in plugin.evaluate(view).intents:
        evidence = stated(view, plugin.params_json, intent)

        again = from_evidence(evidence)

        params = type(plugin.params).model_validate(again.params)
        assert params == plugin.params
        assert again.intent == intent
        assert intent in type(plugin)(params).evaluate(again.view).intents


@settings(max_examples=100)
@given(case=cross_venue_cases())
def test_a_cross_venue_decision_is_made_again_from_its_row(case):
    check_that_every_decision_is_made_again(*case)


@settings(max_examples=100)
@given(case=triangular_cases())
def test_a_triangular_decision_is_made_again_from_its_row(case):
    check_that_every_decision_is_made_again(*case)


def example():
    plugin = CrossVenue(CrossVenueParams(symbols=("BTC/USDT",), depth=1))
    books = [
        make_book("alpha", bids=[(99, 1), (98, 1)], asks=[(100, 1), (101, 1)]),
        make_book("beta", bids=[(103, 1), (102, 1)], asks=[(104, 1), (105, 1)]),
        make_book("gamma", bids=[(99, 1)], asks=[(110, 1)]),
    ]
    rules = [
        make_rules("alpha", quantity_max=7),
        make_rules("beta"),
        make_rules("gamma"),
    ]
    free = {("alpha", "USDT"): D("1E+3"), ("beta", "BTC"): D(2), ("gamma", "USDT"): D(5)}
    view = make_view(books, rules, free)
    return plugin, view, plugin.evaluate(view).intents[0]


def test_evidence_holds_what_concerns_the_intent_and_no_more():
    plugin, view, intent = example()

    evidence = stated(view, plugin.params_json, intent)

    assert [(book["venue"], len(book["asks"])) for book in evidence["books"]] == [
        ("alpha", 2),
        ("beta", 2),
    ]
    assert [rules["quantity_max"] for rules in evidence["rules"]] == ["7", None]
    assert evidence["free"] == [
        {"venue": "alpha", "asset": "BTC", "amount": "0"},
        {"venue": "alpha", "asset": "USDT", "amount": "1000"},
        {"venue": "beta", "asset": "BTC", "amount": "2"},
        {"venue": "beta", "asset": "USDT", "amount": "0"},
    ]


def test_evidence_says_how_old_each_book_was_and_what_proves_it():
    plugin, view, intent = example()
    key = next(iter(view.books))
    look = Look(NOW_MS - 700, NOW_MS - 1_600)
    live = replace(view.books[key], heard_at_ms=NOW_MS - 40_000, look=look)
    seen = replace(view, books={**view.books, key: live})

    evidence = stated(seen, plugin.params_json, intent, offsets_ms={key.venue: 1_000})

    [book] = [item for item in evidence["books"] if item["heard_at_ms"] is not None]
    assert {name: book[name] for name in ("clock_offset_ms", "age_ms", "proven_by")} == {
        "clock_offset_ms": 1_000,
        "age_ms": 700,
        "proven_by": "look",
    }
    assert from_evidence(evidence).view.books[key] == live
    assert misdated_books(evidence) == []
    book["look"]["made_at_ms"] -= 60_000
    assert misdated_books(evidence) == [key]


def test_levels_that_the_strategy_does_not_look_at_may_be_left_out():
    plugin, view, intent = example()

    evidence = stated(view, plugin.params_json, intent, depth=plugin.book_depth)

    assert evidence["books"][0]["asks"] == [["100", "1"]]
    assert plugin.evaluate(from_evidence(evidence).view).intents == (intent,)


def test_levels_are_stated_in_plain_digits_and_a_side_may_be_empty():
    plugin, view, intent = example()
    key = next(iter(view.books))
    bids = ((D("9.9E+1"), D("1E-7")), (D("98.50"), D("2.000")))
    odd = replace(view.books[key], bids=make_levels(bids), asks=())
    even = replace(odd, bids=make_levels(bids[1:]))

    books = [
        stated(replace(view, books={**view.books, key: book}), plugin.params_json, intent)["books"]
        for book in (odd, even)
    ]

    assert books[0][0]["bids"] == [["99", "0.0000001"], ["98.5", "2"]]
    assert books[1][0]["bids"] == [["98.50", "2.000"]]
    assert books[0][0]["asks"] == books[1][0]["asks"] == []


def test_parameters_are_stated_as_they_are_and_once():
    plugin, _view, _intent = example()

    assert plugin.params_json == plugin.params.model_dump(mode="json")
    assert plugin.params_json is plugin.params_json


def test_rules_are_stated_as_they_are_whatever_was_stated_before():
    plugin, view, intent = example()
    key = next(iter(view.rules))
    raised = replace(view.rules[key], fees=replace(view.rules[key].fees, taker=D("0.002")))
    other = replace(view, rules={**view.rules, key: raised})

    stated(view, plugin.params_json, intent)
    after = stated(other, plugin.params_json, intent)
    again = stated(view, plugin.params_json, intent)

    assert [each["rules"][0]["taker_fee"] for each in (after, again)] == ["0.002", "0.001"]


def test_evidence_of_another_version_is_refused():
    plugin, view, intent = example()
    evidence = stated(view, plugin.params_json, intent) | {"version": 2}

    with pytest.raises(InvalidInput) as caught:
        from_evidence(evidence)

    assert str(caught.value) == "This evidence has the version 2; version 1 can be read."


def test_a_decision_that_was_tampered_with_is_not_made_again():
    plugin, view, intent = example()
    evidence = stated(view, plugin.params_json, replace(intent, expected_profit=D(1000)))

    again = from_evidence(evidence)

    assert again.intent not in plugin.evaluate(again.view).intents
