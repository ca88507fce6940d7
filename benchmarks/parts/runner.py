"""Runs scripts one after the other, stops those that take too long, and keeps what they found."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from benchmarks.parts.catalogue import TARGETS, Benchmark
from benchmarks.parts.results import Row, at_most, read_row
from benchmarks.parts.scripts import DATABASES

END_S = 25
"""A script that is stopped may take so long to clean up [s]."""
LEFT_OUT = "left out: no time was left for it; --all or --only runs it"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a script.

    Attributes:
        name: of the script, with its database.
        rows: that it reported; one that is missed was added where it did not end as it should.
        seconds: that it took [s].
        trouble: why it did not end as it should, or was not run; empty when all is well.
    """

    name: str
    rows: Sequence[Row]
    seconds: float
    trouble: str = ""

    @property
    def was_run(self) -> bool:
        """Whether it was begun at all."""
        return self.trouble != LEFT_OUT

    @property
    def is_good(self) -> bool:
        """Whether it ended and met every target."""
        return not self.trouble and all(row.is_met is not False for row in self.rows)


@dataclass(frozen=True, slots=True)
class Job:
    """A script on one database.

    Attributes:
        benchmark: that is run.
        arguments: of the script.
        limit_s: it is stopped after so long [s].
        database: that it is run on; empty where it has no choice.
    """

    benchmark: Benchmark
    arguments: Sequence[str]
    limit_s: float
    database: str = ""

    @property
    def name(self) -> str:
        """What people read."""
        name = self.benchmark.name
        return f"{name}, {DATABASES[self.database]}" if self.database else name


def list_jobs(chosen: Sequence[Benchmark], *, is_quick: bool, is_long: bool) -> list[Job]:
    """Return what is to be run."""
    jobs = []
    for benchmark in chosen:
        arguments, limit_s = ["--quick"] if is_quick else [], benchmark.limit_s
        if is_long and benchmark.long:
            arguments += benchmark.long
            limit_s = benchmark.long_limit_s
        for database in benchmark.databases:
            on = ["--database", database] if database else []
            jobs.append(Job(benchmark, arguments + on, limit_s, database))
    return jobs


def run_all(jobs: Sequence[Job], *, total_s: float | None) -> Iterator[Result]:
    """Run scripts one after the other.

    Args:
        jobs: what to run.
        total_s: what all may take together [s]; ``None``: whatever it takes. Without enough time
            left, the targets of the engine are still begun and get what there is, others are not.
    """
    began = time.monotonic()
    for number, job in enumerate(jobs, start=1):
        passed_s = time.monotonic() - began
        left_s = job.limit_s if total_s is None else max(1.0, total_s - passed_s)
        head = f"[{number}/{len(jobs)}, {passed_s:.0f} s] {job.name}"
        print(f"\n=== {head} ".ljust(90, "="), flush=True)
        if left_s < job.limit_s and job.benchmark not in TARGETS:
            print("  " + LEFT_OUT, flush=True)
            yield Result(job.name, [], 0.0, LEFT_OUT)
        else:
            yield run(replace(job, limit_s=min(job.limit_s, left_s)))


def run(job: Job) -> Result:
    """Run a script to its end, or stop it when its time is over; what it prints is passed on."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{job.benchmark.name}", *job.arguments],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        end(process)

    timer = threading.Timer(job.limit_s, stop)
    timer.start()
    rows = []
    with process:
        try:
            for line in process.stdout or ():
                row = read_row(line)
                if row is None:
                    print("  " + line.rstrip(), flush=True)
                else:
                    rows.append(row)
            code = process.wait()
        finally:
            timer.cancel()
            end(process)
    seconds = time.monotonic() - began
    trouble = ""
    if is_late.is_set():
        trouble = f"stopped after {job.limit_s:.0f} s"
        rows.append(at_most(f"{job.name}: time", seconds, "s", job.limit_s, note=trouble))
    elif not rows or code not in {0, 1}:
        trouble = f"failed with exit code {code}"
        rows.append(Row(f"{job.name}: exit code", code, target="0", is_met=False, note=trouble))
    return Result(job.name, rows, seconds, trouble)


def end(process: "subprocess.Popen[str]") -> None:
    """End a script and all that it started.

    Only the script itself is told at first: it ends its own processes in the right order and
    removes its files. Whatever is left of its session then is killed.
    """
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
