"""Processes that a benchmark starts, and what they take of the machine.

Whatever is started here ends with its context: in order if it can, by force if it must, also when
the script is interrupted or stopped by the runner.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 20
AGAIN_S = 1.0
CLOCK_TICKS_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    command: Sequence[object],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    is_asked: bool = False,
) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python program of this checkout as long as the context lasts.

    Args:
        command: arguments of Python.
        env: variables beside those of this process.
        output: where what it prints goes.
        is_asked: it is talked to over its standard input, and ends when that is closed.
    """
    process = subprocess.Popen(
        [sys.executable, *(str(part) for part in command)],
        cwd=ROOT,
        env=os.environ | (env or {}),
        stdin=subprocess.PIPE if is_asked else None,
        stdout=output,
        stderr=subprocess.STDOUT if output not in {None, subprocess.PIPE} else None,
        text=True,
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: "subprocess.Popen[Any]") -> None:
    """End a process in order; kill it when that takes too long."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    else:
        process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_in_order() -> None:
    """Let SIGTERM unwind this process: what it started is stopped, what it wrote is removed.

    An exception is ignored when it is raised inside of a finalizer, so it is raised again each
    second until it has been heard.
    """

    def unwind(_number: int, _frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        error = sys.exc_info()[1]
        while error is not None and not isinstance(error, SystemExit):
            error = error.__context__
        if error is None:
            sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, unwind)
    signal.signal(signal.SIGALRM, unwind)


def has_ended() -> None:
    """Say that everything is unwound: nothing has to be raised any more."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def outlive_interrupts() -> None:
    """Let Ctrl-C be the business of who started this process, and will stop it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def wait_for(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait until something holds.

    Raises:
        SystemExit: it does not within ``timeout_s``.
    """
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"in vain waited {timeout_s:g} s for {what}")
        time.sleep(0.05)


def with_children(pid: int) -> list[int]:
    """Return a process and all that descend from it; those that end meanwhile are left out."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += with_children(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children [s]."""
    total = 0.0
    for each in with_children(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(field) for field in fields[11:15]) / CLOCK_TICKS_S
    return total


def memory_mb(pids: Sequence[int]) -> tuple[float, float]:
    """Return PSS and RSS of processes together [MB]."""
    sums = {"Pss": 0, "Rss": 0}
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        for name in sums:
            found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
            sums[name] += int(found[1]) if found else 0
    return sums["Pss"] / 1024, sums["Rss"] / 1024
