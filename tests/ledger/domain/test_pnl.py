"""What movements are worth, and what is not known."""

from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.pnl import (
    Quote,
    Valuation,
    choose_mid,
    derive_prices,
    net_by_asset,
    value_amounts,
    value_of,
)

amounts = st.decimals(D(-(10**9)), D(10**9), places=8)
prices = st.decimals(D("0.00000001"), D(10**6), places=8)
codes = st.sampled_from(["BTC", "ETH", "USDT", "SOL"])


def test_movements_that_cancel_out_are_left_out():
    pairs = [("BTC", D("0.1")), ("USDT", D(5)), ("BTC", D("-0.1"))]

    assert net_by_asset(pairs) == {"USDT": D(5)}


@given(pairs=st.lists(st.tuples(codes, amounts)))
def test_net_movements_agree_with_fractions(pairs):
    net = net_by_asset(pairs)

    for code in {code for code, _ in pairs}:
        exact = sum(Fraction(amount) for other, amount in pairs if other == code)
        assert Fraction(net.get(code, D(0))) == exact
    assert D(0) not in net.values()


def test_what_has_no_price_is_named_and_not_taken_for_zero():
    value = value_amounts(
        {"BTC": D("0.5"), "XYZ": D(7), "ABC": D(-1), "OLD": D(0)}, {"BTC": D(60_000)}
    )

    assert value == Valuation(D(30_000), ("ABC", "XYZ"))
    assert not value.is_complete


def test_a_valuation_without_gaps_is_complete():
    assert value_amounts({"BTC": D(1)}, {"BTC": D(3)}).is_complete
    assert value_amounts({}, {}) == Valuation(D(0), ())


@given(amount=amounts, price=prices)
def test_a_value_is_exact_or_just_below(amount, price):
    value = value_of(amount, price)

    assert value is not None
    gap = Fraction(amount) * Fraction(price) - Fraction(value)
    assert 0 <= gap < Fraction(1, 10**18)


@pytest.mark.parametrize(
    ("books", "mid"),
    [
        ([("99", "101")], "100"),
        ([("90", "110"), ("101", "103")], "102"),  # the closer one of two
        ([("99", "101"), ("198", "202")], "100"),  # equally close: the first
        ([("99", "101"), ("1", "3"), ("100", "102")], "100"),
        ([("99", "101"), ("900", "1100"), ("100", "102")], "101"),
        ([("99", "101"), ("1", "3"), ("900", "1100"), ("100", "102")], "100.5"),
    ],
)
def test_a_pair_is_worth_what_most_books_say(books, mid):
    assert choose_mid([Quote(D(bid), D(ask)) for bid, ask in books]) == D(mid)


@given(
    honest=st.lists(st.decimals(D(99), D(101), places=2), min_size=2, max_size=4),
    lie=st.decimals(D("0.01"), D(10**6), places=2),
    place=st.integers(0, 4),
)
def test_one_book_that_is_off_moves_no_price_out_of_what_the_others_say(honest, lie, place):
    said = [*honest[:place], lie, *honest[place:]]

    mid = choose_mid([Quote(each - D("0.001"), each + D("0.001")) for each in said])

    assert min(honest) <= mid <= max(honest)


def test_prices_come_from_direct_markets_both_ways_round():
    found = derive_prices({("BTC", "USDT"): D(60_000), ("USDT", "BRL"): D(5)}, "USDT")

    assert found == {
        "USDT": (D(1), ""),
        "BTC": (D(60_000), "BTC/USDT"),
        "BRL": (D("0.2"), "USDT/BRL"),
    }


def test_an_asset_without_a_direct_market_is_priced_by_way_of_another():
    found = derive_prices({("BTC", "USDT"): D(60_000), ("SOL", "BTC"): D("0.002")}, "USDT")

    assert found["SOL"] == (D(120), "SOL/BTC BTC/USDT")


def test_a_direct_market_goes_before_a_detour():
    mids = {("SOL", "BTC"): D("0.002"), ("BTC", "USDT"): D(60_000), ("SOL", "USDT"): D(121)}

    assert derive_prices(mids, "USDT")["SOL"] == (D(121), "SOL/USDT")


def test_what_is_not_connected_has_no_price():
    assert "XYZ" not in derive_prices({("XYZ", "ABC"): D(1)}, "USDT")


def test_a_connection_that_is_too_long_is_not_used():
    chain = {("A", "USDT"): D(2), ("B", "A"): D(2), ("C", "B"): D(2), ("D", "C"): D(2)}

    assert derive_prices(chain, "USDT").keys() == {"USDT", "A", "B", "C"}


@pytest.mark.parametrize("absurd", ["1e22", "1e60", "1e-19", "1e-60"])
def test_a_price_that_cannot_be_kept_takes_no_other_with_it(absurd):
    mids = {("BTC", "USDT"): D(60_000), ("JUNK", "USDT"): D(absurd), ("USDT", "TINY"): D(absurd)}

    found = derive_prices(mids, "USDT")

    assert found["BTC"] == (D(60_000), "BTC/USDT")
    assert "JUNK" not in found
    assert all(D("1e-18") <= price < D("1e22") for price, _path in found.values())


@pytest.mark.parametrize("absurd", ["1e22", "1e60", "1e-19", "1e-60"])
def test_nothing_is_priced_by_way_of_a_price_that_cannot_be_kept(absurd):
    mids = {("JUNK", "USDT"): D(absurd), ("SOL", "JUNK"): 100 / D(absurd)}

    assert derive_prices(mids, "USDT").keys() == {"USDT"}


@pytest.mark.parametrize("amount", ["2e21", "-2e21", "9e21"])
@pytest.mark.parametrize("price", ["5", "9e21"])
def test_a_value_that_cannot_be_kept_is_none_and_takes_no_other_with_it(amount, price):
    value = value_amounts({"JUNK": D(amount), "BTC": D(2)}, {"JUNK": D(price), "BTC": D(60_000)})

    assert value == Valuation(D(120_000), ("JUNK",))
    assert value_of(D(amount), D(price)) is None


def test_a_total_that_cannot_be_kept_leaves_out_what_makes_it_so():
    almost = D("9e21")

    assert value_amounts({"A": almost, "B": almost}, {"A": D(1), "B": D(1)}) == Valuation(
        almost, ("B",)
    )


@pytest.mark.parametrize("mid", ["3", "7", "0.3"])
def test_an_inverse_price_is_rounded_down(mid):
    price, _path = derive_prices({("USDT", "X"): D(mid)}, "USDT")["X"]

    assert 0 <= 1 / Fraction(mid) - Fraction(price) < Fraction(1, 10**18)
