from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.decimals import is_multiple
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from strategies.domain.edge import NO_FEE, PricedLeg, fee_factors, round_trip_rate
from strategies.domain.limits import LimitedLeg, limit_prices

TICK = D("0.01")


def buy(price, bound=None):
    return LimitedLeg(Side.BUY, D(price), NO_FEE, TICK, bound=bound)


def sell(price, bound=None):
    return LimitedLeg(Side.SELL, D(price), NO_FEE, TICK, bound=bound)


@st.composite
def round_trips(draw):
    legs = []
    for side in (Side.BUY, draw(st.sampled_from(Side)), Side.SELL)[: draw(st.integers(2, 3))]:
        fees = FeeSchedule(D(0), draw(st.sampled_from([D(0), D("0.001")])), FeeMode.RECEIVED)
        price = D(draw(st.integers(9_000, 11_000))) / 100
        legs.append(LimitedLeg(side, price, fee_factors(fees, side), TICK))
    return legs


def rate_at(legs, prices):
    return round_trip_rate(
        PricedLeg(leg.side, price, leg.factors) for leg, price in zip(legs, prices, strict=True)
    )


@given(
    legs=round_trips(),
    better=st.decimals(min_value=0, max_value=D("0.01"), places=4),
    kept=st.decimals(min_value=0, max_value=D("0.01"), places=4),
    share=st.decimals(min_value=0, max_value=1, places=2),
)
def test_even_at_the_limits_the_kept_part_of_the_edge_remains(legs, better, kept, share):
    worst = [leg.worst_price for leg in legs]
    edge = rate_at(legs, worst) - 1 + better

    limits = limit_prices(legs, edge=edge, edge_kept=kept, share=share)

    for leg, limit in zip(legs, limits, strict=True):
        assert is_multiple(limit, TICK)
        assert limit >= leg.worst_price if leg.side is Side.BUY else limit <= leg.worst_price
    if list(limits) != worst:
        floor = 1 + max(kept, (1 - share) * edge)
        assert rate_at(legs, limits) >= floor - D("1e-40")


def test_half_of_the_edge_is_spread_over_both_legs():
    limits = limit_prices([buy(100), sell(102)], edge=D("0.02"), edge_kept=D(0), share=D("0.5"))

    assert limits == (D("100.49"), D("101.50"))


def test_nothing_is_given_away_when_no_share_may_be():
    limits = limit_prices([buy(100), sell(102)], edge=D("0.02"), edge_kept=D(0), share=D(0))

    assert limits == (D(100), D(102))


def test_nothing_is_given_away_below_the_least_edge():
    limits = limit_prices([buy(100), sell(102)], edge=D("0.02"), edge_kept=D("0.02"), share=D(1))

    assert limits == (D(100), D(102))


def test_worst_levels_beyond_break_even_stay_as_they_are():
    """The last lot of a walk may earn nothing by itself while the whole earns well."""
    limits = limit_prices([buy(102), sell(100)], edge=D("0.02"), edge_kept=D(0), share=D(1))

    assert limits == (D(102), D(100))


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ([buy(100, bound=D("100.209")), sell(102)], (D("100.20"), D("101.50"))),
        ([buy(100), sell(102, bound=D("101.801"))], (D("100.49"), D("101.81"))),
        ([buy(100, bound=D("99.99")), sell(102, bound=D("102.01"))], (100, 102)),
    ],
)
def test_limits_do_not_pass_what_can_be_paid_or_what_the_venue_accepts(legs, expected):
    assert limit_prices(legs, edge=D("0.02"), edge_kept=D(0), share=D("0.5")) == expected
