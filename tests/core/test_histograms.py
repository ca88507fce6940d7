"""Histograms of durations."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.histograms import (
    BUCKETS,
    LONGEST_US,
    RELATIVE_ERROR,
    SHORTEST_US,
    Histogram,
    lower_bound_us,
)

DURATIONS_US = st.floats(0.0, LONGEST_US, allow_nan=False)
MANY = st.lists(DURATIONS_US, max_size=200)


def histogram_of(durations):
    histogram = Histogram()
    for us in durations:
        histogram.record(us)
    return histogram


@given(
    st.lists(st.floats(lower_bound_us(1) * 1.001, LONGEST_US), min_size=1, max_size=200),
    st.floats(0, 1),
)
def test_a_percentile_is_within_the_error_of_the_exact_one(durations, q):
    exact = sorted(durations)[max(1, ceil(q * len(durations))) - 1]

    found = histogram_of(durations).percentile(q)

    assert found == pytest.approx(exact, rel=RELATIVE_ERROR)


@given(MANY)
def test_count_sum_and_maximum_are_exact(durations):
    histogram = histogram_of(durations)

    assert histogram.count == len(durations)
    assert histogram.sum_us == pytest.approx(sum(durations))
    assert histogram.max_us == max(durations, default=0.0)
    assert histogram.mean_us == pytest.approx(sum(durations) / (len(durations) or 1))


@given(MANY, MANY)
def test_two_that_are_merged_are_as_one_that_has_counted_all(first, second):
    merged = histogram_of(first)
    merged.merge(histogram_of(second))
    together = histogram_of(first + second)

    assert merged.to_dict()["counts"] == together.to_dict()["counts"]
    assert merged.max_us == together.max_us
    assert merged.sum_us == pytest.approx(together.sum_us)


@given(MANY, MANY)
def test_what_came_after_a_copy_is_told_from_what_came_before(before, after):
    histogram = histogram_of(before)
    earlier = histogram.copy()
    for us in after:
        histogram.record(us)

    later = histogram.since(earlier)

    assert later.to_dict()["counts"] == histogram_of(after).to_dict()["counts"]
    longest = max(after, default=0.0)
    assert longest <= later.max_us <= max(longest * 2 ** (1 / 8) * (1 + 1e-9), SHORTEST_US * 1.1)
    assert later.sum_us == pytest.approx(sum(after), abs=1e-6 * (1 + histogram.sum_us))


@given(MANY)
def test_a_histogram_survives_the_way_through_plain_values(durations):
    histogram = histogram_of(durations)

    read = Histogram.from_dict(histogram.to_dict())

    assert read.to_dict() == histogram.to_dict()


@given(MANY, st.lists(DURATIONS_US, min_size=1, max_size=10).map(sorted))
def test_cumulative_counts_rise_and_never_count_what_is_longer(durations, bounds):
    counted = histogram_of(durations).cumulative(tuple(bounds))

    assert counted == sorted(counted)
    for bound, number in zip(bounds, counted, strict=True):
        assert number <= sum(1 for us in durations if us <= bound * (1 + 1e-12))
        surely = sum(1 for us in durations if us < bound * 2 ** (-1 / 8) * (1 - 1e-9))
        assert number >= surely or bound <= SHORTEST_US * 1.1


def test_an_empty_histogram_has_nothing_to_say():
    histogram = Histogram()

    assert (histogram.count, histogram.mean_us, histogram.percentile(0.99)) == (0, 0.0, 0.0)
    assert histogram.to_dict() == {"sum_us": 0.0, "max_us": 0.0, "counts": {}}
    assert histogram.since(Histogram()).max_us == 0.0


def test_a_duration_below_zero_counts_as_none():
    histogram = histogram_of([-5.0, 0.0])

    assert (histogram.count, histogram.sum_us, histogram.max_us) == (2, 0.0, 0.0)
    assert histogram.percentile(1) == 0.0


def test_what_is_longer_than_the_longest_is_counted_and_its_maximum_is_exact():
    histogram = histogram_of([LONGEST_US * 8, 1.0])

    assert histogram.count == 2
    assert histogram.percentile(1) == LONGEST_US * 8
    assert histogram.percentile(0.5) == pytest.approx(1.0, rel=RELATIVE_ERROR)


def test_the_buckets_reach_from_the_shortest_to_the_longest():
    assert lower_bound_us(0) == 0.0
    assert lower_bound_us(1) == pytest.approx(SHORTEST_US * 2 ** (1 / 8))
    assert lower_bound_us(BUCKETS - 1) == LONGEST_US


@pytest.mark.parametrize("q", [-0.01, 1.01])
def test_what_is_no_share_is_refused(q):
    with pytest.raises(ValueError, match="no share"):
        Histogram().percentile(q)
