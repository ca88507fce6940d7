"""The processes under chaos, seen from outside: started, found by name, signalled."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from arbplatform.management import stack
from arbplatform.settings.env import BASE_DIR

READY_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 60.0
POLL_S = 0.1
PARTS = ("redis", "simulator", "web", "worker", "worker-2", "scanner", "beat")


class Platform:
    """The supervised platform.

    Attributes:
        starts: how often it was started.

    Args:
        data_dir: of the platform.
        database_url: empty is SQLite in the directory.
        environment: of its processes.
        engines: names of the engines.
    """

    def __init__(
        self,
        data_dir: Path,
        database_url: str,
        environment: Mapping[str, str],
        engines: Sequence[str],
    ) -> None:
        self._data_dir = data_dir
        self._parts = (*PARTS, *engines)
        self._environment = {**os.environ, **environment}
        self._command = (
            *(sys.executable, "-m", "tests.chaos.stage"),
            *(str(data_dir), database_url, *engines),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._beats: list[subprocess.Popen[bytes]] = []
        self._said_before = 0
        self.starts = 0

    def start(self) -> None:
        """Start everything, without waiting for it."""
        self.starts += 1
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                self._command,
                cwd=BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def revive(self) -> bool:
        """Start it again if it has ended, as a service manager does; return whether it had."""
        if self._process is None or self._is_running:
            return False
        self._forget()
        self.start()
        return True

    def wait_until_ready(self) -> None:
        """Wait until every part runs.

        Raises:
            SystemExit: it does not start in time.
        """
        wait_for(self._is_ready, READY_TIMEOUT_S, f"the platform starts; see {self._log}")

    def pid(self, name: str) -> int | None:
        """Return the id of a part's process while it runs."""
        if name == "supervisor":
            process = self._process
            return process.pid if process is not None and process.poll() is None else None
        pid = self._pids.get(name)
        return pid if pid is not None and is_alive(pid) else None

    def signal(self, name: str, number: signal.Signals) -> int | None:
        """Send a signal to one part and return its process id; ``None`` if it does not run."""
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid

    def kill(self) -> None:
        """Kill the supervisor: the kernel takes everything else with it."""
        if self._process is not None:
            pids = list(self._pids.values())
            self._process.kill()
            self._process.wait()
            for pid in pids:  # a frozen one does not notice until it goes on
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self._forget()

    def stop(self) -> None:
        """Stop everything in order."""
        self.end_second_beats()
        if self._process is None or not self._is_running:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def add_second_beat(self) -> None:
        """Start another scheduler beside the first one, as a careless operator would."""
        environment = {**self._environment, "PYTHONPATH": str(BASE_DIR)}
        spec = stack.beat(environment, self._data_dir)
        with (self._data_dir / "second-beat.log").open("ab") as log:
            self._beats.append(
                subprocess.Popen(
                    spec.command,
                    cwd=spec.directory,
                    env=dict(spec.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def end_second_beats(self) -> None:
        """End what ``add_second_beat`` has started."""
        while self._beats:
            beat = self._beats.pop()
            beat.kill()
            beat.wait()

    @property
    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def _log(self) -> Path:
        return self._data_dir / "stage.log"

    @property
    def _state(self) -> Path:
        return self._data_dir / "processes.json"

    @property
    def _pids(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self._state.read_text())["processes"]
        except (OSError, ValueError):
            return {}
        return found

    def _forget(self) -> None:
        with suppress(FileNotFoundError):
            self._state.unlink()

    def _is_ready(self) -> bool:
        self.revive()
        with self._log.open() as log:
            log.seek(self._said_before)
            is_said = "ready\n" in log.read()
        return is_said and all(self.pid(name) for name in self._parts)


def wait_for(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait until ``condition()`` holds.

    Raises:
        SystemExit: it does not in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited {timeout_s:.0f} s in vain: {what}.")
        time.sleep(POLL_S)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
