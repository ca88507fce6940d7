"""Runs the whole platform: starts its processes in order, keeps them up, stops them in order."""

import asyncio
import json
import signal
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from arbplatform.core.errors import Message, Unavailable
from arbplatform.management import preflight, stack
from arbplatform.management.children import Child, ChildSpec, LinePipe, spawn
from arbplatform.management.demo_venues import SimulatedVenues
from arbplatform.management.embedded_redis import embedded_redis
from arbplatform.management.errors import TOLD_BY_STEPS, StepFailed
from arbplatform.management.terminal import BoundedLog, Terminal

PROCESSES_FILE = "processes.json"
READY_TIMEOUT_S = 60.0
STOP_ORDER = ("beat", "scanner", "engine", "worker", "web", "simulator", "redis")
"""First who makes work, then who does it, last who carries the messages."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """One running platform.

    Use as an asynchronous context manager: leaving it stops every process.

    Attributes:
        url: address of the web server, once started.
        prepared: what the bootstrap reported.
    """

    def __init__(self, options: stack.StackOptions, terminal: Terminal) -> None:
        self.options = options
        self.url = ""
        self.prepared: Mapping[str, object] = {}
        self._terminal = terminal
        self._children: dict[str, Child] = {}
        self._environment: dict[str, str] = {}
        self._exit = AsyncExitStack()

    @property
    def restart_count(self) -> int:
        """How often a child had to be started again."""
        return sum(child.restart_count for child in self._children.values())

    async def __aenter__(self) -> "Supervisor":
        try:
            await self._start()
        except BaseException as error:
            # a cancelled start, too, must leave no process behind
            await self.__aexit__()
            if self.prepared.get("password"):
                self.say_login()  # the next start will not know the password any more
            if isinstance(error, OSError):  # of all that a start does, the disk is left to refuse
                raise preflight.unusable(self.options.data_dir, error) from error
            raise
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self._exit.aclose()

    async def run_command(self, name: str, *arguments: str) -> dict[str, Any]:
        """Run a management command beside the platform and return what it reports.

        Args:
            name: of its log file.
            arguments: of ``manage.py``.

        Raises:
            ArbError: it refused or crashed.
        """
        return await self._run_step(name, stack.manage(*arguments))

    async def _run_step(self, name: str, command: tuple[str, ...]) -> dict[str, Any]:
        """Run a program that writes one JSON object to its output.

        It is its report or, in the field ``error``, the message of a refusal.
        """
        log = BoundedLog(self._log_dir / f"{name}.log")
        output: list[str] = []

        def relay(line: str) -> None:
            log.write(line)
            self._terminal.relay(name, line)

        spec = ChildSpec(name, command, self._environment, self.options.data_dir)
        # The report may hold the new password: it is neither shown nor logged here.
        answers, complaints = await LinePipe.open(output.append), await LinePipe.open(relay)
        process = await spawn(spec, stdout=answers.write_end, stderr=complaints.write_end)
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await answers.drain()
            await complaints.drain()
            log.close()
        report: dict[str, Any] = json.loads(output[-1]) if output else {}
        if "error" in report:
            told = report["error"]
            kind = TOLD_BY_STEPS.get(told["code"], Unavailable)
            raise kind(told["template"], **told["context"])
        if code or not report:
            raise StepFailed(name=name, path=str(self.options.data_dir))
        return report

    def say_login(self) -> None:
        """Say how to log in; a password only when it was generated just now."""
        prepared = self.prepared
        if prepared.get("password"):
            told = Message(
                "Log in as {username} with the password {password} (shown this once)", prepared
            )
            self._terminal.say(told)
        elif prepared.get("username"):
            self._terminal.say(Message("Log in as {username}", prepared))

    @property
    def _log_dir(self) -> Path:
        return self.options.data_dir / "logs"

    async def _start(self) -> None:
        options = self.options
        lock = preflight.lock_data_dir(options.data_dir)
        self._exit.callback(lock.close)
        preflight.check_secrets(stack.settings_module())
        preflight.check_database_url(options.database_url)
        preflight.check_redis_url(options.redis_url)
        listener = preflight.listen(options.host, options.port)
        self._exit.callback(listener.close)
        self.url = address_of(options.host, listener.getsockname()[1])
        self._exit.push_async_callback(self._stop)
        (options.data_dir / "static").mkdir(exist_ok=True)  # Django's STATIC_ROOT

        redis = embedded_redis(options.data_dir)
        self._environment = options.environment(options.redis_url or redis.url)
        self._terminal.say(Message("Checking the configuration …"))
        await self._run_step("check", stack.check())
        if not options.redis_url:
            self._add(redis.to_child(self._environment))
            await self._children["redis"].wait_until_ready(READY_TIMEOUT_S)
        bootstrap = ["bootstrap"]
        if options.has_demo:
            venues = SimulatedVenues.of(options.data_dir)
            self._add(venues.to_child(self._environment))
            bootstrap += ["--simulator", venues.url]
        self._terminal.say(Message("Preparing the database …"))
        self.prepared = await self.run_command("bootstrap", *bootstrap)
        self._terminal.say(Message("Starting the processes …"))
        directory = options.data_dir
        self._add(
            stack.web(self._environment, directory, descriptor=listener.fileno(), url=self.url)
        )
        self._add(stack.worker(self._environment, directory))
        self._add(stack.engine(self._environment, directory))
        if options.has_scanner:
            self._add(stack.scanner(self._environment, directory))
        self._add(stack.beat(self._environment, directory))
        await self._children["web"].wait_until_ready(READY_TIMEOUT_S)

    def _add(self, spec: ChildSpec) -> None:
        child = Child(
            spec,
            terminal=self._terminal,
            log_dir=self._log_dir,
            on_change=self._write_processes,
        )
        self._children[spec.name] = child
        child.start()

    async def _stop(self) -> None:
        for name in STOP_ORDER:
            if name in self._children:
                await self._children[name].stop()
        with suppress(OSError):
            (self.options.data_dir / PROCESSES_FILE).unlink()

    def kill(self) -> None:
        """End every process at once."""
        for child in self._children.values():
            child.kill()

    def _write_processes(self) -> None:
        """Keep a file with the ids of the processes, for people and for tests."""
        names = {name: child.pid for name, child in self._children.items() if child.pid}
        path = self.options.data_dir / PROCESSES_FILE
        draft = path.with_suffix(".tmp")
        with suppress(OSError):  # a full disk must not keep a child from being started again
            draft.write_text(json.dumps({"url": self.url, "processes": names}))
            draft.replace(path)


def address_of(host: str, port: int) -> str:
    """Return the URL under which a person on this machine reaches a listening address.

    >>> address_of("0.0.0.0", 8000), address_of("::1", 80)
    ('http://127.0.0.1:8000', 'http://[::1]:80')
    """
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104  compared, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def until_signal(
    work: Coroutine[Any, Any, int], *, platform: Supervisor, terminal: Terminal
) -> int | None:
    """Do ``work`` until it is done or a signal asks to stop.

    The first signal cancels the work, which stops the platform in order; any later one ends every
    process at once.

    Returns:
        What the work returned; ``None`` when a signal stopped it.
    """
    task = asyncio.create_task(work)
    is_stopping = False

    def receive() -> None:
        nonlocal is_stopping
        if is_stopping:
            platform.kill()
            return
        is_stopping = True
        terminal.say(Message("Stopping; what is under way is finished first."))
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, receive)
    try:
        return await task
    except asyncio.CancelledError:
        return None
