"""Live books of all venues for one loop: exactly those that are wanted.

A book that is handed out is complete and current at that very moment, or there is none. Whatever
goes wrong closes its gate in the same step in which it is seen, and whoever listens is told before
anything else happens.
"""

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping
from random import Random
from types import MappingProxyType

from markets.domain.feeds import FeedStatus
from markets.domain.live_book import LiveBook
from markets.feed.ages import Ages
from markets.feed.gates import BookListener, Gates
from markets.feed.market import MarketFeed
from markets.feed.polled import PolledVenue
from markets.feed.reader import RestReader
from markets.feed.tape import NO_TAPE, Tape
from markets.feed.timing import TIMING, Timing
from markets.feed.venue import FeedKit, VenueFeed
from markets.feed.watched import WatchedVenue
from markets.feed.wired import WiredVenue
from markets.gateway.base import VenueSpec
from markets.gateway.ccxt_stream import has_streams
from markets.gateway.wire.protocols import wire_book_for

logger = logging.getLogger(__name__)

TIMEOUT_MS = 10_000

__all__ = ["BookListener", "FeedHub"]


class FeedHub:
    """Follows markets of any number of venues; made and used on one running loop.

    Args:
        listener: is told of every change, on the loop.
        ages: the clocks of the feeds.
        timing: how long to wait for what.
        random: source of chance for pauses between connections.
        timeout_ms: for connecting and for REST requests that streams need [ms].
        tape: is told what was heard, for a recording.
        reader: reads over REST; closed with the feeds.

    Attributes:
        ages: the clocks of the feeds.
    """

    def __init__(
        self,
        *,
        listener: BookListener,
        ages: Ages | None = None,
        timing: Timing = TIMING,
        random: Random | None = None,
        timeout_ms: int = TIMEOUT_MS,
        tape: Tape = NO_TAPE,
        reader: RestReader | None = None,
    ) -> None:
        self.ages = ages or Ages()
        self._gates = Gates(listener, self.ages)
        self._kit = FeedKit(
            reader=reader or RestReader(),
            ages=self.ages,
            timing=timing,
            random=random or Random(),  # noqa: S311  no secret depends on it
            timeout_ms=timeout_ms,
            tape=tape,
        )
        self._venues: dict[str, VenueFeed] = {}
        self._looking: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def want(
        self,
        wanted: Mapping[VenueSpec, Collection[str]],
        decided_on: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> None:
        """Follow exactly these markets from now on.

        Args:
            wanted: symbols by venue; a venue that is reached in another way now is begun anew.
            decided_on: those that strategies decide on, by code of the venue: their books are
                proven over REST while they are quiet.
        """
        specs = {spec.code: spec for spec, symbols in wanted.items() if symbols}
        for code, venue in list(self._venues.items()):
            if specs.get(code) != venue.spec:
                del self._venues[code]
                self._run_to_end(venue)
        for code, spec in specs.items():
            try:
                if code not in self._venues:
                    self._venues[code] = self._open(spec)
                self._venues[code].want(wanted[spec], decided_on.get(code, ()))
            except Exception:
                # an address or an option that makes no sense keeps no other venue from being fed
                logger.exception("The feeds of %s could not be opened", code)
        if self._looking is None and self._venues:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def book(self, venue: str, symbol: str) -> LiveBook | None:
        """Return a book that may be decided upon now; ``None`` if there is none."""
        feed = self._venues.get(venue)
        return None if feed is None else feed.current(symbol)

    @property
    def heard_at_ns(self) -> int:
        """When the last message came; 0: a snapshot was read since (``time.monotonic_ns``)."""
        return self._kit.heard_at_ns

    def statuses(self) -> list[FeedStatus]:
        """Return the state of every feed."""
        return [feed.status(self.ages) for feed in self.feeds()]

    def quietest_at_ms(self) -> dict[str, float]:
        """Return, by venue, when its quietest connection last gave a sign of life.

        A healthy book of the venue is at least as current as that [ms, the steady clock].
        """
        found = {code: venue.quietest_at_ms() for code, venue in self._venues.items()}
        return {code: at_ms for code, at_ms in found.items() if at_ms is not None}

    def feeds(self) -> Iterator[MarketFeed]:
        """Yield every feed, with its book as far as it is known."""
        for venue in self._venues.values():
            yield from venue.feeds.values()

    async def close(self) -> None:
        """Close every gate, then every connection."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        venues, self._venues = list(self._venues.values()), {}
        await asyncio.gather(*(venue.close() for venue in venues), *self._closing)
        self._kit.reader.close()

    def _open(self, spec: VenueSpec) -> VenueFeed:
        wire = wire_book_for(spec.ccxt_id, is_spot=True)
        if wire is not None:
            return WiredVenue(spec, self._gates, self._kit, wire)
        if has_streams(spec.ccxt_id):
            return WatchedVenue(spec, self._gates, self._kit)
        return PolledVenue(spec, self._gates, self._kit)

    async def _look(self) -> None:
        """Look after everything that may be overdue, again and again."""
        pause_s = self._kit.timing.look_ms / 1_000
        while True:
            await asyncio.sleep(pause_s)
            now_ms = self.ages.now_ms()
            for venue in list(self._venues.values()):
                try:
                    venue.look(now_ms)
                except Exception:
                    logger.exception("The feeds of %s could not be looked after", venue.spec.code)

    def _run_to_end(self, venue: VenueFeed) -> None:
        task = asyncio.get_running_loop().create_task(venue.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
