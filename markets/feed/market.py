"""The feed of one market: its live book, and the gate before it."""

from collections import deque
from math import ceil, inf
from typing import Final, NamedTuple

from arbplatform.core.errors import Message
from markets.domain.book import Look
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.live_book import LiveBook
from markets.feed.ages import Ages
from markets.feed.reasons import NOT_YET

BREAKS_MAX: Final = 20
"""A book that broke so often within an hour is let rest."""
BREAKS_WINDOW_MS: Final = 3_600_000
REST_MS: Final = 600_000
"""How long such a book rests [ms]."""
RESYNC_FIRST_MS: Final = 1_000
RESYNC_LONGEST_MS: Final = 30_000
_DOUBLINGS_MAX: Final = 5


class Agreement(NamedTuple):
    """An answer over REST that showed the same as the live book.

    Attributes:
        asked_at_ms: when it was asked for, by the steady clock [ms].
        made_at_ms: when the venue made it [ms since epoch, its clock].
        version: of the live book; any other is another book, which it says nothing about.
    """

    asked_at_ms: float
    made_at_ms: int
    version: int


class MarketFeed:
    """What is known of one market, and whether it may be decided upon.

    Args:
        book: of the market; changed by nobody else.
        now_ms: when the feed was opened [ms].

    All moments are readings of the steady clock of ``Ages`` [ms].

    Attributes:
        book: as far as it is known.
        state: whether it may be used.
        reason: what led to the state; ``None`` while it is healthy.
        since_ms: when the state began.
        heard_at_ms: when the venue last said something new about this market.
        read_at_ms: when the snapshot over REST was asked for that the book begins with.
        looked_at_ms: when it was last looked over REST whether the quiet book is still true.
        agreement: what the last such look found, if it was the same.
        is_decided_on: a strategy decides on it, so its book must be proven while it is quiet.
        told_since_ms: since when the venue is known to tell of this market on the connection that
            stands: it has confirmed the subscription, or said something; ``None``: it is not.
        checked_at_ms: when the book was last compared with what the venue says over REST.
        changed_at_ms: when the book last changed; ``None``: never.
        gap_count: gaps, wrong checksums and broken books so far.
        reconnect_count: how often its connection was opened again.
        is_polled: the book was read over REST.
        is_suspect: the stream was silent while the market moved: a message of it helps, or that
            the market has not moved for long.
        is_redialled: it got another connection for that.
        resync_at_ms: when to ask for the book again; ``None``: no need to.
    """

    __slots__ = (
        "_breaks_ms",
        "_failures",
        "agreement",
        "book",
        "changed_at_ms",
        "checked_at_ms",
        "gap_count",
        "heard_at_ms",
        "is_decided_on",
        "is_polled",
        "is_redialled",
        "is_suspect",
        "looked_at_ms",
        "read_at_ms",
        "reason",
        "reconnect_count",
        "resync_at_ms",
        "since_ms",
        "state",
        "told_since_ms",
    )

    def __init__(self, book: LiveBook, now_ms: float) -> None:
        self.book = book
        self.state = FeedState.CONNECTING
        self.reason: Message | None = NOT_YET
        self.since_ms = now_ms
        self.heard_at_ms = -inf
        self.read_at_ms = -inf
        self.looked_at_ms = -inf
        self.agreement: Agreement | None = None
        self.is_decided_on = False
        self.told_since_ms: float | None = None
        self.checked_at_ms = -inf
        self.changed_at_ms: float | None = None
        self.gap_count = 0
        self.reconnect_count = 0
        self.is_polled = False
        self.is_suspect = False
        self.is_redialled = False
        self.resync_at_ms: float | None = None
        self._breaks_ms: deque[float] = deque(maxlen=BREAKS_MAX)
        self._failures = 0

    @property
    def is_healthy(self) -> bool:
        """Whether the book may be decided upon."""
        return self.state is FeedState.HEALTHY

    @property
    def said_at_ms(self) -> float:
        """When the venue last said, by stream or snapshot, what the book is."""
        return max(self.heard_at_ms, self.read_at_ms)

    @property
    def _current_agreement(self) -> Agreement | None:
        found = self.agreement
        return None if found is None or found.version != self.book.version else found

    def date_book(self, alive_at_ms: float, now_ms: float, wall_ms: int) -> None:
        """Note on the book what proves that it is current.

        Args:
            alive_at_ms: last sign of life of its connection [ms].
            now_ms: the present moment [ms].
            wall_ms: the same by the clock on the wall [ms since epoch].
        """
        book, found, look = self.book, self._current_agreement, None
        if found is not None:
            look = Look(wall_ms - ceil(now_ms - found.asked_at_ms), found.made_at_ms)
        said_at_ms = max(self.said_at_ms, now_ms - wall_ms)  # never: as if it were from the epoch
        book.date(wall_ms - ceil(now_ms - alive_at_ms), wall_ms - ceil(now_ms - said_at_ms), look)

    def move(self, state: FeedState, reason: Message | None, now_ms: float) -> bool:
        """Enter a state and return whether that is news."""
        if state is self.state and reason == self.reason:
            return False
        if state is not self.state:
            self.since_ms = now_ms
        if state is FeedState.HEALTHY:
            self.resync_at_ms, self._failures = None, 0
        self.state, self.reason = state, reason
        return True

    def note_break(self, now_ms: float) -> float:
        """Count a break and return when to read the book anew."""
        self.gap_count += 1
        self._breaks_ms.append(now_ms)
        self.resync_at_ms = now_ms + self._pause_ms(now_ms)
        return self.resync_at_ms

    def suspect(self) -> None:
        """Believe the stream no more until there is a proof that it lives."""
        self.is_suspect = True

    def trust(self) -> None:
        """Believe the stream again."""
        self.is_suspect = self.is_redialled = False

    def note_failure(self, now_ms: float) -> None:
        """Ask for the book again later, and ever later from failure to failure."""
        exponent = min(self._failures, _DOUBLINGS_MAX)
        self._failures += 1
        self.resync_at_ms = now_ms + min(RESYNC_LONGEST_MS, RESYNC_FIRST_MS << exponent)

    @property
    def is_resting(self) -> bool:
        """Whether the book broke so often that it is left alone for a while."""
        breaks = self._breaks_ms
        return len(breaks) == BREAKS_MAX and breaks[-1] - breaks[0] <= BREAKS_WINDOW_MS

    def _pause_ms(self, now_ms: float) -> int:
        """Return how long to wait: not at all at first, and ever longer from break to break."""
        if self.is_resting:
            return REST_MS
        recent = self._count_breaks(now_ms, RESYNC_LONGEST_MS * 2)
        if recent <= 1:
            return 0
        return min(RESYNC_LONGEST_MS, RESYNC_FIRST_MS << min(recent - 2, _DOUBLINGS_MAX))

    def _count_breaks(self, now_ms: float, window_ms: float) -> int:
        return sum(now_ms - at_ms <= window_ms for at_ms in self._breaks_ms)

    def status(self, ages: Ages) -> FeedStatus:
        """Return the state for others to see, its moments by the clock on the wall."""
        changed_at_ms, found = self.changed_at_ms, self._current_agreement
        proven_ms = self.said_at_ms if found is None else max(self.said_at_ms, found.asked_at_ms)
        return FeedStatus(
            venue=self.book.venue,
            symbol=self.book.symbol,
            state=self.state,
            reason=self.reason,
            since_ms=ages.to_wall_ms(self.since_ms),
            updated_at_ms=None if changed_at_ms is None else ages.to_wall_ms(changed_at_ms),
            gap_count=self.gap_count,
            reconnect_count=self.reconnect_count,
            is_polled=self.is_polled,
            recent_breaks=self._count_breaks(ages.now_ms(), BREAKS_WINDOW_MS),
            proven_at_ms=None if proven_ms == -inf else ages.to_wall_ms(proven_ms),
        )
