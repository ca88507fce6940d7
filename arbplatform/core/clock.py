"""The only place that reads the machine's clocks.

Pure code gets ``now_ms`` as an argument; shells take a ``Clock``. Wall time is UTC; durations come
from the monotonic clock, which no NTP step can turn back.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        ...

    def now_ms(self) -> int:
        """Return the present moment [ms since the Unix epoch]."""
        ...

    def monotonic_ms(self) -> float:
        """Return a reading [ms] that only differences of make sense of."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(tz=UTC)

    def now_ms(self) -> int:
        """Return the present moment [ms since the Unix epoch]."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        """Return the monotonic reading [ms]."""
        return time.monotonic_ns() / 1_000_000


@dataclass(slots=True)
class FixedClock:
    """A clock that stands still until it is told to move: for tests and replays.

    Attributes:
        at_ms: the present moment [ms since the Unix epoch].
    """

    at_ms: int

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return from_ms(self.at_ms)

    def now_ms(self) -> int:
        """Return the present moment [ms since the Unix epoch]."""
        return self.at_ms

    def monotonic_ms(self) -> float:
        """Return the same reading as the wall clock [ms]."""
        return float(self.at_ms)

    def advance_ms(self, duration_ms: int) -> None:
        """Move the clock forward.

        Args:
            duration_ms: how far [ms], not negative.
        """
        self.at_ms += duration_ms


SYSTEM_CLOCK = SystemClock()


def elapsed_ms() -> float:
    """Return a monotonic reading [ms] that goes on while the machine sleeps.

    The right one for what others may take over in the meantime. ``monotonic_ms`` stands still
    then, so that a pause shows as a jump of the wall clock.
    """
    source = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(source) / 1_000_000


def wall_ns() -> int:
    """Return the present moment [ns since the Unix epoch]: for recordings, whose order counts."""
    return time.time_ns()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(moment_ms: int) -> datetime:
    """Return a Unix time [ms] as an aware UTC datetime, exact to the millisecond."""
    return _EPOCH + timedelta(milliseconds=moment_ms)


def to_ms(moment: datetime) -> int:
    """Return an aware datetime as Unix time [ms], rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
