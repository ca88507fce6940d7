"""Runs the benchmarks and puts what they found into one table and one line of JSON.

``python -m benchmarks [--only NAME …] [--quick] [--all]``. Each is a script of its own, stopped
when it takes longer than its time. The whole takes ten minutes at most: what time is left after the
benchmarks of the engine goes to the earlier ones, in turn; ``--all`` runs those whatever it takes.
The last line of the output begins with ``{`` and is the JSON.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.parts.results import Row, read_row, render

TOTAL_S = 600
"""What everything together may take [s]."""
END_S = 15
"""A script that is stopped may take so long to clean up [s]."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A script.

    Attributes:
        name: of its module.
        limit_s: it is stopped after so long [s]; most take half of that.
    """

    name: str
    limit_s: int


ENGINE = (
    Benchmark("book_to_venue", 150),
    Benchmark("send_latency", 60),
    Benchmark("detection", 60),
    Benchmark("cross_venue_detection", 30),
    Benchmark("ledger_writes", 60),
    Benchmark("scheduled_scale", 120),
    Benchmark("intake", 50),
    Benchmark("books_memory", 60),
    Benchmark("book_intake", 40),
    Benchmark("recorded_session", 40),
    Benchmark("push_fanout", 60),
)
"""What the engine promises. None gets more than what is left of the whole time."""

EARLIER = (
    Benchmark("evaluation", 30),
    Benchmark("tick_latency", 60),
    Benchmark("matching_engine", 30),
    Benchmark("simulator_http", 30),
    Benchmark("embedded_stack", 120),
    Benchmark("replay_brazil", 150),
)
"""What the platform promises besides."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a script.

    Attributes:
        name: of the script.
        rows: that it reported.
        seconds: that it took [s].
        trouble: why it did not end as it should; empty when it did.
    """

    name: str
    rows: Sequence[Row]
    seconds: float
    trouble: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it ended and met every target."""
        return not self.trouble and all(row.is_met is not False for row in self.rows)


def run(benchmark: Benchmark, arguments: Sequence[str], limit_s: float) -> Result:
    """Run a script to its end, or stop it after ``limit_s``; what it prints is passed on."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{benchmark.name}", *arguments],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        _stop(process)

    timer = threading.Timer(limit_s, stop)
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
            if process.poll() is None:
                _stop(process)
    trouble = ""
    if is_late.is_set():
        trouble = f"stopped after {limit_s:.0f} s"
    elif not rows:
        trouble = f"no figures, exit code {code}"
    return Result(benchmark.name, rows, time.monotonic() - began, trouble)


def _stop(process: "subprocess.Popen[str]") -> None:
    """End a script and all that it started; interrupted, it still tidies up."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(END_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        else:
            return


def choose(only: Sequence[str]) -> tuple[Benchmark, ...]:
    """Return the benchmarks that are asked for, in their order.

    Raises:
        SystemExit: one of them does not exist.
    """
    every = ENGINE + EARLIER
    unknown = set(only) - {benchmark.name for benchmark in every}
    if unknown:
        names = ", ".join(benchmark.name for benchmark in every)
        raise SystemExit(f"There is no {', '.join(sorted(unknown))}. There are: {names}")
    return tuple(benchmark for benchmark in every if not only or benchmark.name in only)


def run_all(chosen: Sequence[Benchmark], *, is_quick: bool, is_bounded: bool) -> list[Result]:
    """Run benchmarks one after the other; those for which no time is left are not begun."""
    results = []
    began = time.monotonic()
    arguments = ["--quick"] if is_quick else []
    for number, benchmark in enumerate(chosen, start=1):
        passed_s = time.monotonic() - began
        head = f"[{number}/{len(chosen)}, {passed_s:.0f} s] {benchmark.name}"
        print(f"\n=== {head} ".ljust(90, "="), flush=True)
        if is_bounded and benchmark in EARLIER and passed_s + benchmark.limit_s > TOTAL_S:
            print("  no time is left for it; run it alone with --only, or all with --all")
            continue
        left_s = max(1.0, TOTAL_S - passed_s) if is_bounded else benchmark.limit_s
        results.append(run(benchmark, arguments, min(benchmark.limit_s, left_s)))
    return results


def describe_machine() -> dict[str, str | int]:
    """Return what the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cores": os.cpu_count() or 0,
        "cpu": models[0] if models else platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def main() -> int:
    """Run them; return 1 if any missed its target or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a smoke test of the benchmarks")
    parser.add_argument("--all", action="store_true", help="also what does not fit in ten minutes")
    options = parser.parse_args()
    machine = describe_machine()
    began = time.monotonic()
    is_bounded = not (options.all or options.only)
    results = run_all(choose(options.only), is_quick=options.quick, is_bounded=is_bounded)
    print(f"\n=== all, {time.monotonic() - began:.0f} s ".ljust(90, "="))
    for result in results:
        print(f"\n{result.name} ({result.seconds:.0f} s) {result.trouble}".rstrip())
        for line in render(result.rows):
            print("  " + line)
    good = [result for result in results if result.is_good]
    print(f"\n{len(good)} of {len(results)} benchmarks met all their targets.\n")
    summary = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "is_quick": options.quick,
        "seconds": round(time.monotonic() - began),
        "benchmarks": [
            {
                "name": result.name,
                "seconds": round(result.seconds),
                "trouble": result.trouble,
                "rows": [{**asdict(row), "verdict": row.verdict} for row in result.rows],
            }
            for result in results
        ],
    }
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    return 0 if len(good) == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
