"""Rows of benchmarks: figures beside targets and references."""

import pytest

from benchmarks.parts.results import (
    Row,
    at_least,
    at_most,
    percentile,
    read_row,
    render,
    report,
    times_better,
)


def test_a_limit_is_met_up_to_the_limit_itself():
    assert at_most("p50", 1.5, "ms", 1.5).verdict == "met"
    assert at_most("p50", 1.51, "ms", 1.5).verdict == "MISSED"
    assert at_least("rate", 10_000, "/s", 10_000).verdict == "met"
    assert at_least("rate", 9_999, "/s", 10_000).verdict == "MISSED"


def test_a_figure_within_its_limit_misses_when_it_is_too_far_from_its_reference():
    near = at_most("p50", 1.4, "ms", 1.5, reference=0.7, reference_name="bare", ratio_max=2)
    far = at_most("p50", 1.4, "ms", 1.5, reference=0.5, reference_name="bare", ratio_max=2)
    assert (near.ratio, near.is_met) == (2, True)
    assert (far.ratio, far.is_met) == (2.8, False)
    assert far.target == "≤ 1.5 ms, ratio ≤ 2"


def test_a_limit_may_be_shown_by_how_much_less_than_the_reference_it_is():
    row = at_most("p50", 2, "µs", 10, reference=200, reference_name="all", is_turned=True)
    assert (row.ratio, row.is_met) == (100, True)


def test_times_better_turns_costs_around():
    rate = times_better("rows", 800, "/s", 4, reference=200, reference_name="save()")
    cost = times_better("scan", 5, "µs", 100, reference=1000, reference_name="all", is_cost=True)
    assert (rate.ratio, rate.is_met) == (4, True)
    assert (cost.ratio, cost.is_met) == (200, True)


def test_the_runner_reads_what_a_script_reports(capsys):
    rows = [at_most("p50", 2, "ms", 1.5, note="the disk is slow"), Row("soak", 3, "MB")]
    assert report(rows) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [found for line in lines if (found := read_row(line))] == rows
    assert lines[:3] == render(rows)
    assert "MISSED" in lines[0]
    assert lines[1] == "    the disk is slow"


def test_rows_without_a_target_miss_nothing():
    assert report([Row("memory", 12, "MB")]) == 0


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3, 1, 2], 0.5, 2),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 0.991, 100),
        (range(1, 151), 0.99, 149),
        ([7], 0.99, 7),
        ([1, 2], 0, 1),
    ],
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values, share, expected):
    assert percentile(values, share) == expected
