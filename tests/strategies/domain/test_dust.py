"""Dust is sold along in whole lots, as far as book, funds and market allow."""

from dataclasses import MISSING, fields, replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.fees import FeeMode
from markets.domain.orders import Side
from strategies.domain.dust import Advice, Outlet, advise, carry_dust
from strategies.domain.legs import next_quantity
from strategies.sdk import Evaluation, ExecutionMode, Intent, LegIntent
from tests.strategies.builders import make_book, make_rules, make_view


def make_intent(**changes):
    buy = LegIntent("alpha", "BTC/USDT", Side.BUY, D(1), D(100), D(100), D("0.999"))
    sell = LegIntent("beta", "BTC/USDT", Side.SELL, D("0.9"), D(110), D("0.9"), D("98.901"))
    intent = Intent("test", (buy, sell), ExecutionMode.PARALLEL, D(9), D(100), D(1), "USDT")
    return replace(intent, **changes)


def carry(dust, *, intent=None, bids=((110, 5),), free="10", **rules):
    rules = {"lot": "0.1", **rules}
    books = [make_book("alpha", bids=bids), make_book("beta", bids=bids)]
    view = make_view(
        books, [make_rules(code, **rules) for code in ("alpha", "beta")], {("beta", "BTC"): free}
    )
    view = replace(view, dust={code: D(amount) for code, amount in dust.items()})
    [carried] = carry_dust(Evaluation((intent or make_intent(),)), view).intents
    return carried


def test_without_dust_nothing_changes():
    assert carry({}) == carry({"BTC": "-5"}) == carry({"BTC": "0.09"}) == make_intent()


def test_the_leg_that_sells_takes_whole_lots_along():
    buy, sell = carry({"BTC": "0.25"}).legs

    assert buy == make_intent().legs[0]
    assert (sell.quantity, sell.carried) == (D("1.1"), D("0.2"))
    assert sell.expected_spent == D("1.1")
    assert sell.expected_received == D("98.901") + D("0.2") * 110 * D("0.999")
    assert carry({"BTC": "0.25"}).expected_profit == make_intent().expected_profit


def has_default(item):
    return item.default is not MISSING or item.default_factory is not MISSING


def test_nothing_else_of_an_intent_changes():
    intent = make_intent(sizing={"pivot": "0"})
    # what intents and legs are given one day has to be handed on as well
    assert [
        item.name for kind in (Intent, LegIntent) for item in fields(kind) if has_default(item)
    ] == ["sizing", "carried"]

    carried = carry({"BTC": "0.25"}, intent=intent)

    assert replace(carried, legs=intent.legs) == intent
    bought, sold = intent.legs
    changed = ("quantity", "expected_spent", "expected_received", "carried")
    before = {name: getattr(sold, name) for name in changed}
    assert carried.legs[0] == bought
    assert replace(carried.legs[1], **before) == sold


@pytest.mark.parametrize(
    ("changes", "carried"),
    [
        ({"bids": ((110, "1.05"),)}, "0.1"),
        ({"bids": ((110, "0.9"), (109, 5))}, "0"),
        ({"free": "1.15"}, "0.2"),
        ({"free": "0.9"}, "0"),
        ({"free": "0"}, "0"),
        ({"quantity_max": "1.2"}, "0.3"),
        ({"quantity_max": "0.9"}, "0"),
    ],
)
def test_no_more_than_book_funds_and_market_allow(changes, carried):
    assert carry({"BTC": "1"}, **changes).legs[1].carried == D(carried)


def test_a_fee_on_top_of_what_is_sold_comes_out_of_the_dust_as_well():
    sell = carry({"BTC": "0.2"}, mode=FeeMode.GIVEN, fee="0.01").legs[1]

    assert (sell.carried, sell.expected_spent) == (D("0.1"), D("0.9") + D("0.101"))


def test_the_asset_of_the_profit_is_no_dust():
    assert carry({"BTC": "1"}, intent=make_intent(profit_asset="BTC")).legs[1].carried == 0


def test_dust_is_sold_once():
    both = make_intent(legs=(make_intent().legs[1], make_intent().legs[1]))

    assert [leg.carried for leg in carry({"BTC": "0.25"}, intent=both).legs] == [D("0.2"), 0]


dusts = st.decimals("-1", "3", places=5)


@given(dusts, st.decimals("0", "3", places=5), st.decimals("0.1", "4", places=3))
def test_what_is_carried_is_never_more_than_the_dust_and_on_the_grid(dust, free, depth):
    sell = carry({"BTC": dust}, free=free, bids=((110, depth),)).legs[1]

    assert 0 <= sell.carried <= max(dust, D(0))
    assert sell.carried % D("0.1") == 0
    assert sell.quantity == D("0.9") + sell.carried
    if sell.carried:
        assert sell.quantity <= min(free, depth)


def test_a_sequence_that_gets_less_still_sells_its_dust():
    leg = replace(carry({"BTC": "0.2"}).legs[1], venue="alpha")
    rules = make_rules(lot="0.01")

    whole = next_quantity(leg=leg, rules=rules, arrived=D("0.9"), free=D(5))
    half = next_quantity(leg=leg, rules=rules, arrived=D("0.45"), free=D(5))

    assert (whole, half) == (D("1.1"), D("0.65"))


def outlet(**changes):
    return Outlet(make_rules(lot="0.1", quantity_min="0.2", notional_min="10", **changes), D(100))


@pytest.mark.parametrize(
    ("amount", "is_running", "advice"),
    [
        ("-0.19", True, Advice.NOTHING),
        ("-0.2", True, Advice.BUY),
        ("-1", False, Advice.BUY),
        ("0.1", True, Advice.NEXT_SALE),
        ("0.09", True, Advice.CONVERT),
        ("0.2", False, Advice.SELL),
        ("0.19", False, Advice.CONVERT),
    ],
)
def test_each_amount_has_its_advice(amount, is_running, advice):
    found, message = advise("BTC", D(amount), [outlet()], is_running=is_running)

    assert found is advice
    assert "{" not in str(message)


def test_an_order_that_is_worth_too_little_or_nobody_knows_what_is_not_advised():
    cheap = replace(outlet(), price=D(1))
    unknown = replace(outlet(), price=None)

    for outlets in ([cheap], [unknown], []):
        assert advise("BTC", D(1), outlets, is_running=False)[0] is Advice.CONVERT
    found, message = advise("BTC", D("0.55"), [cheap, outlet()], is_running=False)
    assert (found, message.context["quantity"]) == (Advice.SELL, "0.5")
