"""The script that runs all benchmarks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from benchmarks.parts import runner
from benchmarks.parts.catalogue import EARLIER, EVERY, TARGETS, TOTAL_S, Benchmark, choose
from benchmarks.parts.results import MARK, Row, at_most, read_row
from benchmarks.parts.runner import LEFT_OUT, Job, Result, end, list_jobs, run, run_all
from benchmarks.parts.scripts import make_database_parser, make_parser

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


def test_every_script_understands_quick():
    assert make_parser("").parse_args(["--quick"]).quick
    assert make_database_parser("").parse_args(["--database", "sqlite"]).database == "sqlite"


def test_every_script_has_its_time_and_ends_in_order():
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.py")}
    assert {benchmark.name for benchmark in EVERY} == scripts.keys() - {"__main__"}
    assert len(EVERY) == len(scripts) - 1
    for name, text in scripts.items():
        end = (
            "end_in_order()\n    sys.exit(main())\n" if name == "__main__" else "run_script(main)\n"
        )
        assert text.endswith(f'if __name__ == "__main__":\n    {end}'), name


def test_only_what_exists_can_be_chosen():
    assert [item.name for item in choose(["matching_engine"])] == ["matching_engine"]
    assert choose([]) == EVERY
    with pytest.raises(SystemExit, match=rf"There is no nonsense\. There are: {EVERY[0].name}"):
        choose(["nonsense"])


def test_a_script_is_run_on_each_of_its_databases_and_in_its_long_form_only_when_asked():
    chosen = [Benchmark("one", 5, ("sqlite", "postgresql")), Benchmark("two", 6, long=["--soak"])]
    usual = list_jobs(chosen, is_quick=True, is_long=False)
    assert [(job.name, list(job.arguments), job.limit_s) for job in usual] == [
        ("one, SQLite", ["--quick", "--database", "sqlite"], 5),
        ("one, PostgreSQL", ["--quick", "--database", "postgresql"], 5),
        ("two", ["--quick"], 6),
    ]
    chosen[1] = Benchmark("two", 6, long=["--soak"], long_limit_s=900)
    long = list_jobs(chosen, is_quick=False, is_long=True)
    assert [(list(job.arguments), job.limit_s) for job in long][2] == (["--soak"], 900)


@pytest.fixture
def given(monkeypatch):
    """Return the time that each script got; each takes all of it."""
    found = []
    clock = {"s": 0.0}

    def take_all(job):
        found.append(job.limit_s)
        clock["s"] += job.limit_s
        return Result(job.name, [], job.limit_s)

    monkeypatch.setattr(runner, "run", take_all)
    monkeypatch.setattr("time.monotonic", lambda: clock["s"])
    return found


def test_targets_get_what_is_left_of_the_whole_time_and_never_more(given):
    jobs = [Job(TARGETS[0], [], 400)] * 3

    assert not [each for each in run_all(jobs, total_s=TOTAL_S) if each.trouble]
    assert given == [400, TOTAL_S - 400, 1]

    given.clear()
    list(run_all(jobs, total_s=None))
    assert given == [400, 400, 400]


def test_what_else_there_is_is_not_begun_without_time_and_named(given):
    jobs = [Job(EARLIER[0], [], 400), Job(EARLIER[1], [], 400), Job(EARLIER[2], [], 200)]

    results = list(run_all(jobs, total_s=TOTAL_S))

    assert given == [400, 200]
    assert [(each.name, each.trouble, each.was_run) for each in results] == [
        (EARLIER[0].name, "", True),
        (EARLIER[1].name, LEFT_OUT, False),
        (EARLIER[2].name, "", True),
    ]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Return a function that makes a script in the place of the benchmarks."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def make(text: str, limit_s: int = 20) -> Job:
        (tmp_path / "benchmarks" / "made.py").write_text(text, encoding="utf-8")
        return Job(Benchmark("made", limit_s), [], limit_s)

    return make


def printed(**row: object) -> str:
    return f"print({MARK + json.dumps(row)!r}, flush=True)\n"


@pytest.fixture
def patient_end(monkeypatch):
    """A script that is stopped has printed its first row before, however slowly it began."""
    has_row = Event()

    def read(line):
        row = read_row(line)
        if row is not None:
            has_row.set()
        return row

    def end_then(process):
        has_row.wait(30)
        end(process)

    monkeypatch.setattr(runner, "read_row", read)
    monkeypatch.setattr(runner, "end", end_then)


@pytest.mark.usefixtures("patient_end")
def test_a_script_that_takes_too_long_is_stopped_and_that_is_a_missed_row(script):
    made = script(
        "import time\n" + printed(name="first", figure=1) + "time.sleep(60)",
        limit_s=1,
    )
    result = run(made)
    assert result.trouble == "stopped after 1 s"
    assert result.rows[0] == Row("first", 1)
    assert (result.rows[1].name, result.rows[1].target) == ("made: time", "≤ 1 s")
    assert result.rows[1].is_met is False
    assert not result.is_good


SLEEPERS = {
    "blocking": "time.sleep(60)",
    "in a finalizer": (
        "type('Slow', (), {'__del__': lambda _: time.sleep(0.5)})(); time.sleep(60)"
    ),
    "on a loop": "run_loop(asyncio.sleep(60))",
    "in a process": "with running(('-c', 'import time; time.sleep(60)')) as one: one.wait()",
}


@pytest.mark.parametrize("sleeper", SLEEPERS)
def test_a_script_that_is_stopped_tidies_up_and_leaves_no_process_behind(tmp_path, sleeper):
    path = tmp_path / "made.py"
    path.write_text(f"""
import asyncio, subprocess, sys, time
from pathlib import Path
from benchmarks.parts.processes import running
from benchmarks.parts.scripts import run_loop, run_script
def main():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        Path("{tmp_path}/child").write_text(str(child.pid))
        {SLEEPERS[sleeper]}
    finally:
        Path("{tmp_path}/tidy").touch()
run_script(main)
""")
    process = subprocess.Popen(
        [sys.executable, path],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS.parent)},
        start_new_session=True,
        text=True,
    )
    named = tmp_path / "child"
    assert wait_for(lambda: (named.exists() and named.read_text()) or process.poll() is not None)

    end(process)

    assert process.returncode == 128 + signal.SIGTERM
    assert (tmp_path / "tidy").exists()
    child = Path("/proc", (tmp_path / "child").read_text(), "stat")
    assert wait_for(lambda: not child.exists() or " Z " in child.read_text())


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_a_script_that_fails_is_told_from_one_that_misses(script):
    result = run(script("import sys\nsys.exit(3)"))
    assert result.trouble == "failed with exit code 3"
    assert [(row.name, row.figure, row.is_met) for row in result.rows] == [
        ("made: exit code", 3, False)
    ]
    missed = run(script(printed(name="first", figure=1, is_met=False) + "exit(1)"))
    assert (missed.trouble, missed.is_good) == ("", False)


def test_a_script_that_fails_after_its_first_row_is_not_taken_for_a_good_one(script):
    result = run(script(printed(name="first", figure=1) + "exit(2)"))
    assert result.trouble == "failed with exit code 2"
    assert not result.is_good


def test_a_result_is_good_when_all_its_targets_are_met():
    good, bad = at_most("x", 1, "s", 2), at_most("x", 3, "s", 2)
    assert Result("x", [good, Row("y", 1)], 1).is_good
    assert not Result("x", [good, bad], 1).is_good
