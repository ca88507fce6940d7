"""Child processes that are kept running, and that never outlive their parent."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from arbplatform.management.errors import PartNotStarting
from arbplatform.management.terminal import BoundedLog, Terminal

RESTART_DELAY_MIN_S = 0.5
RESTART_DELAY_MAX_S = 30.0
HEALTHY_AFTER_S = 60.0
"""A child that ran this long is started again without delay when it ends."""
FAILED_STARTS_MAX = 3
"""Ends before the first readiness after which a start is given up."""
PROBE_INTERVAL_S = 0.1
LINE_BYTES_MAX = 65_536
DRAIN_TIMEOUT_S = 1.0
NOTABLE_END_S = 1.0
"""An end that takes longer than this is shown [s]."""
KILL_TIMEOUT_S = 5.0
_PR_SET_PDEATHSIG = 1

Probe = Callable[[], Awaitable[bool]]
Reading = asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to run one child.

    Attributes:
        name: short name for people and log files.
        command: program and arguments.
        environment: all of its environment variables.
        directory: its working directory.
        is_ready: tells whether it answers; ``None`` when being started is enough.
        orphan_signal: what the kernel sends it when its parent is killed.
        stop_timeout_s: how long an orderly end may take before it is killed [s].
        ask_again_s: after how long it is asked to end once more [s]; ``None`` is never.
        descriptors: inherited open files.
        is_shown: whether its lines are shown; they are logged in any case.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    is_ready: Probe | None = None
    orphan_signal: signal.Signals = signal.SIGKILL
    stop_timeout_s: float = 10.0
    ask_again_s: float | None = None
    descriptors: tuple[int, ...] = ()
    is_shown: bool = True


class Child:
    """One child, started again with a growing delay whenever it ends by itself."""

    def __init__(
        self,
        spec: ChildSpec,
        *,
        terminal: Terminal,
        log_dir: Path,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.spec = spec
        self.restart_count = 0
        self._terminal = terminal
        self._log = BoundedLog(log_dir / f"{spec.name}.log")
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the running process."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    def start(self) -> None:
        """Start the child and keep it running from now on."""
        self._keeper = asyncio.create_task(self._keep_running())

    async def wait_until_ready(self, timeout_s: float) -> None:
        """Wait for the first readiness.

        Args:
            timeout_s: how long at most [s].

        Raises:
            PartNotStarting: it ends again and again, or does not answer in time.
        """
        if self.spec.is_ready is None:
            return
        deadline_ms = SYSTEM_CLOCK.monotonic_ms() + timeout_s * 1000
        while SYSTEM_CLOCK.monotonic_ms() < deadline_ms:
            if self.pid is not None and await self.spec.is_ready():
                return
            if self.restart_count >= FAILED_STARTS_MAX:
                break
            await asyncio.sleep(PROBE_INTERVAL_S)
        raise PartNotStarting(name=self.spec.name)

    async def stop(self) -> None:
        """Let the child end in order; kill it when that takes too long."""
        self._stopping.set()
        if self._keeper is None:
            return
        asked_ms = SYSTEM_CLOCK.monotonic_ms()
        self._ask_to_end()
        if self.spec.ask_again_s is not None:
            await asyncio.wait({self._keeper}, timeout=self.spec.ask_again_s)
            self._ask_to_end()
        try:
            await asyncio.wait_for(asyncio.shield(self._keeper), self.spec.stop_timeout_s)
        except TimeoutError:
            self._terminal.say(
                Message("{name} does not end by itself and is killed.", {"name": self.spec.name})
            )
            self.kill()
            await asyncio.wait_for(self._keeper, KILL_TIMEOUT_S)
        took_s = (SYSTEM_CLOCK.monotonic_ms() - asked_ms) / 1_000
        if took_s >= NOTABLE_END_S:
            self._terminal.say(
                Message(
                    "{name} has ended after {seconds} s.",
                    {"name": self.spec.name, "seconds": f"{took_s:.1f}"},
                )
            )
        self._log.close()

    def _ask_to_end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """End the child and whatever it started, at once; it is not started again."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _keep_running(self) -> None:
        delay_s = RESTART_DELAY_MIN_S
        while not self._stopping.is_set():
            started_ms = SYSTEM_CLOCK.monotonic_ms()
            code = await self._run_once()
            if self._stopping.is_set():
                break
            if SYSTEM_CLOCK.monotonic_ms() - started_ms >= HEALTHY_AFTER_S * 1000:
                delay_s = RESTART_DELAY_MIN_S
            self.restart_count += 1
            self._terminal.say(
                Message(
                    "{name} ended unexpectedly ({how}); it starts again in {delay_s} s.",
                    {"name": self.spec.name, "how": describe_end(code), "delay_s": f"{delay_s:g}"},
                )
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)
            delay_s = min(delay_s * 2, RESTART_DELAY_MAX_S)

    async def _run_once(self) -> int:
        self._process = None
        pipe = await LinePipe.open(self._relay)
        try:
            self._process = await spawn(self.spec, stdout=pipe.write_end, stderr=pipe.write_end)
        except (OSError, SubprocessError) as error:
            self._relay(f"cannot be started: {error}")
            return -1
        else:
            self._on_change()
            if self._stopping.is_set():  # asked to stop while it was being started
                self._process.terminate()
            return await self._process.wait()
        finally:
            if self._process is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)  # anything that it left behind
            await pipe.drain()
            self._on_change()

    def _relay(self, line: str) -> None:
        self._log.write(line)
        if self.spec.is_shown:
            self._terminal.relay(self.spec.name, line)


class LinePipe:
    """A pipe that passes on each line as it comes.

    asyncio's own pipes make a process seem to run for as long as anything it started holds them.
    """

    def __init__(self, write_end: int, transport: asyncio.ReadTransport, reading: Reading) -> None:
        self.write_end = write_end
        self._transport = transport
        self._reading = reading

    @classmethod
    async def open(cls, relay: Callable[[str], None]) -> "LinePipe":
        """Return a new pipe whose lines go to ``relay``."""
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
        )
        return cls(write_end, transport, asyncio.create_task(read_lines(reader, relay)))

    async def drain(self) -> None:
        """Pass on what is left, then close; a writer that goes on writing is cut off."""
        os.close(self.write_end)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reading, DRAIN_TIMEOUT_S)
        self._transport.close()


async def spawn(spec: ChildSpec, *, stdout: int, stderr: int) -> asyncio.subprocess.Process:
    """Start a process in a session of its own that dies with this one.

    Args:
        spec: how to run it.
        stdout: the open file that it writes to.
        stderr: the one for what it complains about.
    """
    return await asyncio.create_subprocess_exec(
        *spec.command,
        env=dict(spec.environment),
        cwd=spec.directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=spec.descriptors,
        # It runs between fork and exec, calls the kernel twice and touches no lock.
        preexec_fn=_dies_with(os.getpid(), spec.orphan_signal),
    )


def _dies_with(parent_pid: int, orphan_signal: signal.Signals) -> Callable[[], None]:
    """Return what asks the kernel to end a new process when its parent ends."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, orphan_signal.value)
        if os.getppid() != parent_pid:  # it was killed before we could ask
            os._exit(1)

    return prepare


async def read_lines(stream: asyncio.StreamReader, relay: Callable[[str], None]) -> None:
    """Pass on every line of ``stream``; over-long ones are cut into pieces."""
    pending = b""
    while chunk := await stream.read(LINE_BYTES_MAX):
        *lines, pending = (pending + chunk).split(b"\n")
        if len(pending) > LINE_BYTES_MAX:
            lines, pending = [*lines, pending], b""
        for line in lines:
            relay(line.decode(errors="replace").rstrip())
    if pending:
        relay(pending.decode(errors="replace"))


def describe_end(code: int) -> Message:
    """Return how a process ended, for people.

    >>> str(describe_end(1)), str(describe_end(-9))
    ('exit code 1', 'killed by SIGKILL')
    """
    if code >= 0:
        return Message("exit code {code}", {"code": code})
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return Message("killed by {signal}", {"signal": name})
