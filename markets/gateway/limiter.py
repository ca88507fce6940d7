"""Keeps the rate of requests to one venue below what it allows, without queueing bursts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

BURST_MS = 5_000
"""A silence of this long may be spent at once: venues count per minute, not per request."""

RESERVE_MS = 2_000
"""What reads leave of a burst, so that a storm of questions never keeps an order back [ms]."""

BACKGROUND_RESERVE_MS = 3_500
"""What reads leave that nobody waits for [ms]."""

LOOKUP_RESERVE_MS = 1_000
"""What reads about orders leave: less than others do, so that they never starve [ms]."""

WAIT_MS_MAX = 2_000
"""Longest wait for a request's turn [ms]; a price that comes later is worth nothing."""

ACCOUNTS_MAX = 256
"""Accounts whose orders are counted at the same time."""

TRIES_MAX = 20
"""A read that others overtook asks again, but not more often than this."""

BACKGROUND_WAIT_MS = 60_000
"""Longest wait between the calls of one block in the background [ms]: others share its worker."""


@dataclass(slots=True)
class Background:
    """One block that nobody waits for.

    Attributes:
        left_ms: how long it may still wait between its calls [ms].
    """

    left_ms: float = BACKGROUND_WAIT_MS


_BACKGROUND: ContextVar[Background | None] = ContextVar("background", default=None)


class Urgency(IntEnum):
    """Who goes first when there is little left."""

    READ = 0
    """Prices and everything else that can be had a moment later."""
    LOOKUP = 1
    """What became of an order: money waits for the answer."""
    WRITE = 2
    """Orders and cancellations."""


class TooManyRequests(Exception):
    """The turn of a request would come too late, or the venue has told us to be silent.

    Args:
        wait_ms: until there would be room [ms].
        is_blocked: the venue itself wants no request until then.
    """

    def __init__(self, wait_ms: float, *, is_blocked: bool = False) -> None:
        self.wait_ms = wait_ms
        self.is_blocked = is_blocked
        super().__init__(f"no room for another request for {wait_ms:.0f} ms")


class Limiter(Protocol):
    """Paces the requests to one venue."""

    def acquire(
        self, cost: float = 1.0, *, urgency: Urgency = Urgency.WRITE, account: str = ""
    ) -> None:
        """Wait for a turn.

        Args:
            cost: the request's weight in units of the venue's class.
            urgency: what is less urgent leaves a reserve for what is more.
            account: whose order count it adds to; empty if it is no new order.

        Raises:
            TooManyRequests: it would come too late, nothing is reserved.
        """
        ...

    def silence(self, duration_ms: float) -> None:
        """Send nothing for ``duration_ms`` [ms]: the venue asked for it."""
        ...

    def silent_ms(self) -> float:
        """Return how long the venue still wants silence [ms]."""
        ...

    def hold_orders(self, account: str) -> None:
        """Send no order of ``account`` for a while: the venue says there were too many."""
        ...


_RESERVES_MS = {
    Urgency.READ: RESERVE_MS,
    Urgency.LOOKUP: RESERVE_MS - LOOKUP_RESERVE_MS,
    Urgency.WRITE: 0,
}


def reserve_of(urgency: Urgency, cost_ms: float, burst_ms: float = BURST_MS) -> float:
    """Return what a request must leave to more urgent ones [ms].

    One that needs nearly all there is leaves nothing, or it could never go.

    Args:
        urgency: of the request.
        cost_ms: what it takes [ms].
        burst_ms: what there is at most [ms].
    """
    is_idle = _BACKGROUND.get() is not None and urgency is not Urgency.WRITE
    reserves = (BACKGROUND_RESERVE_MS, RESERVE_MS) if is_idle else (_RESERVES_MS[urgency],)
    return next((float(one) for one in reserves if cost_ms + one <= burst_ms), 0.0)


@contextmanager
def in_background() -> Iterator[None]:
    """Let the reads of this thread come after all others until the block ends.

    For what nobody waits for, such as comparing the books with a venue: prices, look-ups and
    orders find room before it.
    """
    token = _BACKGROUND.set(Background())
    try:
        yield
    finally:
        _BACKGROUND.reset(token)


def background() -> Background | None:
    """Return the block that this thread is in, if nobody waits for what it reads."""
    return _BACKGROUND.get()


class RateLimiter:
    """A token bucket that is shared by every connection of this process to one venue.

    Writes take their turn at once and wait for it. Reads that find no room take nothing: they
    wait and ask again, so whatever flows in meanwhile belongs to writes first, and then to
    look-ups of orders.

    Args:
        unit_ms: what one unit of cost takes [ms]; 0 is no limit.
        order_ms: what one order takes of its account's count [ms]; 0 is no limit.
        hold_ms: how long no order goes after the venue said there were too many [ms].
        now_ms: a monotonic clock [ms].
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        unit_ms: float,
        *,
        order_ms: float = 0.0,
        hold_ms: float = 0.0,
        now_ms: Callable[[], float] = lambda: time.monotonic_ns() / 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.unit_ms = unit_ms
        self._order_ms = order_ms
        self._hold_ms = hold_ms
        self._now_ms = now_ms
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_from_ms = now_ms() - BURST_MS
        self._orders_from_ms: dict[str, float] = {}
        self._silent_until_ms = 0.0

    def acquire(
        self, cost: float = 1.0, *, urgency: Urgency = Urgency.WRITE, account: str = ""
    ) -> None:
        """Wait until ``cost`` units fit; several callers wait at the same time.

        Raises:
            TooManyRequests: that would take longer than ``WAIT_MS_MAX``; nothing is reserved.
        """
        reserve_ms = reserve_of(urgency, cost * self.unit_ms)
        waited_ms = 0.0
        for _try in range(TRIES_MAX):
            wait_ms, is_taken = self._take(cost, reserve_ms, account)
            if waited_ms + wait_ms > WAIT_MS_MAX:
                break
            if wait_ms > 0:
                self._sleep(wait_ms / 1_000)
            if is_taken:
                return
            waited_ms += wait_ms
        else:
            wait_ms = WAIT_MS_MAX
        raise TooManyRequests(wait_ms, is_blocked=self.silent_ms() > 0)

    def silence(self, duration_ms: float) -> None:
        """Send nothing for ``duration_ms`` [ms]: the venue asked for it."""
        with self._lock:
            self._silent_until_ms = max(self._silent_until_ms, self._now_ms() + duration_ms)

    def silent_ms(self) -> float:
        """Return how long the venue still wants silence [ms]."""
        return max(0.0, self._silent_until_ms - self._now_ms())

    def hold_orders(self, account: str) -> None:
        """Send no order of ``account`` for a while: the venue says there were too many."""
        with self._lock:
            self._note_order(account, self._now_ms() + self._hold_ms)

    def _take(self, cost: float, reserve_ms: float, account: str) -> tuple[float, bool]:
        """Return the wait [ms] and whether the turn after it is taken."""
        with self._lock:
            now_ms = self._now_ms()
            end_ms = max(self._free_from_ms, now_ms - BURST_MS) + cost * self.unit_ms
            orders_end_ms = self._order_ms + max(
                self._orders_from_ms.get(account, 0.0), now_ms - BURST_MS
            )
            wait_ms = max(end_ms + reserve_ms, self._silent_until_ms, now_ms) - now_ms
            if account:
                wait_ms = max(wait_ms, orders_end_ms - now_ms)
            if wait_ms > WAIT_MS_MAX or (reserve_ms and wait_ms > 0):
                return wait_ms, False
            self._free_from_ms = end_ms
            if account:
                self._note_order(account, orders_end_ms)
            return wait_ms, True

    def _note_order(self, account: str, from_ms: float) -> None:
        self._orders_from_ms.pop(account, None)
        self._orders_from_ms[account] = from_ms
        if len(self._orders_from_ms) > ACCOUNTS_MAX:
            del self._orders_from_ms[next(iter(self._orders_from_ms))]
