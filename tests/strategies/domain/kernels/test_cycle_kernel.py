from itertools import combinations
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.orders import Side
from strategies.domain.cycles import CycleIndex, Market
from strategies.domain.kernels.cycles import CycleKernel

SLOTS = 8
THRESHOLD = 1.0
ROUTES = [
    route for length in (3, 4, 5) for route in combinations(range(SLOTS), length) if sum(route) % 3
]
RATES = st.sampled_from([0.0, 0.5, 0.9, 1.0, 1.1, 2.0])
"""Products of these are exact enough: none comes within 1e-9 of the threshold without meeting it
by at least 1e-9, but for those that are made of 1.0 alone."""


def hot_by_force(routes, rates):
    return {
        position
        for position, route in enumerate(routes)
        if prod(rates[slot] for slot in route) >= THRESHOLD
    }


@given(
    routes=st.lists(st.sampled_from(ROUTES), min_size=1, max_size=40, unique=True),
    changes=st.lists(st.tuples(st.integers(0, SLOTS - 1), RATES), max_size=60),
)
def test_exactly_the_cycles_at_the_threshold_are_hot_after_every_change(routes, changes):
    kernel = CycleKernel(routes, slots=SLOTS, threshold=THRESHOLD)
    for slot, rate in changes:
        before = kernel.hot.copy()

        answer = kernel.set_rate(slot, rate)

        assert kernel.hot == hot_by_force(routes, kernel.rates)
        assert answer == any(slot in routes[position] for position in before | kernel.hot)


@given(changes=st.lists(st.tuples(st.integers(0, 5), st.floats(0.9, 1.1)), max_size=80))
def test_triangles_are_hot_as_a_full_scan_has_them(changes):
    index = CycleIndex([Market(f"{b}/{q}", b, q) for b, q in ("BA", "CA", "CB", "DA", "DB", "DC")])
    kernel = CycleKernel(index.routes, slots=12, threshold=1.01)
    for slot, rate in changes:
        kernel.set_rate(2 * slot, rate)
        kernel.set_rate(2 * slot + 1, 1.001 / rate)

        scanned = {position: rate for rate, position in index.scan(kernel.rates)}

        assert kernel.hot == {p for p, rate in scanned.items() if rate >= 1.01}
        assert all(kernel.rate_of(p) == pytest.approx(rate) for p, rate in scanned.items())


def test_a_worse_price_of_a_market_without_an_edge_is_answered_with_no():
    index = CycleIndex([Market(f"{b}/{q}", b, q) for b, q in ("BA", "CA", "CB")])
    kernel = CycleKernel(index.routes, slots=6, threshold=1.0)
    route = [
        index.slot_of("B/A", Side.BUY),
        index.slot_of("C/B", Side.BUY),
        index.slot_of("C/A", Side.SELL),
    ]

    answers = [
        kernel.set_rate(slot, rate) for slot, rate in zip(route, (1.0, 1.0, 1.1), strict=True)
    ]
    still_good = kernel.set_rate(route[0], 0.95)
    no_longer = kernel.set_rate(route[0], 0.8)
    even_less = kernel.set_rate(route[0], 0.7)

    assert answers == [False, False, True]
    assert (still_good, no_longer, even_less) == (True, True, False)
    assert kernel.hot == set()
