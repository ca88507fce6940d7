"""How well a live book is known: the state of its feed, and why it is in it."""

from dataclasses import dataclass
from enum import StrEnum

from arbplatform.core.errors import Message


class FeedState(StrEnum):
    """What may be concluded from the book of a feed; only HEALTHY allows a decision."""

    CONNECTING = "connecting"
    """There has been no book yet."""
    HEALTHY = "healthy"
    """Every change since the snapshot was seen, and the venue confirms that nothing is missing."""
    RESYNCING = "resyncing"
    """A change was missed or the book is broken; a new snapshot is on its way."""
    STALE = "stale"
    """The connection stands, but nothing proves any more that the book is current."""
    DOWN = "down"
    """There is no connection."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """The state of the feed of one market.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        state: in one word.
        reason: what led to it; ``None`` while it is healthy.
        since_ms: when it began [ms since epoch].
        updated_at_ms: when the book last changed [ms since epoch]; ``None``: never.
        gap_count: sequence gaps, wrong checksums and broken books since the feed was opened.
        reconnect_count: how often its connection was opened again.
        is_polled: the book is read over REST from time to time.
        recent_breaks: of those in ``gap_count``, the ones within the last hour, 20 at most.
        proven_at_ms: when something of this market itself last proved the book: what the venue
            said of it, or a look over REST [ms since epoch]; ``None``: nothing did.
    """

    venue: str
    symbol: str
    state: FeedState
    reason: Message | None
    since_ms: int
    updated_at_ms: int | None = None
    gap_count: int = 0
    reconnect_count: int = 0
    is_polled: bool = False
    recent_breaks: int = 0
    proven_at_ms: int | None = None
