"""The figures of a run, and the table that the README shows of them."""

import json

import pytest

from benchmarks import __main__ as script
from benchmarks.parts import summary
from benchmarks.parts.results import Row, at_most, times_better
from benchmarks.parts.runner import LEFT_OUT, Result
from benchmarks.parts.summary import BEGIN, END, read_summary, summarize, to_markdown

MACHINE: dict[str, str | int] = {
    "cores": 2,
    "cpu": "a CPU",
    "system": "Linux",
    "python": "3.11.7",
    "load": "0.1",
}
RESULTS = [
    Result(
        "intake",
        [
            at_most("age p99", 12.34, "ms", 10, note="so"),
            Row("at most", 20_000, "updates/s", reference=10_000, reference_name="bare", ratio=2),
        ],
        3.2,
    ),
    Result(
        "evaluation",
        [times_better("search", 1, "ms", 50, reference=2e3, reference_name="all", is_cost=True)],
        1,
    ),
    Result("replay_brazil", [], 0, LEFT_OUT),
]


@pytest.fixture
def run():
    found = summarize(RESULTS, machine=MACHINE, seconds=4.2, is_quick=False)
    return {**found, "at": "2026-11-26T07:00:00+00:00"}


def test_targets_come_first_and_what_was_left_out_is_named(run):
    assert (
        to_markdown(run)
        == """\
Measured on 2026-11-26 in one run of 4 s on a CPU, 2 cores,
Linux, Python 3.11.7; load 0.1 when it began.

### What the engine was built to reach

| what | ours | reference of the same run | ratio | target | |
|---|---:|---|---:|---|---|
| age p99 | 12.3 ms | | | ≤ 10 ms | **missed** |

### Other targets

| what | ours | reference of the same run | ratio | target | |
|---|---:|---|---:|---|---|
| search | 1 ms | all: 2,000 ms | 2,000 × | ≥ 50 x | met |

### For information

| what | ours | reference of the same run | ratio | target | |
|---|---:|---|---:|---|---|
| at most | 20,000 updates/s | bare: 10,000 updates/s | 2 × | | |

Left out for want of time: replay_brazil.
"""
    )


def test_a_run_is_read_from_the_last_line_of_what_it_printed(run):
    text = f"=== one\n  a row\n{json.dumps(run)}\n"
    assert read_summary(text) == json.loads(json.dumps(run))
    with pytest.raises(SystemExit, match="not the output"):
        read_summary("=== one\n")


@pytest.fixture
def readme(tmp_path, monkeypatch):
    path = tmp_path / "README.md"
    path.write_text(f"# Title\n{BEGIN}old\n{END}more\n", encoding="utf-8")
    monkeypatch.setattr(summary, "README", path)
    monkeypatch.setattr(script, "FIGURES", tmp_path / "figures.json")
    return path


def test_the_figures_of_a_run_take_the_place_of_the_old_ones(readme, tmp_path, run):
    output = tmp_path / "output.txt"
    output.write_text(f"a row\n{json.dumps(run)}\n", encoding="utf-8")

    script.record(output)

    expected = f"# Title\n{BEGIN}{to_markdown(run)}{END}more\n"
    assert readme.read_text(encoding="utf-8") == expected
    script.record(tmp_path / "figures.json")
    assert readme.read_text(encoding="utf-8") == expected


def test_the_readme_shows_the_run_that_is_recorded():
    text = summary.README.read_text(encoding="utf-8")
    _before, _begin, rest = text.partition(BEGIN)
    shown, end, _after = rest.partition(END)
    assert shown
    assert end
    if summary.FIGURES.exists():
        recorded = read_summary(summary.FIGURES.read_text(encoding="utf-8"))
        assert shown == to_markdown(recorded)


def test_a_smoke_test_is_not_recorded(readme, tmp_path, run):
    output = tmp_path / "output.txt"
    output.write_text(json.dumps({**run, "is_quick": True}) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="smoke test"):
        script.record(output)
    assert "old" in readme.read_text(encoding="utf-8")
    assert not (tmp_path / "figures.json").exists()
