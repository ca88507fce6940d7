from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from strategies.domain.kernels.pairs import PairKernel

GROUPS = [[0, 1, 2, 3], [4], [5, 6]]
RATES = st.sampled_from([0.0, 0.5, 0.8, 1.0, 1.25, 2.0])


@given(changes=st.lists(st.tuples(st.integers(0, 6), RATES, RATES), max_size=60))
def test_exactly_the_pairs_at_the_threshold_are_hot_after_every_change(changes):
    kernel = PairKernel(GROUPS, threshold=1.0)
    rates = dict.fromkeys(range(7), (0.0, 0.0))
    for member, buy, sell in changes:
        before = kernel.hot.copy()

        answer = kernel.set_rates(member, buy, sell)

        rates[member] = (buy, sell)
        assert kernel.hot == {
            (one, other)
            for group in GROUPS
            for one, other in permutations(group, 2)
            if rates[one][0] * rates[other][1] >= 1.0
        }
        assert answer == any(member in pair for pair in before | kernel.hot)


def test_a_crossed_market_is_no_pair_with_itself():
    kernel = PairKernel([[0, 1]], threshold=1.0)

    assert kernel.set_rates(0, 2.0, 2.0) is False
    assert kernel.set_rates(1, 0.1, 0.1) is False
    assert kernel.set_rates(1, 0.5, 0.1) is True
    assert (kernel.hot, kernel.rate_of((1, 0))) == ({(1, 0)}, 1.0)
