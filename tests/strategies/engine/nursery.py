"""Makes engine processes in no time: everything is imported once, and each engine is a fork.

``python -m tests.strategies.engine.nursery`` reads one JSON object a line. ``{"log": PATH, "point":
NAME, "signal": NUMBER, "deadline_ms": SPAN}`` starts an engine that sends itself a signal when it
first comes to a crash point (``point`` may be empty), and answers its process id; ``{"look": PID}``
answers how a process has ended, or ``null``. An engine also logs when it looks for free strategies;
and one with a point, when it asked for every order that left.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from markets.domain.orders import Write
from tests.processes import ROOT, WAIT_S, environment_of, wait_until

DOOR = "door"
"""The moment after the last question whether an order may leave."""
PR_SET_PDEATHSIG = 1
PATIENT_MS = 10_000
"""So long after its claim an engine still sends an order: one that is slow because the machine is
busy would give it up, and never come to the point of its death."""


class Engine:
    """One engine process.

    Attributes:
        pid: of the process.
    """

    def __init__(self, nursery: "Nursery", pid: int, log: Path) -> None:
        self.pid = pid
        self._nursery = nursery
        self._log = log

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    @property
    def asked_at(self) -> list[float]:
        """When the last question about each order was answered with yes [monotonic s]."""
        return [float(line.split()[1]) for line in self.output.splitlines() if line[:5] == "door "]

    @property
    def looked_at(self) -> list[datetime]:
        """When it began to look for strategies that are free."""
        lines = [line for line in self.output.splitlines() if line[:5] == "look "]
        return [datetime.fromtimestamp(float(line.split()[1]), UTC) for line in lines]

    @property
    def is_stopped(self) -> bool:
        """Whether a SIGSTOP holds it."""
        return "\nState:\tT" in Path(f"/proc/{self.pid}/status").read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self) -> None:
        """End it in any case, and wait until it has gone."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it had ended, and somebody has waited for it
        self.wait()

    def wait(self, timeout_s: float = WAIT_S) -> int:
        """Wait until it has ended and return its exit code, negative for a signal."""
        ended = wait_until(
            lambda: [code for code in [self._nursery.ask({"look": self.pid})] if code is not None],
            lambda: f"the engine ends: {self.output}",
            timeout_s,
        )
        return int(ended[0])


class Nursery:
    """The process that engines are forked from.

    Args:
        redis_url: of all engines.
        directory: for what they write.
    """

    def __init__(self, redis_url: str, directory: Path) -> None:
        self._directory = directory
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.strategies.engine.nursery"),
            cwd=ROOT,
            env=environment_of(redis_url, directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(
        self,
        point: str = "",
        number: signal.Signals = signal.SIGKILL,
        deadline_ms: int = PATIENT_MS,
    ) -> Engine:
        """Start an engine.

        Args:
            point: at which it sends itself a signal; empty: nowhere.
            number: the signal.
            deadline_ms: so long after its claim an order may leave [ms].
        """
        log = self._directory / f"engine-{time.monotonic_ns()}.log"
        log.touch()
        wish = {"log": str(log), "point": point, "signal": int(number), "deadline_ms": deadline_ms}
        return Engine(self, self.ask(wish), log)

    def ask(self, wish: dict[str, Any]) -> Any:
        """Send a wish and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it; the kernel ends every engine that still runs."""
        self._process.kill()
        with self._process:
            pass  # waits, and closes its pipes


def main() -> None:
    import django  # noqa: PLC0415  only in the process of the nursery

    django.setup()
    from strategies.management.commands import run_engine  # noqa: F401, PLC0415  to be forked

    parent = os.getpid()
    for line in sys.stdin:
        wish = json.loads(line)
        answer: int | None
        if "look" in wish:
            pid, status = os.waitpid(wish["look"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                be_engine(parent, wish)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def be_engine(parent: int, wish: dict[str, Any]) -> None:
    """Run an engine in this process, which ends with it."""
    from django.core.management import call_command  # noqa: PLC0415

    from tests.patience import lengthen_limits, set_send_deadline  # noqa: PLC0415

    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
        os.setsid()
        log = os.open(wish["log"], os.O_WRONLY | os.O_APPEND)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        patch = pytest.MonkeyPatch()
        lengthen_limits(patch)
        set_send_deadline(patch, wish["deadline_ms"])
        with noting_looks(), stopping_at(wish["point"], wish["signal"]):
            call_command("run_engine")
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def noting_looks() -> Iterator[None]:
    """Have this process write down when it looks for free strategies."""
    from strategies.engine.keeper import LeaseKeeper  # noqa: PLC0415

    take: Callable[[LeaseKeeper], None] = LeaseKeeper.take

    def look(keeper: LeaseKeeper) -> None:
        os.write(2, f"look {time.time_ns() / 1e9:.6f}\n".encode())
        take(keeper)

    LeaseKeeper.take = look  # type: ignore[method-assign, assignment]
    yield


@contextmanager
def stopping_at(point: str, number: int) -> Iterator[None]:
    """Have this process sent a signal when it first comes to a point."""
    from arbplatform.core.crashpoints import observe  # noqa: PLC0415
    from markets.gateway.client import CheckedCalls  # noqa: PLC0415

    passed: list[str] = []
    write_out: Callable[[CheckedCalls, Write], None] = CheckedCalls.write_out

    def look(reached: str) -> None:
        if reached == point and not passed:
            passed.append(reached)
            # to this thread: one that is meant for the process may let this thread run on for long
            signal.pthread_kill(threading.get_ident(), number)

    def ask_and_look(calls: CheckedCalls, write: Write) -> None:
        def look_and_write() -> None:
            os.write(2, f"door {time.monotonic()}\n".encode())
            look(DOOR)
            write()

        write_out(calls, write if calls.let_go is None else look_and_write)

    CheckedCalls.write_out = ask_and_look  # type: ignore[method-assign, assignment]
    with observe(lambda reached: look(reached.value)) if point else nullcontext():
        yield


if __name__ == "__main__":
    main()
