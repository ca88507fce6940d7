"""Keeps connections to a venue open and proven, so that an order never has to open one.

To open one takes two and a half round trips before the order is at the venue, where half of one is
enough. So while somebody trades there, a few connections are open, and each answers a question for
the venue's time often enough that neither the venue nor a router on the way closes it for silence.
One that was closed all the same is seen within half a second, without a packet, and opened again.

An order never waits for that: the connection that is being asked is the one that would be lent
last, and the others stay where they are.
"""

import decimal
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.decimals import PRECISION_DIGITS
from markets.gateway.connections import Connections, Lender, Origin
from markets.gateway.limiter import in_background

logger = logging.getLogger(__name__)

EVERY_MS: Final = 15_000
"""A connection that was silent for so long is used [ms]; venues and routers close them after thirty
seconds or more."""

LOOK_S: Final = 0.5
"""How often it is looked for connections that the venue has closed [s]."""

WANTED_MS: Final = 300_000
"""So long after somebody last wanted them connections are kept open [ms]."""

FAILURES_MAX: Final = 5
"""The pause doubles with each connection that could not be opened or was not kept, so often at
most: up to 16 s."""

Build = Callable[[Lender], Any]
"""Makes an instance of ccxt without a key, whose requests leave over such connections."""


class Warmer:
    """Keeps some connections to one venue warm, in a thread that is there while they are wanted.

    Its requests count against the venue's budget, after everything else.

    Args:
        venue: code of it, for the log.
        connections: to it.
        build: makes what asks for the venue's time.
        count: connections that are kept open; 0 is none.
        is_barred: tells whether nothing may be sent to the venue.
    """

    def __init__(
        self,
        venue: str,
        connections: Connections,
        build: Build,
        *,
        count: int,
        is_barred: Callable[[], bool],
    ) -> None:
        self._venue = venue
        self._connections = connections
        self._build = build
        self._count = count
        self._is_barred = is_barred
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted_until_ms = 0.0
        self._failures = 0

    def want(self) -> None:
        """Keep connections open for the next minutes; returns at once."""
        with self._lock:
            self._wanted_until_ms = SYSTEM_CLOCK.monotonic_ms() + WANTED_MS
            if self._thread is not None or not self._count or self._stopping.is_set():
                return
            self._thread = threading.Thread(target=self._work, name="warming", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:
                self._thread = None
                logger.warning("Connections cannot be kept open now: %s", error)

    def stop(self) -> None:
        """Keep nothing open any more; a question that is under way ends by itself."""
        self._stopping.set()

    def _work(self) -> None:
        door = _StalestFirst(self._connections, self._count)
        try:
            client = self._build(door)
            while client.has.get("fetchTime") and self._is_wanted():
                self._stopping.wait(self._see_to(client, door))
        except Exception:
            logger.exception("Connections are not kept open for now")
        finally:
            self._leave()

    def _is_wanted(self) -> bool:
        """Return whether to go on; who wants connections from then on starts another thread."""
        with self._lock:
            is_late = SYSTEM_CLOCK.monotonic_ms() > self._wanted_until_ms
            if is_late or not self._count or self._stopping.is_set():
                self._thread = None
            return self._thread is not None

    def _leave(self) -> None:
        with self._lock:
            if self._thread is threading.current_thread():
                self._thread = None

    def _see_to(self, client: Any, door: "_StalestFirst") -> float:
        """Have the connections that need it asked, one after the other; return the pause [s]."""
        self._connections.drop_closed()
        if self._is_barred():
            return LOOK_S
        for _each in range(self._count):
            if self._stopping.is_set() or not door.is_due():
                break
            if not _ask(client, door):
                if client.sent_count and not door.is_used:
                    self._count = 0  # it left through a proxy, whose connections are not ours
                    return LOOK_S
                return self._pause_s()
        if self._failures >= FAILURES_MAX:
            logger.info("%s: connections are kept open again", self._venue)
        self._failures = 0
        return LOOK_S

    def _pause_s(self) -> float:
        """Return how long to wait after one more that was not kept; say it when it goes on [s]."""
        if self._failures == FAILURES_MAX - 1:
            logger.warning(
                "%s: no connection can be kept open, so orders have to open theirs and arrive late",
                self._venue,
            )
        self._failures = min(self._failures + 1, FAILURES_MAX)
        return float(LOOK_S * 2**self._failures)


class _StalestFirst:
    """Lends the connection first that was unused for longest, or has a new one opened.

    Args:
        connections: of the venue.
        count: how many of them are to be kept.

    Attributes:
        has_kept: whether the last one that was lent came back open.
    """

    def __init__(self, connections: Connections, count: int) -> None:
        self._connections = connections
        self._count = count
        self._origin: Origin | None = None
        self.has_kept = False

    @property
    def is_used(self) -> bool:
        """Whether requests take their connections here."""
        return self._origin is not None

    def is_due(self) -> bool:
        """Return whether a connection is missing, or was silent for long."""
        if self._origin is None:
            return True  # it is known when the first one is opened
        ages_ms = self._connections.ages_ms(self._origin)[: self._count]
        return len(ages_ms) < self._count or ages_ms[-1] >= EVERY_MS

    def take(self, origin: Origin) -> Any | None:
        self._origin = origin
        return self._connections.take_stalest(origin, self._count)

    def put(self, origin: Origin, connection: Any) -> None:
        self.has_kept = connection.sock is not None
        self._connections.put(origin, connection)

    def clear(self) -> None:
        """They are not only ours."""


def _ask(client: Any, door: _StalestFirst) -> bool:
    """Ask for the venue's time; return whether the connection is open afterwards.

    What it answers does not matter: an error comes over a connection that works.
    """
    door.has_kept = False
    client.begin_call()
    try:
        with in_background(), decimal.localcontext(prec=PRECISION_DIGITS):
            client.fetch_time()
    except Exception as error:  # noqa: BLE001  whatever it was: it is asked again later
        logger.debug("%s was asked for its time in vain: %r", client.id, error)
    return door.has_kept
