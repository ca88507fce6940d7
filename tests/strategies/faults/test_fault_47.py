"""Limit prices are rounded to our advantage: a buy never up, a sell never down."""

from decimal import ROUND_CEILING, ROUND_FLOOR
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.decimals import ceil_to_step, floor_to_step, is_multiple
from markets.domain.orders import Side
from strategies.domain.edge import NO_FEE
from strategies.domain.limits import LimitedLeg, limit_prices
from tests.strategies.domain.test_quality import code_of, grounds_of, make_intent, make_leg

TICK = D("0.01")


def test_the_price_that_others_round_past_the_limit_stays_below_it():
    assert floor_to_step(D("60000.005"), TICK) == D("60000.00")
    assert ceil_to_step(D("60000.005"), TICK) == D("60000.01")


@given(st.decimals("0.02", "100000", places=2), st.decimals("0", "0.01", places=6))
def test_what_is_given_away_of_an_edge_is_never_exceeded_by_rounding(worst, edge):
    legs = [LimitedLeg(side, worst, NO_FEE, TICK) for side in (Side.BUY, Side.SELL)]

    buy, sell = limit_prices(legs, edge=edge, edge_kept=D(0), share=D(1))

    assert worst <= buy <= (worst * (1 + edge)).quantize(TICK, ROUND_FLOOR)
    assert (worst * (1 - edge)).quantize(TICK, ROUND_CEILING) <= sell <= worst


@pytest.mark.parametrize("price", ["100.005", "0.001"])
def test_a_price_off_the_grid_is_denied_rather_than_rounded(price):
    intent = make_intent(make_leg(limit_price=price))

    assert code_of(grounds_of(), intent) == "price_off_tick"
    assert not is_multiple(D(price), TICK)
