"""How large the next leg is."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.reservations import most_spent
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.intents import LegIntent
from strategies.domain.legs import next_quantity, spent_asset


def make_rules(
    *, lot="0.001", quantity_min="0.001", notional_min="0", mode=FeeMode.RECEIVED, fee="0.001"
):
    return MarketRules(
        venue="alpha",
        symbol="ETH/BTC",
        base="ETH",
        quote="BTC",
        tick=D("0.00001"),
        lot=D(lot),
        quantity_min=D(quantity_min),
        quantity_max=None,
        notional_min=D(notional_min),
        fees=FeeSchedule(maker=D(fee), taker=D(fee), mode=mode),
    )


def make_leg(side=Side.BUY, *, quantity="2", price="0.05", spent=None):
    expected = D(quantity) * D(price) if side is Side.BUY else D(quantity)
    return LegIntent(
        venue="alpha",
        symbol="ETH/BTC",
        side=side,
        quantity=D(quantity),
        limit_price=D(price),
        expected_spent=expected if spent is None else D(spent),
        expected_received=D(0),
    )


@pytest.mark.parametrize(("side", "asset"), [(Side.BUY, "BTC"), (Side.SELL, "ETH")])
def test_a_buy_spends_the_quote_and_a_sell_the_base(side, asset):
    assert spent_asset(make_leg(side), make_rules()) == asset


def test_a_leg_is_ordered_as_planned_when_all_that_it_counted_on_arrived():
    quantity = next_quantity(leg=make_leg(), rules=make_rules(), arrived=D("0.1"), free=D(1))

    assert quantity == D(2)


def test_a_leg_does_not_grow_when_more_arrived_than_was_expected():
    quantity = next_quantity(leg=make_leg(), rules=make_rules(), arrived=D("0.2"), free=D(1))

    assert quantity == D(2)


def test_a_leg_shrinks_in_proportion_to_what_arrived_down_to_the_lot():
    # 0.0333 of 0.1 BTC buy a third of 2 ETH: 0.666, floored to 0.66 by a lot of 0.01
    quantity = next_quantity(
        leg=make_leg(), rules=make_rules(lot="0.01"), arrived=D("0.0333"), free=D(1)
    )

    assert quantity == D("0.66")


def test_a_share_that_is_an_exact_multiple_of_the_lot_loses_nothing_to_division():
    # 0.5 / 0.75 has no end, 0.75 * 0.5 / 0.75 has
    quantity = next_quantity(
        leg=make_leg(Side.SELL, quantity="0.75"),
        rules=make_rules(lot="0.5"),
        arrived=D("0.5"),
        free=D(1),
    )

    assert quantity == D("0.5")


@pytest.mark.parametrize(
    ("side", "mode", "free", "expected"),
    [
        # a venue sets aside quantity x limit price for a buy
        (Side.BUY, FeeMode.RECEIVED, "0.05", "1"),
        (Side.SELL, FeeMode.RECEIVED, "1", "1"),
        # and the fee as well when it is taken on top
        (Side.BUY, FeeMode.GIVEN, "0.055", "1"),
        (Side.BUY, FeeMode.QUOTE, "0.055", "1"),
        (Side.SELL, FeeMode.GIVEN, "1.1", "1"),
        (Side.SELL, FeeMode.QUOTE, "1", "1"),
    ],
)
def test_a_leg_shrinks_to_what_the_account_can_pay(side, mode, free, expected):
    quantity = next_quantity(
        leg=make_leg(side), rules=make_rules(mode=mode, fee="0.1"), arrived=D(9), free=D(free)
    )

    assert quantity == D(expected)


@pytest.mark.parametrize(
    ("rules", "arrived"),
    [
        (make_rules(), "0"),
        (make_rules(), "-0.01"),
        (make_rules(lot="0.5"), "0.01"),  # a fifth of an ETH is below one lot
        (make_rules(quantity_min="1"), "0.04"),
        (make_rules(notional_min="0.05"), "0.04"),
    ],
)
def test_there_is_no_next_leg_when_too_little_is_left_for_the_venue(rules, arrived):
    assert next_quantity(leg=make_leg(), rules=rules, arrived=D(arrived), free=D(1)) is None


def test_the_smallest_order_that_a_venue_takes_is_still_sent():
    rules = make_rules(quantity_min="1", notional_min="0.05")

    assert next_quantity(leg=make_leg(), rules=rules, arrived=D("0.05"), free=D(1)) == D(1)


def test_a_leg_that_was_planned_to_cost_nothing_keeps_its_quantity():
    leg = make_leg(spent="0")

    assert next_quantity(leg=leg, rules=make_rules(), arrived=D(0), free=D(1)) == D(2)


amounts = st.decimals(min_value=D("0.001"), max_value=D(1000), places=6)


@given(
    side=st.sampled_from(Side),
    mode=st.sampled_from(FeeMode),
    planned=st.integers(min_value=1, max_value=10**6),
    lot=st.sampled_from(["0.001", "0.01", "0.25", "1"]),
    price=amounts,
    spent=amounts,
    arrived=amounts,
    free=amounts,
)
def test_a_next_leg_is_on_the_grid_within_the_plan_and_affordable(
    *, side, mode, planned, lot, price, spent, arrived, free
):
    leg = make_leg(side, quantity=str(planned * D(lot)), price=str(price), spent=str(spent))
    rules = make_rules(lot=lot, quantity_min=lot, mode=mode)

    quantity = next_quantity(leg=leg, rules=rules, arrived=arrived, free=free)

    # counted down: the largest multiple of the lot that breaks no rule
    per_base = (price if side is Side.BUY else 1) * (
        D("1.001") if mode is FeeMode.GIVEN or (mode is FeeMode.QUOTE and side is Side.BUY) else 1
    )

    def fits(lots):
        is_covered = arrived >= spent or lots * D(lot) * spent <= planned * D(lot) * arrived
        return is_covered and lots * D(lot) * per_base <= free

    lots = min(planned, int(free / per_base / D(lot)))
    if arrived < spent:
        lots = min(lots, int(planned * arrived / spent) + 1)
    while lots and not fits(lots):
        lots -= 1
    assert (quantity or 0) == lots * D(lot)


@pytest.mark.parametrize(("maker", "taker"), [("0.002", "0.001"), ("0", "-0.001")])
def test_a_leg_is_no_larger_than_what_is_set_aside_for_it_allows(maker, taker):
    fees = FeeSchedule(D(maker), D(taker), FeeMode.QUOTE)
    rules = replace(make_rules(), fees=fees)
    free = D("0.1")

    quantity = next_quantity(leg=make_leg(), rules=rules, arrived=free, free=free)

    assert quantity is not None
    spent = most_spent(side=Side.BUY, quantity=quantity, price=D("0.05"), fees=fees)
    assert spent is not None
    assert spent <= free < spent + D("0.0002")
