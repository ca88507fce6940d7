"""The feeds of an engine: what its strategies need, what others watch, and what it passes on."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from django.db import Error as AnyDatabaseError
from django.db import close_old_connections
from redis.exceptions import RedisError

from arbplatform.core.clock import SYSTEM_CLOCK, Clock, from_ms
from arbplatform.core.decimals import to_decimal, to_plain
from arbplatform.push.publisher import publish_many
from arbplatform.push.topics import Topic, book_topic, ticker_topic
from markets.domain.feeds import FeedStatus
from markets.domain.live_book import LiveBook
from markets.feed import interest
from markets.feed.ages import Ages
from markets.feed.gates import BookListener
from markets.feed.hub import FeedHub
from markets.feed.sharing import Round, Sharing
from markets.feed.store import BookRow, BookStore, Key, origin_of
from markets.gateway.base import VenueSpec
from markets.gateway.factory import heed_venues
from markets.selectors import list_venues
from markets.services.feeds import is_alone, redis_client
from markets.services.live_tapes import LiveTapes

logger = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""How often it is looked which markets are watched [s]."""

Watched = tuple[bool, list[Key], list[Topic], dict[str, VenueSpec]]
"""Whether this engine follows what is only watched, which markets and which trades and bars are
watched, and how to reach venues."""


class LiveFeeds:
    """A hub that also follows what is watched, and passes on what it knows.

    Args:
        listener: is told of every change first.
        name: of the engine, in the characters of a name.
        clock: tells the time.
        open_hub: opens the feeds for a listener.
        client: of Redis; ``None``: there is nobody to share with.
        list_specs: tells how to reach the enabled venues; called in a thread.
    """

    def __init__(
        self,
        *,
        listener: BookListener,
        name: str,
        clock: Clock = SYSTEM_CLOCK,
        open_hub: Callable[[BookListener], FeedHub],
        client: Any = None,
        list_specs: Callable[[], list[VenueSpec]] | None = None,
    ) -> None:
        self._listener = listener
        self._name = name
        self._clock = clock
        self._client = client
        self._list_specs = list_specs or _enabled_specs
        self._own: dict[VenueSpec, set[str]] = {}
        self._for_others: dict[VenueSpec, set[str]] = {}
        self._watched: frozenset[Key] = frozenset()
        self._followed: frozenset[Key] = frozenset()
        self._origins: dict[str, str] = {}
        self._sharing: Sharing | None = None
        self._looking: asyncio.Task[None] | None = None
        self._tapes = LiveTapes()
        self.hub = open_hub(self)
        if client is not None:
            store = BookStore(client, writer=name)
            self._sharing = Sharing(
                store,
                self.hub,
                origins=lambda: self._origins,
                shown=self._publish,
                ages=self.hub.ages,
            )
            self._looking = asyncio.get_running_loop().create_task(self._look())

    # -- as a listener -------------------------------------------------------------------------

    def book_changed(self, book: LiveBook) -> None:
        """Let the engine decide first; then note that others want to know, whatever it raised."""
        try:
            self._listener.book_changed(book)
        finally:
            if self._sharing is not None:
                self._sharing.book_changed(book)

    def feed_changed(self, status: FeedStatus) -> None:
        """Let the engine close its gate first; then note that others must."""
        try:
            self._listener.feed_changed(status)
        finally:
            if self._sharing is not None:
                self._sharing.feed_changed(status)

    # -- as feeds ------------------------------------------------------------------------------

    def want(self, wanted: Mapping[VenueSpec, Collection[str]]) -> None:
        """Follow exactly these markets, and those that are watched."""
        self._own = {spec: set(symbols) for spec, symbols in wanted.items() if symbols}
        self._follow()

    def book(self, venue: str, symbol: str) -> LiveBook | None:
        """Return a book that may be decided upon now; ``None`` if there is none."""
        return self.hub.book(venue, symbol)

    @property
    def heard_at_ns(self) -> int:
        """When the last message came; 0: a snapshot was read since (``time.monotonic_ns``)."""
        return self.hub.heard_at_ns

    def statuses(self) -> Sequence[FeedStatus]:
        """Return the state of every feed."""
        return self.hub.statuses()

    async def close(self) -> None:
        """End all feeds; nothing that was passed on stays."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._tapes.close()
        if self._sharing is not None:
            await self._sharing.close()
        if self._client is not None:
            await asyncio.to_thread(interest.leave_feeder, self._client, self._name)
        await self.hub.close()

    # -- what is followed ----------------------------------------------------------------------

    def _follow(self) -> None:
        """Tell the hub what to follow: for our own strategies, and for who watches."""
        wanted = {spec: set(symbols) for spec, symbols in self._own.items()}
        own_specs = {spec.code: spec for spec in wanted}
        for spec, symbols in self._for_others.items():
            wanted.setdefault(own_specs.get(spec.code, spec), set()).update(symbols)
        self._origins = {spec.code: origin_of(spec) for spec in wanted}
        followed = frozenset((spec.code, one) for spec, many in wanted.items() for one in many)
        gone, self._followed = self._followed - followed, followed
        if self._sharing is not None and gone:
            self._sharing.forget(sorted(gone))
        self.hub.want(wanted, {spec.code: symbols for spec, symbols in self._own.items()})

    async def _look(self) -> None:
        """Learn again and again what is watched."""
        while True:
            try:
                is_feeder, watched, tapes, specs = await asyncio.to_thread(self._read_watched)
            except (RedisError, OSError, AnyDatabaseError) as error:
                logger.warning("Which markets are watched cannot be read: %s", error)
            else:
                self._take_watched(is_feeder, watched, specs)
                self._tapes.want(tapes if is_feeder else (), specs)
            await asyncio.sleep(LOOK_S)

    def _read_watched(self) -> Watched:
        """Read what is watched, in a thread."""
        now_ms = self._clock.now_ms()
        is_feeder = interest.take_feeder(self._client, self._name)
        watched = interest.current(self._client, now_ms=now_ms)
        tapes = interest.current_topics(self._client, now_ms=now_ms) if is_feeder else []
        if not is_feeder or not (watched or tapes):
            return is_feeder, watched, tapes, {}
        try:
            specs = {spec.code: spec for spec in self._list_specs()}
            heed_venues(specs.values())
            return is_feeder, watched, tapes, specs
        finally:
            close_old_connections()

    def _take_watched(
        self, is_feeder: bool, watched: list[Key], specs: Mapping[str, VenueSpec]
    ) -> None:
        self._watched = frozenset(watched)
        for_others: dict[VenueSpec, set[str]] = {}
        for venue, symbol in watched if is_feeder else ():
            if venue in specs:
                for_others.setdefault(specs[venue], set()).add(symbol)
        if for_others != self._for_others:
            self._for_others = for_others
            self._follow()

    # -- what clients are told, in the thread of the sharing ------------------------------------

    def _publish(self, this: Round) -> None:
        watched = self._watched
        rows = [row for row in this.rows if (row.venue, row.symbol) in watched]
        lost = [
            status
            for status in this.statuses
            if (status.venue, status.symbol) in watched
            and (status.venue, status.symbol) in this.gone
        ]
        if rows or lost:
            publish_many([message for row in rows for message in _messages(row)])
            publish_many([message for status in lost for message in _farewell(status)])


def open_live_feeds(
    listener: BookListener, *, name: str, timeout_ms: int, clock: Clock = SYSTEM_CLOCK
) -> LiveFeeds:
    """Open the feeds of an engine, shared with all processes; called on its loop.

    Args:
        listener: is told of every change.
        name: of the engine.
        timeout_ms: for connecting and for REST requests that streams need [ms].
        clock: tells the time.
    """

    def open_hub(told: BookListener) -> FeedHub:
        return FeedHub(listener=told, ages=Ages(clock), timeout_ms=timeout_ms)

    return LiveFeeds(
        listener=listener,
        name=name,
        clock=clock,
        open_hub=open_hub,
        client=None if is_alone() else redis_client(),
    )


def _messages(row: BookRow) -> list[tuple[str, dict[str, Any]]]:
    """Return what clients are told of a book: its best prices, and its best levels."""
    moment = from_ms(row.received_at_ms)
    common = {"venue": row.venue, "symbol": row.symbol, "state": "healthy", "received_at": moment}
    bid, bid_quantity = _plain(row.bids[0]) if row.bids else (None, None)
    ask, ask_quantity = _plain(row.asks[0]) if row.asks else (None, None)
    ticker = {
        "bid": bid,
        "bid_quantity": bid_quantity,
        "ask": ask,
        "ask_quantity": ask_quantity,
    }
    book = {
        "bids": [_plain(level) for level in row.bids],
        "asks": [_plain(level) for level in row.asks],
    }
    return [
        (ticker_topic(row.venue, row.symbol), common | ticker),
        (book_topic(row.venue, row.symbol), common | book),
    ]


def _farewell(status: FeedStatus) -> list[tuple[str, dict[str, Any]]]:
    """Return what clients are told when a book is not to be believed any more."""
    common = {
        "venue": status.venue,
        "symbol": status.symbol,
        "state": status.state.value,
        "received_at": None,
    }
    ticker = dict.fromkeys(("bid", "bid_quantity", "ask", "ask_quantity"))
    return [
        (ticker_topic(status.venue, status.symbol), common | ticker),
        (book_topic(status.venue, status.symbol), common | {"bids": [], "asks": []}),
    ]


def _plain(level: Sequence[str]) -> list[str]:
    return [to_plain(to_decimal(level[0])), to_plain(to_decimal(level[1]))]


def _enabled_specs() -> list[VenueSpec]:
    return [venue.to_spec() for venue in list_venues(is_enabled=True)]
