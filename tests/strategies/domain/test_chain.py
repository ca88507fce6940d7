from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from strategies.domain.chain import Chain, ChainLeg, coarsest
from strategies.domain.edge import NO_FEE, Factors, fee_factors
from strategies.domain.ladder import Ladder
from tests.strategies.builders import cash_flows

LOTS_MAX = 30

factors = st.builds(
    fee_factors,
    st.builds(
        FeeSchedule,
        maker=st.just(D(0)),
        taker=st.sampled_from([D(0), D("0.001"), D("0.03")]),
        mode=st.sampled_from(FeeMode),
    ),
    st.sampled_from(Side),
)


@st.composite
def legs(draw, side=None, mid=100):
    side = side or draw(st.sampled_from(Side))
    sign = 1 if side is Side.BUY else -1
    price, levels = D(mid), []
    for step in draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)):
        price += sign * step
        levels.append((price, D(draw(st.integers(1, 40))) / 10))
    return ChainLeg(
        side=side,
        ladder=Ladder(levels),
        factors=draw(factors),
        lot=draw(st.sampled_from([D("0.1"), D("0.3"), D("0.5"), D("0.7")])),
        quantity_min=draw(st.sampled_from([D(0), D("0.4"), D(1)])),
        notional_min=draw(st.sampled_from([D(0), D(30), D(120)])),
        funds=draw(st.sampled_from([D(0), D(5), D(1000)])),
    )


def allowed_lots(leg: ChainLeg) -> list[int]:
    """Every lot count that the leg may trade, by looking at each."""
    found = []
    for lots in range(1, 200):
        quantity = lots * leg.lot
        if quantity > leg.ladder.depth or quantity < leg.quantity_min:
            continue
        if quantity * leg.ladder.worst_price(quantity) >= leg.notional_min:
            found.append(lots)
    return found


@given(leg=legs(), lots=st.integers(-1, LOTS_MAX))
def test_lots_from_and_to_are_the_nearest_allowed_ones(leg, lots):
    allowed = allowed_lots(leg)

    assert leg.lots_from(lots) == min((n for n in allowed if n >= lots), default=None)
    assert leg.lots_to(lots) == max((n for n in allowed if n <= lots), default=None)


@given(leg=legs(), amount=st.decimals(min_value=0, max_value=500, places=2))
def test_lots_bringing_are_the_fewest_that_bring_enough(leg, amount):
    enough = [n for n in allowed_lots(leg) if leg.received(n * leg.lot) >= amount]

    assert leg.lots_bringing(amount) == min(enough, default=None)


@given(leg=legs(), amount=st.decimals(min_value=0, max_value=500, places=2))
def test_lots_within_are_the_most_that_can_be_paid(leg, amount):
    payable = [n for n in allowed_lots(leg) if leg.needs(n * leg.lot) <= amount]

    assert leg.lots_within(amount) == max(payable, default=None)


@given(leg=legs(), lots=st.integers(1, LOTS_MAX))
def test_amounts_that_fit_lots_exactly_are_not_rounded_away(leg, lots):
    if leg.lots_from(lots) != lots:
        return
    quantity = lots * leg.lot

    assert leg.lots_bringing(leg.received(quantity)) == lots
    assert leg.lots_within(leg.needs(quantity)) == lots


@given(
    levels=st.lists(st.tuples(st.just(D(10)), st.integers(1, 5).map(D)), min_size=1, max_size=3),
    side=st.sampled_from(Side),
    mode=st.sampled_from(FeeMode),
    lots=st.integers(1, 5),
)
def test_spent_and_received_are_the_cash_flows_of_the_order(levels, side, mode, lots):
    fees = FeeSchedule(maker=D(0), taker=D("0.001"), mode=mode)
    ladder = Ladder(levels)
    quantity = min(D(lots), ladder.depth)
    leg = ChainLeg(side, ladder, fee_factors(fees, side), lot=D(1))

    spent, received, worst = cash_flows(levels, side, fees, quantity)

    assert (leg.spent(quantity), leg.received(quantity)) == (spent, received)
    locked = quantity if side is Side.SELL else quantity * worst
    assert leg.set_aside(quantity) == locked * leg.factors.spend


def test_a_buy_needs_what_the_venue_sets_aside_unless_funds_cover_it():
    ladder = Ladder([(D(100), D(1)), (D(110), D(1))])
    poor = ChainLeg(Side.BUY, ladder, NO_FEE, lot=D(1))
    rich = ChainLeg(Side.BUY, ladder, NO_FEE, lot=D(1), funds=D(10))

    assert poor.needs(D(2)) == 220, "two at the limit price of 110"
    assert rich.needs(D(2)) == 210, "what it costs: the account lends the rest"
    assert (poor.lots_within(D(215)), rich.lots_within(D(215))) == (1, 2)


def test_a_sell_that_falls_below_the_least_notional_in_a_worse_level_is_made_larger_or_smaller():
    ladder = Ladder([(D(10), D(1)), (D(5), D(9))])
    leg = ChainLeg(Side.SELL, ladder, NO_FEE, lot=D("0.5"), notional_min=D(10))

    assert leg.lots_from(3) == 4, "1.5 at 5 is 7.5: two units are needed"
    assert leg.lots_to(3) == 2, "one unit at 10 is just enough"


@given(
    levels=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=4),
    side=st.sampled_from(Side),
    minima=st.tuples(st.integers(0, 3), st.integers(0, 40)),
    lots=st.integers(1, 12),
)
def test_lots_are_allowed_when_none_more_are_needed(levels, side, minima, lots):
    steps = sorted(levels, reverse=side is Side.SELL)
    ladder = Ladder((D(price), D(size)) for price, size in steps)
    leg = ChainLeg(side, ladder, NO_FEE, D("1.5"), D(minima[0]), D(minima[1]))

    assert leg.allows(lots) is (leg.lots_from(lots) == lots)


def test_the_coarsest_lot_is_measured_at_the_start_of_the_chain():
    buy_btc = ChainLeg(Side.BUY, Ladder([(D(60_000), D(1))]), NO_FEE, lot=D("0.00001"))
    buy_eth = ChainLeg(Side.BUY, Ladder([(D("0.05"), D(10))]), NO_FEE, lot=D("0.1"))
    sell_eth = ChainLeg(Side.SELL, Ladder([(D(3_000), D(10))]), NO_FEE, lot=D("0.0001"))

    assert coarsest([buy_btc, buy_eth, sell_eth]) == 1, "0.1 ETH is worth 300, the others < 1"


@st.composite
def chains(draw):
    """Three legs that may earn: buy near 10, buy near 10, sell near 103."""
    first = draw(legs(side=Side.BUY, mid=10))
    second = draw(legs(side=Side.BUY, mid=10))
    third = draw(legs(side=Side.SELL, mid=draw(st.integers(90, 130))))
    return Chain(
        legs=(first, second, third),
        pivot=draw(st.integers(0, 2)),
        edge_min=draw(st.sampled_from([D(0), D("0.02")])),
    )


@given(chain=chains(), lots=st.integers(1, LOTS_MAX))
def test_no_flow_earns_more_than_its_ceiling(chain, lots):
    flow, ceiling = chain.flow(lots), chain.ceiling(lots)

    if flow is not None:
        assert ceiling is not None
        assert flow.profit <= ceiling + D("1e-40")


@given(chain=chains())
def test_the_ceiling_is_concave_and_has_no_holes(chain):
    ceilings = [chain.ceiling(lots) for lots in range(1, 60)]

    known = [n for n, ceiling in enumerate(ceilings) if ceiling is not None]
    assert known == list(range(known[0], known[-1] + 1)) if known else True
    for n in known[1:-1]:
        assert 2 * ceilings[n] >= ceilings[n - 1] + ceilings[n + 1] - D("1e-40")


@given(chain=chains(), lots=st.integers(1, LOTS_MAX))
def test_flows_exist_only_in_the_range_of_the_pivot(chain, lots):
    if chain.flow(lots) is not None:
        assert lots in chain.range_of_pivot()


@given(chain=chains(), lots=st.integers(1, LOTS_MAX))
def test_every_leg_of_a_flow_is_paid_by_the_one_before(chain, lots):
    flow = chain.flow(lots)

    if flow is None:
        return
    assert flow.lots[chain.pivot] == lots
    assert all(leftover >= 0 for leftover in flow.leftovers)
    for leg, count in zip(chain.legs, flow.lots, strict=True):
        assert count in allowed_lots(leg)
    for before, after, quantity in zip(
        flow.received[:-1], chain.legs[1:], flow.quantities[1:], strict=True
    ):
        assert after.needs(quantity) <= before
    assert flow.profit == flow.received[-1] - flow.spent[0]


@pytest.mark.parametrize("pivot", [0, 1])
def test_a_fee_between_two_legs_leaves_room_for_its_rounding(pivot):
    fee = Factors(D(1), D("0.9"))
    buy = ChainLeg(Side.BUY, Ladder([(D(1), D(100))]), fee, lot=D("0.00000001"))
    sell = ChainLeg(Side.SELL, Ladder([(D(2), D(100))]), NO_FEE, lot=D("0.00000001"))
    chain = Chain((buy, sell), pivot)

    flow: Any = chain.flow(1_000_000_000)

    assert D("1e-7") <= flow.leftovers[0] < D("1.2e-7")


def test_leftovers_count_what_they_are_worth_and_are_bounded():
    buy = ChainLeg(Side.BUY, Ladder([(D(100), D(10))]), NO_FEE, lot=D(1))
    sell = ChainLeg(Side.SELL, Ladder([(D(110), D(10))]), NO_FEE, lot=D("0.75"))
    chain = Chain((buy, sell), 1, leftover_values=(D(99),))

    flow: Any = chain.flow(1)

    assert (flow.quantities, flow.leftovers, flow.leftover_value) == (
        (1, D("0.75")),
        (D("0.25"),),
        D("24.75"),
    )
    assert flow.profit == D("82.5") - 100 + D("24.75")
    strict = Chain((buy, sell), 1, leftover_values=(D(99),), dust_max=D("0.2"))
    assert strict.flow(1) is None, "a quarter of a unit is no dust"
    assert strict.flow(4) is not None, "three units fit exactly"


def test_the_ceiling_counts_what_no_later_leg_takes():
    buy = ChainLeg(Side.BUY, Ladder([(D(100), D(10))]), NO_FEE, lot=D(1))
    sell = ChainLeg(Side.SELL, Ladder([(D(110), D(2))]), NO_FEE, lot=D(1))
    chain = Chain((buy, sell), 0, leftover_values=(D(99),))

    assert [chain.ceiling(lots) for lots in (1, 2, 3, 4)] == [10, 20, 19, 18]
    assert chain.ceiling(11) is None, "more than the book holds"


def test_a_chain_whose_later_leg_takes_nothing_has_no_range():
    buy = ChainLeg(Side.BUY, Ladder([(D(100), D(10))]), NO_FEE, lot=D(1))
    blocked = ChainLeg(Side.SELL, Ladder([(D(110), D(1))]), NO_FEE, lot=D(2))

    assert not Chain((buy, blocked), 0).range_of_pivot()
    assert not Chain((blocked, buy), 1).range_of_pivot()


def test_a_chain_whose_pivot_cannot_feed_the_next_leg_has_no_range():
    small = ChainLeg(Side.BUY, Ladder([(D(100), D(1))]), NO_FEE, lot=D("0.1"))
    large = ChainLeg(Side.SELL, Ladder([(D(110), D(9))]), NO_FEE, lot=D(1), quantity_min=D(5))

    assert not Chain((small, large), 0).range_of_pivot()


def test_a_chain_whose_middle_leg_cannot_feed_the_last_has_no_range():
    first = ChainLeg(Side.BUY, Ladder([(D(1), D(100))]), NO_FEE, lot=D(1))
    middle = ChainLeg(Side.BUY, Ladder([(D(1), D(2))]), NO_FEE, lot=D(1))
    last = ChainLeg(Side.SELL, Ladder([(D(2), D(9))]), NO_FEE, lot=D(1), quantity_min=D(5))

    assert not Chain((first, middle, last), 0).range_of_pivot()
