from decimal import Decimal as D
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from strategies.domain.chain import Chain, ChainLeg
from strategies.domain.edge import NO_FEE, Factors, fee_factors
from strategies.domain.ladder import Ladder
from strategies.domain.optimum import EXACT_TRIES, TOLERANCE, TRIES_MAX, find_best, find_peak

GRID = 300


@st.composite
def ladders(draw: st.DrawFn, sign: int, top: int) -> Ladder:
    price, levels = D(top), []
    for step in draw(st.lists(st.integers(0, 60), min_size=1, max_size=6)):
        price += sign * D(step) / 100
        levels.append((price, D(draw(st.integers(1, 400))) / 100))
    return Ladder(levels)


@st.composite
def fee_of(draw: st.DrawFn, side: Side) -> Factors:
    mode = draw(st.sampled_from(FeeMode))
    taker = draw(st.sampled_from([D(0), D("0.0005"), D("0.001"), D("0.002")]))
    return fee_factors(FeeSchedule(maker=D(0), taker=taker, mode=mode), side)


@st.composite
def pairs(
    draw: st.DrawFn,
    lot: D = D("1e-9"),
    other_lot: D | None = None,
    edge_min: D | None = None,
) -> Chain:
    """Buy at 100 and above, sell at 101 and below: a cross-venue chain."""
    buy = ChainLeg(Side.BUY, draw(ladders(1, 100)), draw(fee_of(Side.BUY)), lot=lot)
    sell = ChainLeg(
        Side.SELL, draw(ladders(-1, 101)), draw(fee_of(Side.SELL)), lot=other_lot or lot
    )
    if edge_min is None:
        edge_min = draw(st.sampled_from([D(0), D("0.0005"), D("0.004")]))
    return Chain((buy, sell), draw(st.integers(0, 1)), edge_min=edge_min)


@st.composite
def triples(draw):
    """Sell at 100, buy at 10, buy at 9.9: a triangle that starts with its base asset."""
    sell = ChainLeg(Side.SELL, draw(ladders(-1, 100)), draw(fee_of(Side.SELL)), lot=D("1e-9"))
    buy = ChainLeg(Side.BUY, draw(ladders(1, 10)), draw(fee_of(Side.BUY)), lot=D("1e-9"))
    back = ChainLeg(Side.BUY, Ladder([(D("9.9"), D(50))]), draw(fee_of(Side.BUY)), lot=D("1e-9"))
    return Chain((sell, buy, back), draw(st.integers(0, 2)))


@given(chain=st.one_of(pairs(), triples()))
def test_no_point_of_a_fine_grid_beats_the_peak(chain):
    peak = find_peak(chain)

    pivot = chain.legs[chain.pivot]
    for n in range(1, GRID + 1):
        ceiling = chain.ceiling(int(pivot.ladder.depth * n / GRID / pivot.lot))
        assert ceiling is None or ceiling <= peak.profit + D("1e-30")


@given(chain=st.one_of(pairs(), triples()))
def test_the_peak_is_made_of_cash_flows(chain):
    peak = find_peak(chain)

    flows = [
        (leg.spent(quantity), leg.received(quantity))
        for leg, quantity in zip(chain.legs, peak.quantities, strict=True)
    ]
    for (_, brought), (used, _) in pairwise(flows):
        assert abs(brought - used) < D("1e-40")
    assert abs(flows[0][0] - peak.spent) < D("1e-40")
    assert abs(flows[-1][1] - flows[0][0] - peak.profit) < D("1e-40")
    assert peak.profit >= chain.edge_min * peak.spent - D("1e-30")


def test_the_peak_says_which_leg_ended_or_that_the_edge_did():
    deep, shallow = Ladder([(D(100), D(9))]), Ladder([(D(101), D(1))])
    crossing = Ladder([(D(101), D(1)), (D(99), D(9))])
    buy = ChainLeg(Side.BUY, deep, NO_FEE, lot=D(1))

    ends: list[Any] = [
        find_peak(Chain((buy, ChainLeg(Side.SELL, ladder, NO_FEE, lot=D(1))), 0))
        for ladder in (shallow, crossing)
    ]

    assert [(end.limiting_leg, end.quantities[1], end.profit) for end in ends] == [
        (1, 1, 1),
        (None, 1, 1),
    ]


def test_the_least_edge_cuts_the_size_where_the_average_reaches_it():
    buy = ChainLeg(Side.BUY, Ladder([(D(100), D(9))]), NO_FEE, lot=D("0.01"))
    sell = ChainLeg(Side.SELL, Ladder([(D(104), D(1)), (D(101), D(9))]), NO_FEE, lot=D("0.01"))
    chain = Chain((buy, sell), 0, edge_min=D("0.02"))

    peak: Any = find_peak(chain)
    best: Any = find_best(chain, peak)

    assert peak.quantities == (3, 3), "one at 4 % and two at 1 % make 2 %"
    assert (best.flow.quantities, best.flow.profit, best.gap) == ((3, 3), 6, 0)


@given(chain=pairs(lot=D("0.07"), other_lot=D("0.05")))
def test_the_search_finds_what_trying_every_lot_count_finds(chain):
    best = find_best(chain, find_peak(chain), tries_max=10_000, tolerance=D(0))

    pivot = chain.legs[chain.pivot]
    flows = [chain.flow(lots) for lots in range(1, pivot.lots_max + 1)]
    highest = max((flow.profit for flow in flows if flow is not None), default=D(0))
    found = best.flow.profit if best.flow else D(0)
    assert (found, best.gap) == (max(highest, D(0)), D(0))


@given(chain=pairs(lot=D("0.07"), other_lot=D("0.05")), tries_max=st.integers(1, 6))
def test_a_search_that_is_cut_short_says_how_much_it_may_have_missed(chain, tries_max):
    peak = find_peak(chain)

    cut = find_best(chain, peak, tries_max=tries_max)
    whole = find_best(chain, peak, tries_max=10_000, tolerance=D(0))

    missed = (whole.flow.profit if whole.flow else 0) - (cut.flow.profit if cut.flow else 0)
    assert 0 <= missed <= cut.gap
    assert cut.tries <= tries_max


@settings(max_examples=30)
@given(chain=pairs(lot=D("1e-8"), other_lot=D("3e-8"), edge_min=D(0)))
def test_a_huge_number_of_lots_is_searched_within_the_bound(chain):
    peak = find_peak(chain)

    best = find_best(chain, peak)

    assert best.tries <= TRIES_MAX
    earned = best.flow.profit if best.flow else D(0)
    assert peak.profit - earned <= max(best.gap, D("2e-5")), "one lot here and there at most"


@settings(max_examples=100)
@given(chain=pairs(lot=D("0.0007"), other_lot=D("0.0005")))
def test_what_is_missed_is_within_the_tolerance(chain):
    peak = find_peak(chain)

    quick = find_best(chain, peak, tries_max=10_000)
    exact = find_best(chain, peak, tries_max=10_000, tolerance=D(0))

    if exact.flow is None or quick.flow is None:
        assert exact.flow is quick.flow
        return
    assert exact.flow.profit - quick.flow.profit <= quick.gap
    if quick.tries <= EXACT_TRIES:
        assert quick.gap == 0 or quick.gap <= TOLERANCE * quick.flow.profit


@pytest.mark.parametrize("pivot", [0, 1])
def test_a_size_is_found_where_the_least_edge_decides_it_and_lots_are_fine(pivot):
    fee = fee_factors(FeeSchedule(maker=D(0), taker=D("0.001")), Side.BUY)
    buy = ChainLeg(Side.BUY, Ladder([(D(100), D(900))]), fee, lot=D("1e-8"))
    levels = [(D("100.6"), D(1)), (D("100.19"), D(900))]
    sell = ChainLeg(Side.SELL, Ladder(levels), NO_FEE, lot=D("3e-8"))
    chain = Chain((buy, sell), pivot, edge_min=D("0.001"))
    peak = find_peak(chain)
    assert chain.flow(int(peak.quantities[pivot] / chain.legs[pivot].lot)) is None

    best: Any = find_best(chain, peak)

    assert best.flow.profit >= chain.edge_min * best.flow.spent[0]
    assert peak.profit - best.flow.profit < D("0.00003") * peak.profit
    assert best.gap < D("0.00003") * peak.profit, "and nothing better than that was missed"
    assert best.tries <= TRIES_MAX


def test_leaps_end_where_the_ceiling_does_and_when_the_tries_do():
    fee = fee_factors(FeeSchedule(maker=D(0), taker=D("0.001")), Side.BUY)
    buy = ChainLeg(Side.BUY, Ladder([(D(100), D(900))]), fee, lot=D("1e-8"))
    sell = ChainLeg(Side.SELL, Ladder([(D("100.3"), D(900))]), NO_FEE, lot=D("3e-8"))
    hopeless = Chain((buy, sell), 0, edge_min=D("0.0019969999"))

    bests = [
        find_best(hopeless, find_peak(hopeless), tries_max=tries_max) for tries_max in (30, 512)
    ]

    assert [(best.flow, best.tries) for best in bests] == [(None, 30), (None, 512)]


def test_nothing_is_found_where_nothing_is_allowed():
    buy = ChainLeg(Side.BUY, Ladder([(D(100), D(1))]), NO_FEE, lot=D(2))
    sell = ChainLeg(Side.SELL, Ladder([(D(101), D(1))]), NO_FEE, lot=D(1))
    chain = Chain((buy, sell), 1)

    best = find_best(chain, find_peak(chain))

    assert (best.flow, best.gap, best.tries) == (None, D(0), 0)
