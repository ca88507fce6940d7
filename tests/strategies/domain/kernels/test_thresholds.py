"""At the very edge: what earns exactly the least that is demanded is nominated."""

from decimal import Decimal as D

from hypothesis import assume, given
from hypothesis import strategies as st

from arbplatform.core.decimals import ONE
from markets.domain.fees import FeeMode
from markets.domain.orders import Side
from strategies.domain.cycles import CycleIndex, Market
from strategies.domain.edge import PricedLeg, fee_factors, round_trip_rate
from strategies.domain.kernels.nominators import CycleNominator, PairNominator, Watch
from strategies.domain.kernels.rates import least_rate
from strategies.domain.view import MarketKey
from tests.strategies.builders import make_rules

PRICES = st.builds(
    lambda digits, places: D(digits).scaleb(-places),
    st.integers(1, 10**15),
    st.integers(0, 18),
)
"""From 1e-18 to 1e15, with up to fifteen digits: more than a float tells apart in products."""
FEES = st.sampled_from(["0", "0.0001", "0.00075", "0.001", "0.02", "-0.0002"])
MODES = st.sampled_from(list(FeeMode))
ASSETS = "ABCDE"


def exact_rate(rules, sides, prices):
    return round_trip_rate(
        PricedLeg(side, price, fee_factors(item.fees, side))
        for item, side, price in zip(rules, sides, prices, strict=True)
    )


def threshold_of(rate):
    assume(rate >= ONE)  # nobody demands a loss
    return least_rate(edge_min=rate - ONE, profit_min=D(0), spend_max=ONE)


@given(
    prices=st.lists(PRICES, min_size=2, max_size=2),
    fees=st.lists(FEES, min_size=2, max_size=2),
    modes=st.lists(MODES, min_size=2, max_size=2),
)
def test_a_pair_that_earns_exactly_enough_is_nominated(prices, fees, modes):
    rules = [
        make_rules(venue, fee=fee, mode=mode)
        for venue, fee, mode in zip(("alpha", "beta"), fees, modes, strict=True)
    ]
    keys = [MarketKey(item.venue, item.symbol) for item in rules]
    rate = exact_rate(rules, (Side.BUY, Side.SELL), prices)
    nominator = PairNominator(dict(zip(keys, rules, strict=True)), threshold=threshold_of(rate))

    nominator.update(keys[0], 0.0, float(prices[0]))

    assert nominator.update(keys[1], float(prices[1]), 0.0)


@given(data=st.data(), legs=st.integers(3, 5))
def test_a_cycle_that_earns_exactly_enough_is_nominated_in_whatever_order_it_is_told(data, legs):
    assets = ASSETS[:legs]
    hops = list(zip(assets, (*assets[1:], assets[0]), strict=True))
    sides = data.draw(st.lists(st.sampled_from(Side), min_size=legs, max_size=legs))
    symbols = [
        f"{received}/{spent}" if side is Side.BUY else f"{spent}/{received}"
        for (spent, received), side in zip(hops, sides, strict=True)
    ]
    rules = [
        make_rules("alpha", symbol, fee=data.draw(FEES), mode=data.draw(MODES))
        for symbol in symbols
    ]
    prices = data.draw(st.lists(PRICES, min_size=legs, max_size=legs))
    index = CycleIndex([Market(i.symbol, i.base, i.quote) for i in rules], legs_max=legs)
    nominator = CycleNominator(
        [Watch("alpha", index, range(len(index.cycles)))],
        {MarketKey("alpha", item.symbol): item for item in rules},
        threshold=threshold_of(exact_rate(rules, sides, prices)),
    )

    answers = []
    for place in data.draw(st.permutations(range(legs))):
        price = float(prices[place])
        is_buy = sides[place] is Side.BUY
        bid, ask = (0.0, price) if is_buy else (price, 0.0)
        answers.append(nominator.update(MarketKey("alpha", symbols[place]), bid, ask))

    assert answers == [False] * (legs - 1) + [True]
