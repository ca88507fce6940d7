"""Opens and closes the gates before live books, and tells who listens in the same step."""

import logging
from typing import Protocol

from arbplatform.core.errors import Message
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.live_book import BookFault, LiveBook
from markets.feed.ages import Ages
from markets.feed.market import MarketFeed
from markets.feed.reasons import EMPTY, broken

logger = logging.getLogger(__name__)


class BookListener(Protocol):
    """Hears of every change; called on the loop, so it must be quick."""

    def book_changed(self, book: LiveBook) -> None:
        """A healthy book has changed."""
        ...

    def feed_changed(self, status: FeedStatus) -> None:
        """A feed has entered another state; its gate is open or closed by now."""
        ...


class Gates:
    """The gates of one venue's markets.

    Args:
        listener: is told; what it raises is logged and stops nothing.
        ages: the clocks of the feeds.
    """

    def __init__(self, listener: BookListener, ages: Ages) -> None:
        self._listener = listener
        self._ages = ages

    def open(self, feed: MarketFeed) -> None:
        """Let a book be decided upon."""
        self.move(feed, FeedState.HEALTHY, None)

    def judge(self, feed: MarketFeed) -> None:
        """Open or close the gate by what a book shows that came as a whole."""
        fault = feed.book.fault()
        if fault is None:
            self.open(feed)
            self.tell_book(feed)
        elif fault is BookFault.EMPTY:
            self.move(feed, FeedState.STALE, EMPTY)
        else:
            feed.note_break(self._ages.now_ms())
            self.move(feed, FeedState.RESYNCING, broken(fault))

    def move(self, feed: MarketFeed, state: FeedState, reason: Message | None) -> None:
        """Bring a feed into a state, and tell if that is news."""
        if feed.move(state, reason, self._ages.now_ms()):
            self.tell_state(feed)

    def tell_book(self, feed: MarketFeed) -> None:
        """Tell that a healthy book has changed."""
        try:
            self._listener.book_changed(feed.book)
        except Exception:
            logger.exception("What listens to books failed")

    def tell_state(self, feed: MarketFeed) -> None:
        """Tell what state a feed is in."""
        logger.info("Feed %s %s: %s", feed.book.venue, feed.book.symbol, feed.state.value)
        try:
            self._listener.feed_changed(feed.status(self._ages))
        except Exception:
            logger.exception("What listens to feeds failed")
