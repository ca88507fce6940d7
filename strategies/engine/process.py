"""The life of an engine process: its start, its signals, and an end that loses nothing.

The main thread is one asyncio loop. Told to end, the process takes up nothing new, lets what is
under way finish, gives its strategies back as that ends, and goes; another engine has them within a
second. A process that has grown too large does the same by itself and is started again. Anything
that crashes ends the process at once: its leases run out, and what it had begun is recovered.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from django.conf import settings

from arbplatform.background.awake import awake
from arbplatform.background.draining import DRAIN
from arbplatform.background.lifecycle import engine_ending, engine_ready
from ledger.services.readiness import READINESS
from strategies.engine.keeper import LeaseKeeper
from strategies.services.leases import Engine

logger = logging.getLogger(__name__)

Work = Callable[[LeaseKeeper], Awaitable[None]]
"""What the engine does with the strategies that it holds, until it is cancelled."""

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
LOOK_EVERY_S: Final = 0.1
MEASURE_EVERY_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 5.0
"""So long may the work take to close its connections [s]."""
SWITCH_INTERVAL_S: Final = 0.000_2
"""A thread that has an answer of the database waits at most so long for one that computes [s]; by
default 5 ms, which is more than a decision takes from book to venue."""
GC_THRESHOLDS: Final = (20_000, 20, 50)
"""The collector looks at young objects less often than by default, and hardly ever at old ones:
there are few cycles, and each look at all objects stops the loop for tens of milliseconds."""
GRACE_MS: Final = 2_000
"""After what runs was told to hand over, so long is waited until it has [ms]."""


class EngineProcess:
    """One run of an engine.

    Args:
        keeper: of its leases.
        work: what it does with them.
        memory_mb_max: above this it recycles itself [MiB]; 0 is never.
        read_rss_mb: tells how much memory the process uses [MiB].
    """

    def __init__(
        self,
        keeper: LeaseKeeper,
        work: Work,
        *,
        memory_mb_max: int,
        read_rss_mb: Callable[[], float],
    ) -> None:
        self._keeper = keeper
        self._work = work
        self._memory_mb_max = memory_mb_max
        self._read_rss_mb = read_rss_mb
        self._ending = asyncio.Event()
        self._has_crashed = False

    async def run(self) -> int:
        """Run until told to end; return the exit code: 0 in order, 1 after a crash."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self.end)
        self._keeper.on_crash = partial(self._crash_from_thread, loop)
        work = asyncio.ensure_future(self._work(self._keeper))
        work.add_done_callback(self._look_at)
        measuring = asyncio.create_task(self._measure())
        self._keeper.start()
        logger.info("Engine %s runs", self._keeper.engine.name)
        await self._ending.wait()
        measuring.cancel()
        if not self._has_crashed:
            await self._hand_over()
        work.cancel()
        with suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(asyncio.gather(work, return_exceptions=True), CLOSE_TIMEOUT_S)
        await asyncio.to_thread(self._keeper.stop)
        DRAIN.report()
        return int(self._has_crashed)

    def end(self) -> None:
        """Take up nothing new, and end when what is under way has ended."""
        DRAIN.begin()
        self._keeper.drain()
        self._ending.set()

    async def _hand_over(self) -> None:
        longest_ms = settings.WORKER_DRAIN_MS + GRACE_MS
        while not self._keeper.is_empty and DRAIN.elapsed_ms < longest_ms:
            if self._has_crashed:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _measure(self) -> None:
        while self._memory_mb_max:
            used_mb = self._read_rss_mb()
            if used_mb > self._memory_mb_max:
                logger.warning(
                    "This engine uses %d MiB of memory and may use %d: it hands its strategies "
                    "over and is started again",
                    used_mb,
                    self._memory_mb_max,
                )
                self.end()
                return
            await asyncio.sleep(MEASURE_EVERY_S)

    def _look_at(self, work: "asyncio.Future[None]") -> None:
        if work.cancelled():
            return
        error = work.exception()
        if error is not None or not self._ending.is_set():
            logger.error("The engine has crashed and ends", exc_info=error)
            self._crash()

    def _crash_from_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(self._crash)

    def _crash(self) -> None:
        self._has_crashed = True
        self._ending.set()


def run_engine(work: Work) -> int:
    """Run an engine in this process until it is told to end; return the exit code.

    Args:
        work: what it does with the strategies that it holds.
    """
    tune()
    READINESS.begin()
    keeper = LeaseKeeper(Engine.on(settings.MACHINE_NAME, os.getpid()))

    async def main() -> int:
        process = EngineProcess(
            keeper,
            work,
            memory_mb_max=settings.ENGINE_MEMORY_MAX_MB,
            read_rss_mb=read_rss_mb,
        )
        return await process.run()

    engine_ready.send(sender=run_engine)
    try:
        with (
            awake(settings.CPU_WAKE_US_MAX),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            return runner.run(main())
    finally:
        engine_ending.send(sender=run_engine)


def tune() -> None:
    """Make the interpreter suit a process in which one loop and some threads are in a hurry."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # what was imported stays: the collector need not look at it again and again
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def read_rss_mb() -> float:
    """Return how much memory this process uses at present [MiB]."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        # no Linux: the most that it ever used
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
