"""The open connections of this process to one venue that no request is using.

All instances of ccxt for a venue share them, whatever their keys: HTTP ties nothing to a
connection, so an order goes over one that a price was just read with. One that is lent belongs to
its request alone until the answer has been read to its end.
"""

import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from arbplatform.core.clock import SYSTEM_CLOCK

IDLE_MAX: Final = 64
"""Connections that are kept; when there are more, the one unused for longest is closed."""

Origin = tuple[str, Any, Any]
"""Scheme and host of an address, and how its certificate is checked and ours shown."""


class Lender(Protocol):
    """Where requests take their connections from, and bring them back to."""

    def take(self, origin: Origin) -> Any | None:
        """Return an open connection; ``None``: a new one has to be opened."""
        ...

    def put(self, origin: Origin, connection: Any) -> None:
        """Take a connection back whose request is answered."""
        ...

    def clear(self) -> None:
        """Close what nobody uses."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Idle:
    """A connection of urllib3 that waits, and since when by the monotonic clock [ms]."""

    origin: Origin
    connection: Any
    since_ms: float


class Connections:
    """Lends the connection first that was used last; safe to share between threads.

    Whether the venue has closed one is seen without a packet: there is something to read on it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []  # always the same list: it outlives this object
        self._is_closed = False
        weakref.finalize(self, _close, self._idle)

    def take(self, origin: Origin) -> Any | None:
        """Return the open connection that was used last; ``None`` if there is none."""
        return self._take(origin, 0)

    def take_stalest(self, origin: Origin, count: int) -> Any | None:
        """Return, of the ``count`` that were used last, the one unused for longest.

        Returns:
            ``None`` if there are fewer.
        """
        return self._take(origin, count - 1)

    def put(self, origin: Origin, connection: Any) -> None:
        """Take a connection back; one that was closed with its answer is forgotten."""
        idle = _Idle(origin, connection, SYSTEM_CLOCK.monotonic_ms())
        with self._lock:
            if connection.sock is not None and not self._is_closed:
                self._idle.append(idle)
                surplus = self._idle.pop(0) if len(self._idle) > IDLE_MAX else None
            else:
                surplus = idle
        if surplus is not None:
            surplus.connection.close()

    def drop_closed(self) -> None:
        """Forget those that their venue has closed."""
        with self._lock:
            idle = list(self._idle)
        # not under the lock, which an order may want; one that was lent meanwhile is not ours
        found = [each for each in idle if not each.connection.is_connected]
        with self._lock:
            closed = [each for each in found if each in self._idle]
            for each in closed:
                self._idle.remove(each)
        _close(closed)

    def ages_ms(self, origin: Origin) -> list[float]:
        """Return how long each connection to ``origin`` is unused, the last used first [ms]."""
        now_ms = SYSTEM_CLOCK.monotonic_ms()
        with self._lock:
            return [
                now_ms - each.since_ms for each in reversed(self._idle) if each.origin == origin
            ]

    def clear(self) -> None:
        """Close all that nobody uses."""
        with self._lock:
            idle = list(self._idle)
            self._idle.clear()
        _close(idle)

    def close(self) -> None:
        """Close all that nobody uses, and the others as they come back."""
        self._is_closed = True
        self.clear()

    def _take(self, origin: Origin, place: int) -> Any | None:
        """Return an open connection by its place among those to ``origin``, last used first."""
        while (idle := self._pick(origin, place)) is not None:
            if idle.connection.is_connected:
                return idle.connection
            idle.connection.close()
        return None

    def _pick(self, origin: Origin, place: int) -> _Idle | None:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index].origin == origin:
                    if place == 0:
                        return self._idle.pop(index)
                    place -= 1
        return None


def _close(idle: Iterable[_Idle]) -> None:
    for each in idle:
        each.connection.close()
