"""Simulated venues with a stopwatch: when an update left, and when each order request arrived.

The venues run in a process of their own, told over its standard input what to do: ``show N`` shows
the next N books of the recording and starts the stopwatch anew; ``wait LABEL N S`` waits until N
orders of an account have arrived, S seconds at most. The answer to either is a line of JSON.

The venues look for changed books every ``PACE_S`` instead of every 0.1 s, as otherwise most of a
round would be waiting for that; a book is still sent every 0.05 s at most. The stopwatch starts
when the update is written to the socket, so that this wait is no part of any figure.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Final

from aiohttp import WSMsgType

from benchmarks.parts.processes import outlive_interrupts, running
from markets.simulator.protocol import sockets
from markets.simulator.protocol.connection import Connection
from markets.simulator.running import start_in_thread
from markets.simulator.server import RequestHandler

PACE_S: Final = 0.01
"""How often the venues look for books that have changed [s]."""


ANSWER_S: Final = 0.002
"""An order is worked on so long after its request has arrived, as if it came over a network: both
venues share one loop, and while that matches one leg it would not see the other one arrive [s]."""


class Stopwatch:
    """What has happened since it was started [ns, monotonic].

    Attributes:
        updates: when updates of books were written to sockets.
        orders: when requests for orders had arrived, with the key of the account.
    """

    def __init__(self) -> None:
        self.updates: list[int] = []
        self.orders: list[tuple[int, str]] = []
        self._enough = Event()
        self._awaited = ("", 0)

    def start(self) -> None:
        """Forget what was seen."""
        self.updates.clear()
        self.orders.clear()
        self._enough.clear()
        self._awaited = ("", 0)

    def note_order(self, key: str) -> None:
        """Note that a request has arrived."""
        self.orders.append((time.monotonic_ns(), key))
        if self._awaited[1]:
            self._look()

    def wait(self, label: str, count: int, timeout_s: float) -> None:
        """Wait until so many orders of an account have arrived, but not for ever.

        Only the last of them wakes who waits: to do so sooner would disturb what is measured.
        """
        self._awaited = (label, count)
        self._look()
        self._enough.wait(timeout_s)

    def _look(self) -> None:
        label, count = self._awaited
        if sum(key.startswith(f"{label}-") for _, key in self.orders) >= count:
            self._enough.set()

    def attach(self) -> None:
        """Have the venues of this process tell what they send and receive."""
        answer = RequestHandler.__call__

        async def write(connection: Any) -> None:
            try:
                while True:
                    message = await connection._outbox.get()  # noqa: SLF001
                    if b'"depthUpdate"' in message:
                        self.updates.append(time.monotonic_ns())
                    await connection.socket.send_frame(message, WSMsgType.TEXT)
            except ConnectionError:
                return

        async def note(handler: Any, request: Any) -> Any:
            if request.method == "POST" and "/api/v3/order" in request.raw_path:
                self.note_order(request.headers.get("X-MBX-APIKEY", ""))
                await asyncio.sleep(ANSWER_S)
            return await answer(handler, request)

        replace: Callable[..., None] = setattr
        replace(Connection, "_write", write)
        replace(RequestHandler, "__call__", note)


class Venues:
    """The venues' process, as the driver of a benchmark sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url = self._read().strip()

    def show(self, frames: int) -> None:
        """Show the next books; the stopwatch begins anew."""
        self._ask(f"show {frames}")

    def wait(self, label: str, count: int, timeout_s: float) -> dict[str, Any]:
        """Return what the stopwatch has seen when enough orders have come, or none came in time."""
        seen: dict[str, Any] = json.loads(self._ask(f"wait {label} {count} {timeout_s}"))
        return seen

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        if not line:
            raise SystemExit("the venues have ended")
        return line


@contextmanager
def running_venues(config: dict[str, Any], directory: Path) -> Iterator[Venues]:
    """Run venues with a stopwatch as long as the context lasts."""
    path = directory / "venues.json"
    path.write_text(json.dumps(config))
    command = ("-m", "benchmarks.parts.stopwatch", path, directory / "venues")
    with running(command, output=subprocess.PIPE, is_asked=True) as process:
        yield Venues(process)


def main(config: Path, state_dir: Path) -> None:
    """Be the venues until the standard input is closed."""
    outlive_interrupts()
    stopwatch = Stopwatch()
    stopwatch.attach()
    sockets.FAST_MS = int(PACE_S * 1_000)  # type: ignore[attr-defined]
    with start_in_thread(json.loads(config.read_text()), state_dir) as venues:
        print(venues.url, flush=True)
        for line in sys.stdin:
            command, *words = line.split()
            if command == "show":
                stopwatch.start()
                venues.control.advance_replay(int(words[0]))
            else:
                label, count, timeout_s = words
                stopwatch.wait(label, int(count), float(timeout_s))
            seen = {"updates": stopwatch.updates, "orders": stopwatch.orders}
            print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
