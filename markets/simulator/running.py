"""The life of a simulator: tasks beside the server, start in a process or in a thread."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop
from aiohttp import web

from arbplatform.core.errors import Unavailable
from markets.simulator.config import SimulatorConfig, parse_config
from markets.simulator.control import arm, statement
from markets.simulator.faults.file import FaultsByVenue
from markets.simulator.makers import Makers
from markets.simulator.protocol.sockets import Sockets
from markets.simulator.replay import OpenSession, Replay
from markets.simulator.server import RequestHandler
from markets.simulator.storage.journal import Journal, JournalFailed
from markets.simulator.storage.state import dump, restore
from markets.simulator.world import World

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
SETTLE_EVERY_S = 0.05
COMPACT_CHECK_EVERY_S = 1.0
_START_TIMEOUT_S = 60
_CALL_TIMEOUT_S = 600
ResultT = TypeVar("ResultT")


class Simulator:
    """A simulation on a port.

    Attributes:
        world: what is simulated.
        port: where it listens, once it was opened.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        *,
        host: str = HOST,
        port: int = 0,
        state_dir: Path | None = None,
        faults: FaultsByVenue | None = None,
        open_session: OpenSession | None = None,
    ) -> None:
        self._host = host
        self.port = port
        self._journal = None if state_dir is None else Journal(state_dir)
        try:
            self.world = World(
                config, recorder=self._journal, faults=faults, open_session=open_session
            )
            restore(self.world, self._journal.read() if self._journal else ())
            if self._journal is not None:
                self._journal.rewrite(dump(self.world))
        except BaseException:
            self._close_journal()
            raise
        self._sockets = Sockets(self.world)
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.ServerRunner | None = None

    async def open(self) -> None:
        """Start listening and all that moves by itself.

        Raises:
            Unavailable: the port is taken.
            InvalidInput: a recording cannot be read.
        """
        try:
            self.world.start()
            await self._listen()
        except BaseException:
            await self.close()
            raise
        self._spawn(_settle(self.world))
        if self._journal is not None:
            self._spawn(_compact(self.world, self._journal))
        self._spawn(self._sockets.publish())
        for makers in self.world.makers.values():
            self._spawn(_quote(self.world, makers))
        for replay in self.world.distinct_replays():
            if replay.config.speed:
                self._spawn(_play(replay))

    async def _listen(self) -> None:
        server = web.Server(RequestHandler(self.world, self._sockets), access_log=None)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise Unavailable(
                "The simulator cannot listen on {host}:{port}: {cause}. Choose another port.",
                host=self._host,
                port=self.port,
                cause=os.strerror(error.errno or 0),
            ) from None
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop what moves, say goodbye to clients, and stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._close_journal()

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_report)
        self._tasks.append(task)


def _report(task: "asyncio.Task[None]") -> None:
    """Say loudly when something that should run for ever ended by an error."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("a task of the simulator failed", exc_info=task.exception())


async def _settle(world: World) -> None:
    while True:
        await asyncio.sleep(SETTLE_EVERY_S)
        with suppress(JournalFailed):  # logged, and written with the next fact
            now_ms = world.clock.now_ms()
            world.settlement.settle(now_ms)
            for venue in world.venues.values():
                venue.fill_what_is_late(now_ms)


async def _compact(world: World, journal: Journal) -> None:
    while True:
        await asyncio.sleep(COMPACT_CHECK_EVERY_S)
        if journal.is_large:
            try:
                await journal.compact(dump(world))
            except OSError:
                # The old file goes on; a disk that is full may be emptied meanwhile.
                logger.exception("the journal cannot be compacted")


async def _quote(world: World, makers: Makers) -> None:
    interval_s = makers.interval_ms / 1000
    while True:
        await asyncio.sleep(interval_s)
        with suppress(JournalFailed):  # logged, and written with the next fact
            for _ in makers.rounds(world.clock.now_ms()):
                # Orders wait for one market at most, never for a whole round.
                await asyncio.sleep(0)


async def _play(replay: Replay) -> None:
    """Show a recording at its pace, or a multiple of it."""
    loop = asyncio.get_running_loop()
    first_s = replay.next_at_s()
    started_s = loop.time()
    while (next_s := replay.next_at_s()) is not None and first_s is not None:
        due_s = started_s + (next_s - first_s) / replay.config.speed
        await asyncio.sleep(max(due_s - loop.time(), 0))
        with suppress(JournalFailed):  # logged, and written with the next fact
            replay.advance(1)


class Control:
    """What a test may do to a running simulation, from any thread."""

    def __init__(self, world: World, loop: asyncio.AbstractEventLoop) -> None:
        self.world = world
        self._loop = loop

    def call(self, work: Callable[[], ResultT]) -> ResultT:
        """Run ``work`` inside the simulator's thread and return its result."""

        async def run() -> ResultT:
            return work()

        future: Future[ResultT] = asyncio.run_coroutine_threadsafe(run(), self._loop)
        return future.result(_CALL_TIMEOUT_S)

    def advance_replay(self, frames: int = 1) -> int:
        """Show up to ``frames`` more frames of every recording; return how many there were."""
        return self.call(
            lambda: sum(replay.advance(frames) for replay in self.world.distinct_replays())
        )

    def set_book(
        self,
        venue: str,
        symbol: str,
        bids: Sequence[tuple[str | Decimal, str | Decimal]],
        asks: Sequence[tuple[str | Decimal, str | Decimal]],
    ) -> None:
        """Make the house's quotes exactly these levels of price and quantity."""
        where = self.world.venues[venue]
        listing = where.engine.listings[symbol]
        sides = [
            {
                listing.to_ticks(Decimal(price)): int(Decimal(quantity) / listing.rules.lot)
                for price, quantity in levels
            }
            for levels in (bids, asks)
        ]
        self.call(lambda: where.quote(listing, sides[0], sides[1]))

    def add_fault(self, venue: str, kind: str, **more: Any) -> int:
        """Let something go wrong: a kind of ``FaultKind`` and other fields of ``FaultConfig``.

        Returns:
            The number by which ``remove_fault`` knows it.

        Raises:
            InvalidInput: the fault makes no sense at the venue.
        """
        value = {"kind": kind} | more
        return self.call(lambda: arm(self.world, self.world.venues[venue], value))

    def list_faults(self, venue: str) -> list[dict[str, Any]]:
        """Return the armed faults: id, what was asked for, how often it struck, what is left."""
        return self.call(self.world.faults[venue].rows)

    def count_strikes(self, venue: str) -> dict[str, int]:
        """Return how often each kind of fault ever struck."""
        return self.call(lambda: dict(self.world.faults[venue].struck))

    def remove_fault(self, venue: str, number: int) -> bool:
        """Disarm one fault; return whether it was armed."""
        return self.call(lambda: self.world.faults[venue].remove(number))

    def clear_faults(self, venue: str) -> None:
        """Let nothing go wrong any more."""
        self.call(self.world.faults[venue].clear)

    def statement(self, venue: str, label: str) -> Mapping[str, Any]:
        """Return what an account owns, exactly."""
        return self.call(lambda: statement(self.world, self.world.venues[venue], label))


class RunningSimulator:
    """A simulator in a thread of this process.

    Attributes:
        url: its address; the REST origin of a venue is ``{url}/{code}``.
        ws_url: the same for WebSockets.
        control: what a test may do to it.
    """

    def __init__(
        self, simulator: Simulator, loop: asyncio.AbstractEventLoop, thread: threading.Thread
    ) -> None:
        self.port = simulator.port
        self.url = f"http://{HOST}:{simulator.port}"
        self.ws_url = f"ws://{HOST}:{simulator.port}"
        self.control = Control(simulator.world, loop)
        self._loop = loop
        self._thread = thread

    def stop(self) -> None:
        """Stop it in an orderly way; a second call does nothing."""
        if self._thread.is_alive():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_START_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_in_thread(
    config: SimulatorConfig | Mapping[str, Any], state_dir: Path | None = None, *, port: int = 0
) -> RunningSimulator:
    """Start a simulator in a thread of this process, on a free port unless one is given.

    Raises:
        InvalidInput: the configuration or a recording is not usable.
        Unavailable: the port is taken.
    """
    checked = parse_config(config)
    started: Future[tuple[Simulator, asyncio.AbstractEventLoop]] = Future()

    def live() -> None:
        # The runner ends what is still at work: requests that are answered late, for one.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                simulator = Simulator(checked, port=port, state_dir=state_dir)
                runner.run(simulator.open())
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                started.set_exception(error)
                return
            loop = runner.get_loop()
            started.set_result((simulator, loop))
            loop.run_forever()
            runner.run(simulator.close())

    thread = threading.Thread(target=live, name="simulator", daemon=True)
    thread.start()
    simulator, loop = started.result(_START_TIMEOUT_S)
    return RunningSimulator(simulator, loop, thread)
