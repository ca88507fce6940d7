from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.orders import Side
from strategies.domain.ladder import Ladder, build_ladder
from tests.strategies.builders import make_levels, walk

sizes = st.decimals(min_value=D("0.01"), max_value=D(10), places=2)
steps = st.integers(min_value=0, max_value=500)


@st.composite
def asks(draw):
    price = D(10_000)
    levels = []
    for step in draw(st.lists(steps, min_size=1, max_size=6)):
        price += step
        levels.append((price, draw(sizes)))
    return levels


@given(levels=asks(), share=st.integers(min_value=0, max_value=100))
def test_notional_and_worst_price_are_those_of_a_walk(levels, share):
    ladder = Ladder(levels)
    quantity = ladder.depth * share / 100

    notional, worst = walk(levels, quantity)

    assert ladder.notional(quantity) == notional
    if quantity:
        assert ladder.worst_price(quantity) == worst


@given(levels=asks(), share=st.integers(min_value=0, max_value=100))
def test_quantity_worth_undoes_notional(levels, share):
    ladder = Ladder(levels)
    quantity = ladder.depth * share / 100

    assert abs(ladder.quantity_worth(ladder.notional(quantity)) - quantity) < D("1e-40")


def test_more_money_than_the_book_takes_buys_the_book():
    ladder = Ladder([(D(10), D(1)), (D(11), D(2))])

    assert ladder.quantity_worth(D(33)) == 3
    assert ladder.quantity_within(D(34)) == 3


def test_an_empty_ladder_offers_nothing():
    ladder = Ladder([])

    assert {ladder.depth, ladder.quantity_worth(D(5)), ladder.quantity_within(D(5))} == {D(0)}


@given(levels=asks(), budget=st.decimals(min_value=0, max_value=D(400_000), places=2))
def test_quantity_within_is_the_largest_order_payable_at_its_worst_price(levels, budget):
    ladder = Ladder(levels)

    largest = ladder.quantity_within(budget)

    grid = [ladder.depth * n / 500 for n in range(1, 501)]
    payable = [q for q in grid if q * ladder.worst_price(q) <= budget]
    assert largest >= max(payable, default=D(0))
    if largest:
        assert largest * ladder.worst_price(largest) <= budget + D("1e-40")


@given(levels=asks(), share=st.integers(min_value=0, max_value=120))
def test_up_to_keeps_the_cheapest_part(levels, share):
    ladder = Ladder(levels)
    quantity = ladder.depth * share / 100

    part = ladder.up_to(quantity)

    assert part.depth == min(quantity, ladder.depth)
    assert part.notional(part.depth) == ladder.notional(part.depth)


@pytest.mark.parametrize(("side", "expected"), [(Side.BUY, D("10.05")), (Side.SELL, D("10.00"))])
def test_a_level_off_the_grid_counts_at_the_next_worse_price(side, expected):
    ladder = build_ladder(make_levels([("10.01", 1)]), side=side, tick=D("0.05"))

    assert list(ladder.prices) == [expected]


def test_levels_without_price_or_quantity_are_left_out():
    levels = make_levels([("0.004", 5), (10, 0), (9, 2)])

    ladder = build_ladder(levels, side=Side.SELL, tick=D("0.01"))

    assert (list(ladder.prices), ladder.depth) == ([D(9)], D(2))


def test_only_the_share_of_each_level_within_the_depth_is_counted_on():
    levels = make_levels([(10, 4), (11, 6), (12, 8)])

    ladder = build_ladder(levels, side=Side.BUY, tick=D(1), share=D("0.5"), depth=2)

    assert (list(ladder.prices), list(ladder.quantities)) == ([D(10), D(11)], [D(2), D(5)])


def test_levels_behind_what_is_enough_are_left_out():
    levels = make_levels([("100", "1"), ("101", "2"), ("102", "3")])

    ladder = build_ladder(
        levels, side=Side.BUY, tick=D(1), share=D("0.5"), enough=lambda _price, total: total > 1
    )

    assert list(ladder.prices) == [100, 101], "1.5 of them is more than 1, 0.5 is not"
    assert ladder.depth == D("1.5")
