"""A clock whose wall time is set while the monotonic one runs on."""

from datetime import datetime

from arbplatform.core.clock import FixedClock, from_ms


class JumpingClock(FixedClock):
    """Stands still until it is moved, or set."""

    jumped_ms = 0

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        return self.at_ms + self.jumped_ms

    def jump_ms(self, distance_ms: int) -> None:
        """Set the wall clock forward, or back."""
        self.jumped_ms += distance_ms
