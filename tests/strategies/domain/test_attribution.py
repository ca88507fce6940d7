"""From the expected to the realised profit: the parts always add up."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.fees import FeeMode
from markets.domain.orders import Side
from strategies.domain.attribution import (
    Case,
    LegFacts,
    Traded,
    attribute,
    find_differences,
    value_movements,
)
from strategies.domain.intents import LegIntent
from strategies.domain.marks import Quoted, mark, storable
from tests.strategies.builders import make_book, make_rules

MARKS = {"USDT": D(1), "BTC": D(50000)}


def make_plan(side, *, quantity="1", spent, received, venue="alpha", symbol="BTC/USDT"):
    return LegIntent(
        venue,
        symbol,
        side,
        D(quantity),
        D(1),
        expected_spent=D(spent),
        expected_received=D(received),
    )


def buy(*, traded=None, repairs=(), mode=FeeMode.RECEIVED, sent_cost=None, spent="50000"):
    plan = make_plan(Side.BUY, spent=spent, received="0.999")
    traded = traded or Traded(Side.BUY, D(1), D(50000), {"BTC": D("0.001")})
    return LegFacts(make_rules(mode=mode), plan, traded, repairs, sent_cost)


def sell(*, traded=None, repairs=()):
    plan = make_plan(Side.SELL, quantity="0.999", spent="0.999", received="50399.55", venue="beta")
    traded = traded or Traded(Side.SELL, D("0.999"), D(50450), {"USDT": D("50.45")})
    return LegFacts(make_rules("beta"), plan, traded, repairs)


def parts_of(found):
    values = (found.expected, found.dust, found.slippage, found.fees, found.completion)
    return (*values, found.latency or D(0), found.transfers, found.funding)


def test_legs_that_went_as_planned_leave_the_expected_profit_alone():
    # 0.999 BTC at 50500.5005… = 50450 less 0.1 % is what the plan counted on
    found = attribute(Case("USDT", D("399.55"), [buy(), sell()], MARKS))

    assert found.expected == found.total == D("399.55")
    assert parts_of(found)[1:] == (D(0),) * 7
    assert found.latency is None
    assert found.moved == {"USDT": D("399.55")}


def test_a_worse_price_and_a_higher_fee_are_told_apart_by_leg():
    traded = Traded(Side.SELL, D("0.999"), D(50440), {"USDT": D(60)})

    found = attribute(Case("USDT", D("399.55"), [buy(), sell(traded=traded)], MARKS))

    assert [leg.slippage for leg in found.legs] == [D(0), D(-10)]
    assert [leg.fees for leg in found.legs] == [D(0), D("-9.55")]
    assert found.completion == 0
    assert found.total == D(380) == found.expected + found.slippage + found.fees


def test_a_fee_that_came_in_another_coin_is_valued_at_its_mark():
    traded = Traded(Side.BUY, D(1), D(50000), {"BNB": D("0.05")})
    marks = MARKS | {"BNB": D(600)}

    found = attribute(Case("USDT", D("399.55"), [buy(traded=traded), sell()], marks))

    # 0.001 BTC was expected, worth 50; 0.05 BNB was taken, worth 30
    assert found.fees == D(20)
    assert found.total == value_movements(found.moved, marks) == D("419.55")


def test_what_has_no_mark_is_in_no_figure_and_named():
    traded = Traded(Side.BUY, D(1), D(50000), {"BNB": D("0.05")})

    found = attribute(Case("USDT", D("399.55"), [buy(traded=traded), sell()], MARKS))

    assert found.unpriced == ("BNB",)
    assert found.total == value_movements(found.moved, MARKS) == D("449.55")


def test_a_repair_costs_what_it_brought_less_than_the_plan():
    missed = Traded(Side.SELL)
    repair = Traded(Side.SELL, D("0.999"), D(50000), {"USDT": D(50)})

    found = attribute(
        Case("USDT", D("399.55"), [buy(), sell(traded=missed, repairs=[repair])], MARKS)
    )

    assert found.completion == D(49950) - D("50399.55")
    assert found.total == D(-50)


def test_a_leg_that_is_held_is_valued_at_the_mark():
    found = attribute(Case("USDT", D("399.55"), [buy(), sell(traded=Traded(Side.SELL))], MARKS))

    assert found.completion == D("0.999") * 50000 - D("50399.55")
    assert found.total == D("0.999") * 50000 - 50000


def test_nothing_filled_is_all_missed():
    legs = [buy(traded=Traded(Side.BUY)), sell(traded=Traded(Side.SELL))]

    found = attribute(Case("USDT", D("399.55"), legs, MARKS))

    assert (found.expected, found.completion, found.total) == (D("399.55"), D("-399.55"), D(0))


def test_what_the_plan_leaves_over_is_dust_at_the_mark():
    plan = make_plan(Side.SELL, quantity="0.99", spent="0.99", received="49945.5")
    traded = Traded(Side.SELL, D("0.99"), D("49995.4954954954954955"), {"USDT": D("49.9954954955")})

    found = attribute(
        Case("USDT", D("-54.5"), [buy(), LegFacts(make_rules("beta"), plan, traded)], MARKS)
    )

    assert found.dust == D("0.009") * 50000
    assert found.total == value_movements(found.moved, MARKS)


def test_a_book_at_sending_parts_latency_from_slippage():
    traded = Traded(Side.BUY, D(1), D(50030), {"BTC": D("0.001")})

    known = attribute(
        Case("USDT", D("399.55"), [buy(traded=traded, sent_cost=D(50010)), sell()], MARKS)
    )
    unknown = attribute(Case("USDT", D("399.55"), [buy(traded=traded), sell()], MARKS))

    assert (known.latency, known.slippage) == (D(-10), D(-20))
    assert (unknown.latency, unknown.slippage) == (None, D(-30))
    assert known.total == unknown.total


def test_what_else_was_booked_on_an_execution_has_parts_of_its_own():
    found = attribute(
        Case(
            "USDT",
            D("399.55"),
            [buy(), sell()],
            MARKS,
            transfers={"USDT": D(-1)},
            funding={"BTC": D("0.0001")},
        )
    )

    assert (found.transfers, found.funding) == (D(-1), D(5))
    assert found.total == D("403.55")


def test_a_fill_that_the_ledger_does_not_have_is_a_difference():
    moved, booked = {"USDT": D(5), "BTC": D(1)}, {"USDT": D(5), "ETH": D(2)}

    assert find_differences(moved, booked) == {"BTC": (D(1), D(0)), "ETH": (D(0), D(2))}
    assert find_differences(moved, dict(moved)) == {}


amounts = st.decimals(min_value=0, max_value=10**9, places=18)
prices = st.decimals(min_value=D("1e-12"), max_value=10**7, places=18)
sides = st.sampled_from(Side)


@st.composite
def trades(draw):
    coins = draw(st.lists(st.sampled_from(["BTC", "USDT", "ETH", "BNB"]), unique=True))
    fees = {coin: draw(st.decimals(min_value=-10, max_value=1000, places=18)) for coin in coins}
    return Traded(draw(sides), draw(amounts), draw(amounts), fees)


@st.composite
def legs(draw):
    symbol = draw(st.sampled_from(["BTC/USDT", "ETH/BTC", "ETH/USDT"]))
    rules = make_rules(
        symbol=symbol,
        fee=draw(st.sampled_from(["0", "0.001", "0.00075"])),
        mode=draw(st.sampled_from(FeeMode)),
    )
    side = draw(sides)
    plan = LegIntent(
        "alpha", symbol, side, draw(amounts) + 1, draw(prices), draw(amounts), draw(amounts)
    )
    planned = draw(trades())
    planned = Traded(side, planned.quantity, planned.cost, planned.fees)
    sent_cost = draw(st.none() | amounts)
    return LegFacts(rules, plan, planned, draw(st.lists(trades(), max_size=3)), sent_cost)


def net(leg):
    """Return what a leg moved, straight from its trades."""
    moved: dict[str, D] = {}

    def add(code, amount):
        moved[code] = moved.get(code, D(0)) + amount

    for traded in (leg.planned, *leg.repairs):
        sign = 1 if traded.side is Side.BUY else -1
        add(leg.rules.base, sign * traded.quantity)
        add(leg.rules.quote, -sign * traded.cost)
        for code, fee in traded.fees.items():
            add(code, -fee)
    return moved


@given(
    st.lists(legs(), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["BTC", "ETH", "BNB"]), prices),
    st.decimals(min_value=-1000, max_value=1000, places=18),
)
def test_whatever_happened_the_parts_add_up_to_what_was_moved_to_the_last_decimal(
    facts, marks, expected
):
    marks = {"USDT": D(1), **marks}
    moved: dict[str, D] = {}
    for leg in facts:
        for code, amount in net(leg).items():
            moved[code] = moved.get(code, D(0)) + amount

    found = attribute(Case("USDT", expected, facts, marks))

    assert find_differences(found.moved, {k: v for k, v in moved.items() if v}) == {}
    assert sum(parts_of(found)) == found.total == value_movements(moved, marks)
    assert sum(leg.slippage for leg in found.legs) == found.slippage
    assert all(part == part.quantize(D("1e-18")) for part in parts_of(found))
    assert set(found.unpriced) == {code for code, amount in moved.items() if amount} - set(marks)


def quoted(symbol, bid, ask):
    base, quote = symbol.split("/")
    book = make_book(symbol=symbol, bids=[(bid, 1)] if bid else [], asks=[(ask, 1)] if ask else [])
    return Quoted(base, quote, book)


def test_a_surplus_is_marked_at_the_bid_and_a_shortage_at_the_ask():
    markets = [quoted("BTC/USDT", 49990, 50010)]

    assert mark(markets, "USDT", {"BTC": D(1)}) == {"USDT": 1, "BTC": 49990}
    assert mark(markets, "USDT", {"BTC": D(-1)}) == {"USDT": 1, "BTC": 50010}


def test_marks_go_by_way_of_other_markets_and_against_their_direction():
    markets = [quoted("BTC/USDT", 40000, 50000), quoted("ETH/BTC", "0.05", "0.06")]

    assert mark(markets, "USDT", {})["ETH"] == D(2000)
    assert mark(markets, "BTC", {"USDT": D(1)})["USDT"] == D("0.00002")
    assert mark(markets, "BTC", {"USDT": D(-3)})["USDT"] == D("0.000025")


def test_a_book_without_the_side_that_counts_gives_no_mark():
    assert mark([quoted("BTC/USDT", None, 50000)], "USDT", {"BTC": D(1)}) == {"USDT": 1}
    assert mark([quoted("BTC/USDT", None, 50000)], "USDT", {"BTC": D(-1)})["BTC"] == 50000
    assert mark([], "USDT", {"BTC": D(1)}) == {"USDT": 1}


@pytest.mark.parametrize(("price", "kept"), [("0.1", "0.1"), ("1e-19", "0")])
def test_a_mark_has_no_more_decimals_than_the_books_keep(price, kept):
    assert storable(D(price)) == D(kept)
