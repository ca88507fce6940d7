"""The scanner process: follows the best prices of all enabled venues, and says what earns.

It trades nothing and nothing depends on it, so it runs beside the engines and not in them: taking
in the prices of thousands of markets would cost them milliseconds. Any number may run; one of them
holds the lease and scans, the others wait.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import uvloop
from django.db import connections

from arbplatform.background.heartbeat import SCANNER, Pulse
from arbplatform.core.errors import ArbError
from markets.domain.quote import Ticker
from markets.feed.tickers import TickerHub
from markets.services.shared_pulses import share_beside
from strategies.services.live_scan import LiveScanner
from strategies.services.scan_rows import publish_scan
from strategies.services.scan_store import ScannerLease
from strategies.services.sightings import Failure, Source

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

SCAN_EVERY_S: Final = 1.0
RELOAD_EVERY_S: Final = 30.0
"""How often it is looked which venues and markets there are [s]."""
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class _Told:
    """Hands on to the scanner what the hub tells."""

    def __init__(self, scanner: LiveScanner) -> None:
        self._scanner = scanner

    def tickers_changed(self, venue: str, tickers: Iterable[Ticker], *, is_streamed: bool) -> None:
        source = Source.STREAM if is_streamed else Source.REST
        self._scanner.tickers_changed(venue, tickers, source)

    def venue_lost(self, venue: str, error: ArbError) -> None:
        self._scanner.venue_lost(venue, Failure(error.code, error.message))


class ScannerProcess:
    """One run of the scanner; made and used on one running loop.

    Args:
        scanner: knows what earns.
        lease: the right to scan.
        pulse: shows that it lives.
        every_s: from one scan to the next [s].
    """

    def __init__(
        self,
        scanner: LiveScanner,
        lease: ScannerLease,
        pulse: Pulse,
        *,
        every_s: float = SCAN_EVERY_S,
    ) -> None:
        self._scanner = scanner
        self._lease = lease
        self._pulse = pulse
        self._every_s = every_s
        self._ending = asyncio.Event()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="scanner")
        self._hub: TickerHub | None = None
        self._reload_at = 0.0

    async def run(self) -> None:
        """Scan until told to end."""
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                await self._step()
            except Exception:
                logger.exception("The scanner has failed and tries again")
            rest_s = max(0.0, began + self._every_s - time.monotonic())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), rest_s)
        await self._rest()
        await self._in_thread(self._lease.leave)
        await self._in_thread(self._pulse.withdraw)
        self._threads.shutdown()

    def end(self) -> None:
        """End after the present scan."""
        self._ending.set()

    async def _step(self) -> None:
        if await self._in_thread(self._lease.hold):
            await self._scan()
        else:
            await self._rest()
        await self._in_thread(self._pulse.show)

    async def _scan(self) -> None:
        if self._hub is None:
            self._hub = TickerHub(listener=_Told(self._scanner))
            self._reload_at = 0.0
        if time.monotonic() >= self._reload_at:
            self._hub.want(await self._in_thread(self._scanner.reload))
            self._reload_at = time.monotonic() + RELOAD_EVERY_S
        await self._in_thread(lambda: publish_scan(self._scanner.scan()))

    async def _rest(self) -> None:
        """Follow no venue any more, and believe nothing that was told when that begins again."""
        if self._hub is not None:
            hub, self._hub = self._hub, None
            await hub.close()
            await self._in_thread(self._scanner.forget)

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _clean, work)


def _clean(work: Callable[[], ResultT]) -> ResultT:
    """Do something; close database connections that it has left unusable or that are old."""
    try:
        return work()
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()


def run_scanner() -> None:
    """Scan in this process until it is told to end."""

    async def main() -> None:
        process = ScannerProcess(LiveScanner(), ScannerLease(), Pulse(SCANNER))
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, process.end)
        await process.run()

    share_beside("scanner")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
