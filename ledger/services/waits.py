"""Which venues leave orders of this process without an answer at this moment.

A venue that hangs holds whoever sends it an order for as long as requests may take. It must not
get one thread after the other: while an order waits for it, no other one is decided on there.
"""

import os
from collections.abc import Callable
from typing import Final

from arbplatform.core.clock import SYSTEM_CLOCK

HANG_MS: Final = 1_000
"""A venue that has not answered an order for so long hangs [ms]."""
REST_MS: Final = 5_000
"""For so long it is taken to hang still, once an order was given up that it never answered [ms]."""

_NONE: Final[frozenset[str]] = frozenset()


class Waits:
    """The orders of a process that are on their way. Takes no lock: each step is one of a dict.

    Args:
        read_ms: a monotonic clock [ms].
    """

    def __init__(self, read_ms: Callable[[], float] = SYSTEM_CLOCK.monotonic_ms) -> None:
        self._read_ms = read_ms
        self.forget()

    def forget(self) -> None:
        """Begin anew: a child of a fork waits for none of its parent's orders."""
        self._sent: dict[int, tuple[str, float]] = {}
        self._rests_until_ms: dict[str, float] = {}

    def begin(self, order_id: int, venue: str) -> None:
        """Note that an order leaves for a venue."""
        self._sent[order_id] = (venue, self._read_ms())

    def end(self, order_id: int, *, is_lost: bool) -> None:
        """Note that nothing more is waited for; of an order that never left that is no news.

        Args:
            order_id: of the order.
            is_lost: whether the venue gave no answer that can be used.
        """
        sent = self._sent.pop(order_id, None)
        if sent is None or not is_lost:
            return
        (venue, sent_at_ms), now_ms = sent, self._read_ms()
        if now_ms - sent_at_ms >= HANG_MS:
            self._rests_until_ms[venue] = now_ms + REST_MS

    def hanging(self) -> frozenset[str]:
        """Return the codes of the venues that hang; nearly always none."""
        if not (self._sent or self._rests_until_ms):
            return _NONE
        now_ms = self._read_ms()
        late = {venue for venue, at_ms in list(self._sent.values()) if now_ms - at_ms >= HANG_MS}
        ill = {venue for venue, until_ms in list(self._rests_until_ms.items()) if now_ms < until_ms}
        return frozenset(late | ill)


WAITS = Waits()
os.register_at_fork(after_in_child=WAITS.forget)
