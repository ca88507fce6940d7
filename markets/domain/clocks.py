"""How far our clock may be from a venue's."""

from dataclasses import dataclass

OFFSET_MS_MAX = 1_000
"""Beyond this, nothing that could move money is sent: times of orders and fills mean nothing."""

ROUND_TRIP_MS_MAX = 1_000
"""A slower answer says too little about the venue's clock: half of it is the error."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One comparison of our clock with a venue's.

    Attributes:
        offset_ms: our clock minus the venue's [ms].
        measured_at_ms: when, by our clock [ms since epoch].
    """

    offset_ms: int
    measured_at_ms: int

    @property
    def is_safe(self) -> bool:
        """Whether writes may go.

        >>> ClockReading(-1_000, 0).is_safe, ClockReading(1_001, 0).is_safe
        (True, False)
        """
        return abs(self.offset_ms) <= OFFSET_MS_MAX
