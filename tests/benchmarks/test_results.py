"""Rows of benchmarks, and the script that runs them all."""

from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks.__main__ import EARLIER, ENGINE, TOTAL_S, Benchmark, Result, choose, run
from benchmarks.parts.results import (
    MARK,
    Row,
    at_least,
    at_most,
    read_row,
    render,
    report,
    times_better,
)
from benchmarks.parts.scripts import make_parser

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


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


def test_every_script_understands_quick():
    assert make_parser("").parse_args(["--quick"]).quick


def test_every_script_has_its_time():
    scripts = {path.stem for path in SCRIPTS.glob("*.py") if path.stem != "__main__"}
    assert {benchmark.name for benchmark in ENGINE + EARLIER} == scripts


def test_no_script_gets_more_than_what_is_left_of_the_whole_time(monkeypatch):
    given = []

    def take_all(benchmark, _arguments, limit_s):
        given.append(limit_s)
        time["s"] += limit_s
        return Result(benchmark.name, [], limit_s)

    time = {"s": 0.0}
    monkeypatch.setattr(runner, "run", take_all)
    monkeypatch.setattr("time.monotonic", lambda: time["s"])
    long = [Benchmark(str(number), 400) for number in range(3)]

    runner.run_all(long, is_quick=False, is_bounded=True)
    assert given == [400, TOTAL_S - 400, 1]

    given.clear()
    runner.run_all(long, is_quick=False, is_bounded=False)
    assert given == [400, 400, 400]


def test_only_what_exists_can_be_chosen():
    assert [item.name for item in choose(["matching_engine"])] == ["matching_engine"]
    assert choose([]) == ENGINE + EARLIER
    with pytest.raises(SystemExit, match=rf"There is no nonsense\. There are: {ENGINE[0].name}"):
        choose(["nonsense"])


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Return a function that makes a script in the place of the benchmarks."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def make(text: str, limit_s: int = 20) -> Benchmark:
        (tmp_path / "benchmarks" / "made.py").write_text(text, encoding="utf-8")
        return Benchmark("made", limit_s)

    return make


def test_a_script_that_takes_too_long_is_stopped_and_what_it_found_is_kept(script):
    row = Row("first", 1)
    made = script(
        f'import time\nprint(\'{MARK}\' + \'{{"name": "first", "figure": 1}}\')\ntime.sleep(60)',
        limit_s=1,
    )
    result = run(made, [], made.limit_s)
    assert (result.rows, result.trouble) == ([row], "stopped after 1 s")
    assert not result.is_good


def test_a_script_that_fails_is_told_from_one_that_misses(script):
    result = run(script("import sys\nsys.exit(3)"), [], 20)
    assert (result.rows, result.trouble) == ([], "no figures, exit code 3")
