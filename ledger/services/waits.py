"""Which venues leave orders of this process without an answer at this moment.

A venue that hangs holds whoever sends it an order for as long as requests may take. It must not
get one thread after the other: while an order waits for it, no other one is decided on there, and
once one was given up, the venue gets them one at a time until it answers one.
"""

import os
from collections.abc import Callable, Collection
from threading import Lock
from typing import Final

from arbplatform.core.clock import SYSTEM_CLOCK

HANG_MS: Final = 1_000
"""A venue that has not answered an order for so long hangs [ms]."""
REST_MS: Final = 5_000
"""For so long it is taken to hang still, once an order was given up that it never answered [ms]."""

TRY_MS: Final = 100
"""Who may try such a venue again has sent its order by then, or it came to nothing [ms]."""

_NONE: Final[frozenset[str]] = frozenset()


class Waits:
    """The orders of a process that are on their way.

    Takes no lock while all venues answer: each step is one of a dict.

    Args:
        read_ms: a monotonic clock [ms].
    """

    def __init__(self, read_ms: Callable[[], float] = SYSTEM_CLOCK.monotonic_ms) -> None:
        self._read_ms = read_ms
        self.forget()

    def forget(self) -> None:
        """Begin anew: a child of a fork waits for none of its parent's orders."""
        self._lock = Lock()
        self._sent: dict[int, tuple[str, float]] = {}
        self._rests_until_ms: dict[str, float] = {}  # of who has not answered an order since

    def begin(self, order_id: int, venue: str) -> None:
        """Note that an order leaves for a venue."""
        self._sent[order_id] = (venue, self._read_ms())

    def drop(self, order_id: int) -> None:
        """Note that an order that was about to leave was held back: that is no news."""
        self._sent.pop(order_id, None)

    def end(self, order_id: int, *, is_lost: bool) -> None:
        """Note that nothing more is waited for; of an order that never left that is no news.

        Args:
            order_id: of the order.
            is_lost: whether the venue gave no answer that can be used.
        """
        sent = self._sent.pop(order_id, None)
        if sent is None:
            return
        (venue, sent_at_ms), now_ms = sent, self._read_ms()
        if not is_lost and venue in self._rests_until_ms:
            with self._lock:
                self._rests_until_ms.pop(venue, None)
        elif is_lost and now_ms - sent_at_ms >= HANG_MS:
            self._rests_until_ms[venue] = now_ms + REST_MS

    def hanging(self) -> frozenset[str]:
        """Return the codes of the venues that hang; nearly always none."""
        if not (self._sent or self._rests_until_ms):
            return _NONE
        now_ms = self._read_ms()
        rests = dict(self._rests_until_ms)
        sent = list(self._sent.values())
        late = {venue for venue, at_ms in sent if venue in rests or now_ms - at_ms >= HANG_MS}
        return frozenset(late | {venue for venue, until_ms in rests.items() if now_ms < until_ms})

    def refuse(self, venues: Collection[str]) -> bool:
        """Return whether no order may be decided on now that would go to one of these venues.

        A venue that has left an order without an answer is tried once its rest is over: whoever
        asks first may, the others when nothing came of that, or when the venue has answered.

        Args:
            venues: codes.
        """
        if not self.hanging().isdisjoint(venues):
            return True
        tried = self._rests_until_ms.keys() & set(venues) if self._rests_until_ms else _NONE
        if not tried:
            return False
        with self._lock:
            now_ms = self._read_ms()
            tried &= self._rests_until_ms.keys()
            if any(now_ms < self._rests_until_ms[venue] for venue in tried):
                return True  # somebody else was faster
            self._rests_until_ms.update(dict.fromkeys(tried, now_ms + TRY_MS))
        return False


WAITS = Waits()
os.register_at_fork(after_in_child=WAITS.forget)
