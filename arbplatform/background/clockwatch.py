"""Notices when the machine's clock was set: NTP made a step, or the machine was paused."""

from arbplatform.core.clock import SYSTEM_CLOCK, Clock


class ClockWatch:
    """Compares wall and monotonic time between two looks.

    Durations are measured by the monotonic clock, but rows, signatures and the ages of books bear
    the wall's time: after a step neither an age nor an offset that was measured before holds.

    Args:
        limit_ms: a smaller difference between two looks is no jump [ms].
        clock: the machine's clocks.
    """

    def __init__(self, *, limit_ms: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._limit_ms = limit_ms
        self._clock = clock
        self._wall_ms, self._monotonic_ms = clock.now_ms(), clock.monotonic_ms()

    def look(self) -> int:
        """Return how far the wall clock has jumped since the last look [ms]; mostly 0."""
        wall_ms, monotonic_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        drift_ms = (wall_ms - self._wall_ms) - (monotonic_ms - self._monotonic_ms)
        self._wall_ms, self._monotonic_ms = wall_ms, monotonic_ms
        return round(drift_ms) if abs(drift_ms) >= self._limit_ms else 0
