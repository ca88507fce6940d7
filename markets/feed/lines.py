"""The connections to one venue: as few as hold all its markets."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

from markets.feed.line import Line, LineOwner, fullest_with_room
from markets.feed.pace import DialBudget
from markets.feed.venue import FeedKit
from markets.gateway.ccxt_stream import VenueStreams


class Lines:
    """Puts markets on connections.

    Args:
        owner: is told what happens on them.
        streams: of the venue.
        kit: what the feeds of all venues share.
    """

    def __init__(self, owner: LineOwner, streams: VenueStreams, kit: FeedKit) -> None:
        self._owner = owner
        self._streams = streams
        self._kit = kit
        self._dials = DialBudget(streams.facts.dials_per_minute)
        self._lines: list[Line] = []
        self._line_of: dict[str, Line] = {}
        self._count = 0
        self._closing: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Line]:
        """Yield every connection, those that are closed for the moment as well."""
        return iter(self._lines)

    def of(self, symbol: str) -> Line | None:
        """Return the connection of a market; ``None`` if it has none."""
        return self._line_of.get(symbol)

    def open_of(self, symbol: str) -> Line | None:
        """Return the connection of a market if it stands."""
        line = self._line_of.get(symbol)
        return line if line is not None and line.is_open else None

    def add(self, symbol: str) -> None:
        """Put a market on the fullest connection with room, or on a new one."""
        line = fullest_with_room(self._lines) or self._new_line()
        self._line_of[symbol] = line
        line.add(symbol)

    def remove(self, symbol: str) -> None:
        """Take a market off its connection; one without markets is ended."""
        line = self._line_of.pop(symbol, None)
        if line is None:
            return
        line.remove(symbol)
        if not line.symbols:
            self._lines.remove(line)
            self._run(line.close())

    @property
    def are_all_open(self) -> bool:
        """Whether every connection stands."""
        return all(line.is_open for line in self._lines)

    @property
    def quietest_at_ms(self) -> float | None:
        """When that open connection gave a sign of life that was silent for longest [ms]."""
        return min((line.alive_at_ms for line in self._lines if line.is_open), default=None)

    async def close(self) -> None:
        """End every connection."""
        lines, self._lines = self._lines, []
        await asyncio.gather(*(line.close() for line in lines), *self._closing)

    def _new_line(self) -> Line:
        self._count += 1
        line = Line(
            number=self._count,
            owner=self._owner,
            streams=self._streams,
            dials=self._dials,
            timing=self._kit.timing,
            random=self._kit.random,
            now_ms=self._kit.ages.now_ms,
        )
        self._lines.append(line)
        return line

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
