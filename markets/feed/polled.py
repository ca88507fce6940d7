"""Feeds of a venue without any stream: books are read over REST, in turn and at a bounded pace."""

from collections.abc import Sequence

from markets.feed.market import MarketFeed
from markets.feed.venue import VenueFeed


class PolledVenue(VenueFeed):
    """Feeds of a venue whose books can be read over REST alone.

    Such a book is as good as the age that it says: with many markets each is read seldom, and is
    then no ground to decide for most of the time.
    """

    def _added(self, symbols: Sequence[str]) -> None:
        if symbols:
            self._polling.start()

    def _removed(self, feed: MarketFeed) -> None:
        """Nothing is to be done: it is simply not read any more."""

    def _look_at(self, feeds: Sequence[MarketFeed], now_ms: float) -> None:
        """Nothing is to be done: the age of books is looked at for every venue."""

    def _is_polled(self) -> bool:
        return bool(self.feeds)

    def _wants_poll(self, feed: MarketFeed) -> bool:
        del feed
        return True

    def _settle_polled(self, feed: MarketFeed) -> None:
        self._gates.judge(feed)

    def _proven_at_ms(self, feed: MarketFeed) -> float:
        return feed.heard_at_ms

    def _proof_age_ms(self, feed: MarketFeed) -> int:
        del feed
        return self._timing.polled_age_ms

    async def _close(self) -> None:
        """Nothing else is open."""
