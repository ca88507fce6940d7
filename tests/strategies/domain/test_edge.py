from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from strategies.domain.edge import (
    NO_FEE,
    PricedLeg,
    cross_venue_edge,
    effective_price,
    fee_factors,
    round_trip_edge,
    round_trip_rate,
)
from tests.strategies.builders import cash_flows

FEE = D("0.001")
prices = st.decimals(min_value=D("0.01"), max_value=D(100_000), places=2)
fees = st.builds(
    FeeSchedule,
    maker=st.just(D(0)),
    taker=st.decimals(min_value=0, max_value=D("0.01"), places=4),
    mode=st.sampled_from(FeeMode),
)


@pytest.mark.parametrize(
    ("mode", "side", "expected"),
    [
        (FeeMode.QUOTE, Side.BUY, D(100) * (1 + FEE)),
        (FeeMode.QUOTE, Side.SELL, D(100) * (1 - FEE)),
        (FeeMode.RECEIVED, Side.BUY, D(100) / (1 - FEE)),
        (FeeMode.RECEIVED, Side.SELL, D(100) * (1 - FEE)),
        (FeeMode.GIVEN, Side.BUY, D(100) * (1 + FEE)),
        (FeeMode.GIVEN, Side.SELL, D(100) / (1 + FEE)),
    ],
)
def test_a_net_base_unit_costs_or_brings_what_the_fee_mode_says(mode, side, expected):
    factors = fee_factors(FeeSchedule(maker=D(0), taker=FEE, mode=mode), side)

    assert effective_price(D(100), side, factors) == expected


@given(price=prices, quantity=prices, fee=fees, side=st.sampled_from(Side))
def test_factors_give_the_cash_flows_of_a_trade(price, quantity, fee, side):
    factors = fee_factors(fee, side)

    spent, received, _ = cash_flows([(price, quantity)], side, fee, quantity)

    plain_out, plain_in = price * quantity, quantity
    if side is Side.SELL:
        plain_out, plain_in = plain_in, plain_out
    assert (plain_out * factors.spend, plain_in * factors.receive) == (spent, received)


@given(price=prices, fee=fees, side=st.sampled_from(Side))
def test_a_fee_never_helps(price, fee, side):
    effective = effective_price(price, side, fee_factors(fee, side))

    assert effective >= price if side is Side.BUY else effective <= price


def test_fees_multiply_and_are_not_added():
    factors = fee_factors(FeeSchedule(maker=D(0), taker=FEE), Side.SELL)
    legs = [PricedLeg(Side.SELL, D("1.0033"), factors)] + [PricedLeg(Side.SELL, D(1), factors)] * 2

    rate = round_trip_rate(legs)

    assert rate == D("1.0033") * D("0.999") ** 3
    assert rate < D("1.0033") - 3 * FEE, "adding the fees would report an edge that is not there"


@given(ask=prices, bid=prices, buy_fee=fees, sell_fee=fees)
def test_cross_venue_edge_is_the_profit_per_amount_spent(ask, bid, buy_fee, sell_fee):
    edge = cross_venue_edge(buy_ask=ask, sell_bid=bid, buy_fees=buy_fee, sell_fees=sell_fee)

    cost = effective_price(ask, Side.BUY, fee_factors(buy_fee, Side.BUY))
    proceeds = effective_price(bid, Side.SELL, fee_factors(sell_fee, Side.SELL))
    assert abs(edge.net_bps - (proceeds / cost - 1) * 10_000) < D("1e-40")
    assert abs(edge.gross_bps - (bid / ask - 1) * 10_000) < D("1e-40")
    assert edge.fees_bps == edge.gross_bps - edge.net_bps >= 0


def test_the_same_price_on_both_sides_loses_both_fees():
    fee = FeeSchedule(maker=D(0), taker=FEE)

    edge = cross_venue_edge(buy_ask=D(100), sell_bid=D(100), buy_fees=fee, sell_fees=fee)

    assert edge.gross_bps == 0
    assert edge.net_bps == (D("0.999") * D("0.999") - 1) * 10_000


def test_a_wrong_side_turns_an_edge_into_a_loss():
    right = [PricedLeg(Side.BUY, D(100), NO_FEE), PricedLeg(Side.SELL, D(101), NO_FEE)]
    wrong = [PricedLeg(Side.BUY, D(101), NO_FEE), PricedLeg(Side.SELL, D(100), NO_FEE)]

    assert round_trip_edge(right).net_bps == 100
    assert round_trip_edge(wrong).net_bps < 0
