"""What is done about markets whose streams say nothing, although their connections live."""

from collections.abc import Sequence
from typing import Protocol

from markets.feed.heartbeat import Heartbeat
from markets.feed.looks import Looks
from markets.feed.market import MarketFeed
from markets.feed.venue import FeedKit
from markets.gateway.base import VenueSpec
from markets.gateway.quirks import BookStamp, quirks_for


class SilenceOwner(Protocol):
    """Who is told what was found out about a silent market; every call is quick."""

    def found_proven(self, feed: MarketFeed) -> None:
        """Its book is what the venue shows over REST."""
        ...

    def found_doubtful(self, feed: MarketFeed) -> None:
        """Over REST the venue shows another one."""
        ...

    def found_frozen(self, feed: MarketFeed) -> None:
        """So it does, and the stream goes on to say nothing."""
        ...

    def found_quiet(self, feed: MarketFeed) -> None:
        """A feed that was doubted is right after all."""
        ...


class Silence:
    """Looks after the silent markets of one venue.

    Args:
        spec: how to reach the venue.
        kit: what the feeds of all venues share.
        owner: is told what was found out.
        is_counted: whether books over REST and over the stream share their numbers.
    """

    def __init__(
        self, spec: VenueSpec, kit: FeedKit, owner: SilenceOwner, *, is_counted: bool
    ) -> None:
        self._heartbeat = Heartbeat(
            spec,
            kit.reader,
            timing=kit.timing,
            now_ms=kit.ages.now_ms,
            frozen=owner.found_frozen,
            quiet=owner.found_quiet,
        )
        self._looks = Looks(
            spec,
            kit.reader,
            timing=kit.timing,
            backoff=kit.backoff(),
            now_ms=kit.ages.now_ms,
            is_counted=is_counted,
            proven=owner.found_proven,
            doubted=owner.found_doubtful,
            moved=owner.found_frozen,
            quiet=owner.found_quiet,
        )
        # without a stamp no answer proves anything: then only the heartbeat looks
        self._is_stamped = quirks_for(spec.ccxt_id).book_stamp is not BookStamp.NONE

    def look(self, feeds: Sequence[MarketFeed], now_ms: float) -> None:
        """Look after those of some feeds that are silent."""
        if self._is_stamped:
            self._looks.look(feeds, now_ms)
        self._heartbeat.compare([feed for feed in feeds if self._heartbeat.is_silent(feed, now_ms)])

    async def close(self) -> None:
        """Look after nothing more."""
        await self._looks.close()
        await self._heartbeat.close()
