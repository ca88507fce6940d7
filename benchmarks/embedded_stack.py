"""What a first run costs: memory of all its processes, and time to the first booked arbitrage.

``manage.py up`` is started on an empty directory, as a newcomer would, with all its processes. How
far it is at which time is taken from what it says; the processor time of all processes until the
first arbitrage says what a start costs where others use the machine, too. Beside its worker, which
uses threads, a second one with as many processes takes tasks from the same queue: that is the
worker that Celery would start by default.

Resident memory is the sum of PSS, which divides a page among the processes that share it, and the
sum of RSS, which counts it once for each.

Usage: ``python -m benchmarks.embedded_stack [--seconds 60]``. Targets: <= 900 MB resident, first
booked arbitrage <= 60 s after the start.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from threading import Thread

from benchmarks.parts.processes import ROOT, cpu_seconds, memory_mb, with_children
from benchmarks.parts.results import at_most, report
from benchmarks.parts.scripts import make_parser, run_script

TARGET_MB = 900
TARGET_S = 60
TIMEOUT_S = 120
WORKER_SLOTS = 8
PREFORK_RUNS_S = 20
STAGES = {
    "Preparing the database": "Redis answers",
    "Starting the processes": "database made, demo set up",
    "arbplatform is running": "web server answers",
}
"""Begin of what ``up`` says, and what has been reached then."""
FIRST_BOOKED = """
    SELECT count(*) FROM strategies_execution WHERE state = 'completed'
"""


def count_booked(data_dir: Path) -> int:
    """Return how many arbitrages are executed and booked."""
    try:
        with closing(sqlite3.connect(data_dir / "db.sqlite3", timeout=5)) as connection:
            return int(connection.execute(FIRST_BOOKED).fetchone()[0])
    except sqlite3.OperationalError:  # not there yet, or not migrated yet
        return 0


def note_stages(lines: Iterable[str], started: float, reached: dict[str, float]) -> None:
    """Write down after what time each stage of a start was reached [s]."""
    for line in lines:
        for begin, stage in STAGES.items():
            if line.startswith(begin):
                reached[stage] = time.monotonic() - started


def wait_for_first(data_dir: Path, started: float) -> float:
    """Return how long it took until the first arbitrage was booked [s]."""
    while time.monotonic() - started < TIMEOUT_S:
        if count_booked(data_dir):
            return time.monotonic() - started
        time.sleep(0.05)
    raise SystemExit(f"no arbitrage was booked within {TIMEOUT_S} s")


def measure_prefork(data_dir: Path) -> tuple[float, float]:
    """Return the memory of a worker with processes instead of threads [MB]."""
    environment = os.environ | {
        "ARB_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "arbplatform.settings.dev",
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "celery", "--quiet", "-A", "arbplatform", "worker", "--pool", "prefork"]
    process = subprocess.Popen(
        [sys.executable, *command, "--concurrency", str(WORKER_SLOTS), "-n", "other@%h"],
        env=environment,
        cwd=data_dir,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(PREFORK_RUNS_S)
        return memory_mb(with_children(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def measure(directory: Path, seconds: int) -> tuple[float, float]:
    """Start everything, print the tables, and return PSS [MB] and the time to the first [s]."""
    data_dir = directory / "data"
    reached: dict[str, float] = {}
    started = time.monotonic()
    up = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "up", "--port", "0", "--data-dir", data_dir],
        env=os.environ | {"DATABASE_URL": "", "REDIS_URL": "", "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        text=True,
    )
    Thread(target=note_stages, args=(up.stdout, started, reached), daemon=True).start()
    try:
        first_s = wait_for_first(data_dir, started)
        used_s = cpu_seconds(up.pid)
        time.sleep(max(0, seconds - (time.monotonic() - started)))
        for stage, after_s in (reached | {"first arbitrage is booked": first_s}).items():
            print(f"{stage:<34}{after_s:>8.1f} s")
        print(f"{'processor time until then':<34}{used_s:>8.1f} s")
        return measure_memory(data_dir, up.pid, seconds), first_s
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)


def measure_memory(data_dir: Path, supervisor: int, seconds: int) -> float:
    """Print what each process takes, and return the PSS of all [MB]."""
    processes = json.loads((data_dir / "processes.json").read_text())["processes"]
    rows = {"supervisor": [supervisor]}
    rows |= {name: with_children(pid) for name, pid in processes.items()}
    print(f"{f'after {seconds} s, {count_booked(data_dir)} arbitrages':<34}  PSS MB   RSS MB")
    total_pss = total_rss = 0.0
    for name, pids in rows.items():
        pss, rss = memory_mb(pids)
        total_pss, total_rss = total_pss + pss, total_rss + rss
        print(f"{name:<34}{pss:>8.0f}{rss:>9.0f}")
    print(f"{'together':<34}{total_pss:>8.0f}{total_rss:>9.0f}")
    pss, rss = measure_prefork(data_dir)
    print(f"{f'a worker of {WORKER_SLOTS} processes instead':<34}{pss:>8.0f}{rss:>9.0f}")
    return total_pss


def main() -> int:
    """Measure and compare with the targets."""
    parser = make_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arb-bench-") as directory:
        seconds = min(options.seconds, 15) if options.quick else options.seconds
        total_mb, first_s = measure(Path(directory), seconds)
    return report(
        [
            at_most("everything embedded, resident (PSS)", total_mb, "MB", TARGET_MB),
            at_most("first booked arbitrage after the start", first_s, "s", TARGET_S),
        ]
    )


if __name__ == "__main__":
    run_script(main)
