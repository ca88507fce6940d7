"""The feed of one market: its live book, and the gate before it."""

from collections import deque
from math import inf
from typing import Final

from arbplatform.core.errors import Message
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
        "book",
        "changed_at_ms",
        "checked_at_ms",
        "gap_count",
        "heard_at_ms",
        "is_polled",
        "is_redialled",
        "is_suspect",
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
        changed_at_ms = self.changed_at_ms
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
        )
