"""Counts, for one venue and process, what calls meet; decides nothing but to stop when blocked."""

import threading
from collections.abc import Callable
from typing import Final

import ccxt

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.domain.health import Pulse, Signal, VenueState
from markets.errors import (
    OrderTooLate,
    OutcomeUnknown,
    VenueAuthFailed,
    VenueBlocked,
    VenueClockSkewed,
    VenueClosed,
    VenueError,
    VenueRateLimited,
    VenueUnavailable,
)

PLACE_STATUSES: Final = frozenset({403, 451})
"""HTTP statuses that refuse where we are, if the venue names no other cause."""

ALONE_MS: Final = 300_000
"""So long a process that was refused its place waits for all to know that the venue is blocked
[ms]. Of web and scanner nobody is told: they ask again then, as there is no block to be lifted."""


class PulseCounter:
    """The pulse of one venue, shared by all threads of the process.

    Args:
        read_ms: a monotonic clock [ms].
    """

    def __init__(self, read_ms: Callable[[], float] = SYSTEM_CLOCK.monotonic_ms) -> None:
        self._read_ms = read_ms
        self._lock = threading.Lock()
        self._pulse = Pulse()
        self._known_since_ms = 0
        self._is_blocked = False
        self._keeps_away_until_ms = 0.0

    @property
    def pulse(self) -> Pulse:
        """What calls met since the venue's state last changed, and the notice that changed it."""
        return self._pulse

    @property
    def is_blocked(self) -> bool:
        """Whether nothing may be sent: a person has to look, or all processes are to hear of it."""
        return self._is_blocked or self._read_ms() < self._keeps_away_until_ms

    def note(self, signal: Signal, cause: object = "") -> None:
        """Count one call."""
        with self._lock:
            self._pulse = self._pulse.after(signal, SYSTEM_CLOCK.now_ms(), cause)
            if self._pulse.is_blocked:
                # do not wait for others to be told: three refusals are enough for this process
                self._keeps_away_until_ms = self._read_ms() + ALONE_MS
            elif signal is Signal.ANSWER:
                self._keeps_away_until_ms = 0.0  # of a call that was under way meanwhile

    def heed(self, state: VenueState, since_ms: int) -> None:
        """Take over the state that all processes share, if it is newer than the one known here.

        Args:
            state: as it is kept.
            since_ms: when it came about [ms since epoch].
        """
        if since_ms <= self._known_since_ms:
            return
        with self._lock:
            self._known_since_ms = since_ms
            self._is_blocked = state is VenueState.BLOCKED
            self._keeps_away_until_ms = 0.0
            self._pulse = self._pulse.left_under(state)


def signal_of(error: VenueError, raised: BaseException, http_status: int) -> Signal | None:
    """Return what a failed call says about its venue; ``None``: nothing.

    Args:
        error: what the caller is told.
        raised: what was raised by the call.
        http_status: of the last answer; 0 without one.
    """
    is_place = isinstance(raised, ccxt.RestrictedLocation) or (
        http_status in PLACE_STATUSES and not isinstance(error, VenueAuthFailed | VenueRateLimited)
    )
    rules = (
        (isinstance(error, VenueClosed), Signal.CANCEL_ONLY),
        (isinstance(raised, ccxt.OnMaintenance), Signal.MAINTENANCE),
        (is_place, Signal.REFUSED_PLACE),
        # budget and clock are kept elsewhere, and what we held back says nothing
        (isinstance(error, VenueRateLimited | VenueClockSkewed | VenueBlocked), None),
        (isinstance(error, OrderTooLate), None),
        (isinstance(error, VenueUnavailable | OutcomeUnknown), Signal.FAILURE),
    )
    return next((signal for is_it, signal in rules if is_it), Signal.ANSWER)
