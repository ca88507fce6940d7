"""One connection to a venue that is opened again for as long as somebody wants its markets."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice
from math import inf
from random import Random
from typing import Any, Protocol

from arbplatform.core.errors import Message
from markets.feed.pace import STEADY_MS, Backoff, DialBudget
from markets.feed.reasons import SILENT, failed
from markets.feed.timing import Timing
from markets.gateway.ccxt_stream import VenueStreams
from markets.gateway.sockets import Socket

logger = logging.getLogger(__name__)


class LineOwner(Protocol):
    """Who is told what happens on a line; every call is quick and raises nothing."""

    def line_opened(self, line: "Line") -> None:
        """The connection stands; subscriptions follow."""
        ...

    def line_subscribed(self, line: "Line", symbols: Sequence[str], message: Any) -> None:
        """The subscription ``message`` of these markets is about to be sent."""
        ...

    def line_said(self, line: "Line", payload: str | bytes, at_ms: float) -> None:
        """A message came in at ``at_ms`` [ms, the steady clock]."""
        ...

    def line_closed(self, line: "Line", reason: Message) -> None:
        """The connection has ended, or could not be opened."""
        ...


class Line:
    """One connection and the markets on it.

    Args:
        number: tells lines of one venue apart.
        owner: is told what happens.
        streams: of the venue.
        dials: turns of the venue's connections.
        timing: how long to wait for what.
        random: source of chance for pauses.
        now_ms: reads the steady clock [ms].

    Attributes:
        symbols: markets that are, or shall be, subscribed here.
        open_count: how often it was opened.
    """

    def __init__(
        self,
        *,
        number: int,
        owner: LineOwner,
        streams: VenueStreams,
        dials: DialBudget,
        timing: Timing,
        random: Random,
        now_ms: Callable[[], float],
    ) -> None:
        self.number = number
        self.symbols: set[str] = set()
        self.open_count = 0
        self._owner = owner
        self._streams = streams
        self._dials = dials
        self._now_ms = now_ms
        self._timing = timing
        self._backoff = Backoff(
            random, first_ms=timing.first_pause_ms, longest_ms=timing.longest_pause_ms
        )
        self._socket: Socket | None = None
        self._leaving: dict[str, None] = {}
        self._joining: dict[str, None] = {}
        self._has_mail = asyncio.Event()
        self._is_ping_due = False
        self._pinged_at_ms = -inf
        self._task: asyncio.Task[None] | None = None
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether the connection stands."""
        return self._socket is not None

    @property
    def has_room(self) -> bool:
        """Whether one more market fits."""
        return len(self.symbols) < self._streams.facts.per_line

    @property
    def alive_at_ms(self) -> float:
        """When the last frame of any kind came [ms, the steady clock]; never while it is closed."""
        return -inf if self._socket is None else self._socket.frame_at_ms

    def add(self, symbol: str) -> None:
        """Subscribe to one more market."""
        self.symbols.add(symbol)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        elif self._socket is not None:
            self._joining[symbol] = None
            self._has_mail.set()

    def remove(self, symbol: str) -> None:
        """End the subscription of a market."""
        self.symbols.discard(symbol)
        self._joining.pop(symbol, None)
        if self._socket is not None:
            self._leaving[symbol] = None
            self._has_mail.set()

    def renew(self, symbol: str) -> None:
        """Subscribe to a market anew: the venue then sends a new snapshot where it sends any."""
        if self._socket is not None and symbol not in self._joining:  # else that is under way
            self._leaving[symbol] = self._joining[symbol] = None
            self._has_mail.set()

    def look(self, now_ms: float) -> None:
        """Ask a silent connection for a sign of life, and give up one that stays silent."""
        silent_ms = 0 if self._socket is None else now_ms - self._socket.frame_at_ms
        if silent_ms > self._timing.dead_after_ms:
            self.drop(SILENT)
        elif silent_ms > self._timing.ping_after_ms:
            self._ping(now_ms)

    def _ping(self, now_ms: float) -> None:
        if now_ms - self._pinged_at_ms >= self._timing.ping_after_ms:
            self._pinged_at_ms = now_ms
            self._is_ping_due = True
            self._has_mail.set()

    def drop(self, reason: Message) -> None:
        """Give the connection up and open another one; the owner hears of it at once."""
        socket = self._lose(reason)
        if socket is not None:
            self._spawn_close(socket)

    async def close(self) -> None:
        """End the connection for good."""
        socket, self._socket = self._socket, None
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if socket is not None:
            await socket.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._dials.reserve_ms(self._now_ms()) / 1_000)
            opened_ms = self._now_ms()
            try:
                await self._serve()
            except Exception as error:  # noqa: BLE001  whatever it was: it is tried again
                logger.info("Line %d of %s: %r", self.number, self._streams.spec.code, error)
                self._lose(failed(error), is_never_open=True)
            if self._now_ms() - opened_ms > STEADY_MS:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next_ms() / 1_000)

    async def _serve(self) -> None:
        """Open the connection and hand over what it says until it ends."""
        phrase = await self._streams.compose(sorted(self.symbols)[:1])
        socket = await self._streams.connect(phrase.url)
        self._socket = socket
        self.open_count += 1
        self._leaving = {}
        self._joining = dict.fromkeys(sorted(self.symbols))
        self._has_mail.set()
        self._owner.line_opened(self)
        writer = asyncio.get_running_loop().create_task(self._write(socket))
        try:
            reason = await socket.pump(self._hear)
        finally:
            writer.cancel()
        if self._socket is socket:
            self._lose(reason)
            await socket.close()

    def _hear(self, payload: str | bytes, at_ms: float) -> None:
        if self._socket is not None:
            self._owner.line_said(self, payload, at_ms)

    def _lose(self, reason: Message, *, is_never_open: bool = False) -> Socket | None:
        socket, self._socket = self._socket, None
        if socket is not None or is_never_open:
            self._owner.line_closed(self, reason)
        return socket

    async def _write(self, socket: Socket) -> None:
        """Send what is to be said, at the venue's pace; a failure ends the connection."""
        pause_s = self._streams.facts.pause_ms / 1_000
        try:
            while True:
                await self._has_mail.wait()
                if self._leaving:
                    await self._leave(socket)
                elif self._joining:
                    await self._join(socket)
                elif self._is_ping_due:  # last, for every answer is a sign of life as well
                    self._is_ping_due = False
                    await socket.ping()
                else:
                    self._has_mail.clear()
                    continue
                await asyncio.sleep(pause_s)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  what cannot be said must not be taken as said
            logger.info("Line %d of %s: %r", self.number, self._streams.spec.code, error)
            if self._socket is socket:
                self.drop(failed(error))

    async def _leave(self, socket: Socket) -> None:
        symbols = self._next_of(self._leaving)
        phrase = await self._streams.compose(symbols, is_leaving=True)
        await socket.send(phrase.message)

    async def _join(self, socket: Socket) -> None:
        symbols = self._next_of(self._joining)
        phrase = await self._streams.compose(symbols)
        if self._socket is socket:  # told first: the answer may come before the sending returns
            self._owner.line_subscribed(self, symbols, phrase.message)
            await socket.send(phrase.message)

    def _next_of(self, waiting: dict[str, None]) -> list[str]:
        """Take as many markets as one message may hold."""
        symbols = list(islice(waiting, self._streams.facts.batch))
        for symbol in symbols:
            del waiting[symbol]
        return symbols

    def _spawn_close(self, socket: Socket) -> None:
        task = asyncio.get_running_loop().create_task(socket.close())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def fullest_with_room(lines: Collection[Line]) -> Line | None:
    """Return the fullest line that still has room, so that few connections are used."""
    free = [line for line in lines if line.has_room]
    return max(free, key=lambda line: len(line.symbols), default=None)
