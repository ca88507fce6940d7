"""What engines pass on of their feeds: live books, states, and which markets somebody watches."""

import logging
import time
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final

import redis
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Unavailable
from arbplatform.push.topics import Topic
from markets.domain.book import Book
from markets.domain.feeds import FeedState
from markets.feed import interest
from markets.feed.interest import MarketPair
from markets.feed.store import LEVELS, BookStore, Key, StoredStatus
from markets.gateway.base import VenueSpec
from markets.selectors import get_venue, list_venues

logger = logging.getLogger(__name__)

FRESH_MS: Final = 1_500
"""A live book is as good as one that the venue is asked for if it was proven since then [ms]: half
of what an engine itself relies on, and more than the proof of a quiet market takes to get here."""
QUIET_MS: Final = 4_000
"""A live book whose market has said nothing for so long, and was not looked at either, is quiet or
stands still: the venue is asked [ms]."""
TIMEOUT_S: Final = 0.25
"""Longest wait for Redis [s]: decisions of the schedule lead past here."""
AWAY_S: Final = 1.0
"""How long Redis is not asked for books after it has failed [s]."""


class FeedStateChoice(models.TextChoices):
    """States of feeds, for people."""

    CONNECTING = FeedState.CONNECTING.value, _("connecting")
    HEALTHY = FeedState.HEALTHY.value, _("healthy")
    RESYNCING = FeedState.RESYNCING.value, _("resyncing")
    STALE = FeedState.STALE.value, _("stale")
    DOWN = FeedState.DOWN.value, _("down")


class _Away:
    """Until when Redis is left alone, by the monotonic clock [s]."""

    until_s = 0.0


def read_live_books(
    keys: Sequence[tuple[VenueSpec, str]], depth: int, *, clock: Clock = SYSTEM_CLOCK
) -> dict[Key, Book]:
    """Return those books that an engine follows and that are current; never raises, never waits.

    Args:
        keys: how to reach the venue, and symbol, of each.
        depth: levels of each side; more than an engine passes on makes it return nothing.
        clock: tells the time.
    """
    if depth > LEVELS or is_alone() or time.monotonic() < _Away.until_s:
        return {}
    try:
        found = BookStore(redis_client()).read_many(keys, depth)
    except (RedisError, OSError, ValueError) as error:
        _Away.until_s = time.monotonic() + AWAY_S
        logger.warning("Live books cannot be read, the venues are asked: %s", error)
        return {}
    now_ms = clock.now_ms()
    offsets = {spec.code: spec.clock.offset_ms for spec, _symbol in keys if spec.clock is not None}
    # one from the future is from a machine whose clock is wrong: nobody knows how old it is
    return {
        key: book
        for key, book in found.items()
        if _is_fresh(book, now_ms, offset_ms=offsets.get(book.venue))
    }


def _is_fresh(book: Book, now_ms: int, *, offset_ms: int | None) -> bool:
    heard_at_ms = book.received_at_ms if book.heard_at_ms is None else book.heard_at_ms
    looked_at_ms = None if book.look is None else book.look.proves_at_ms(offset_ms)
    own_ms = heard_at_ms if looked_at_ms is None else max(heard_at_ms, looked_at_ms)
    return abs(book.age_ms(now_ms)) <= FRESH_MS and now_ms - own_ms <= QUIET_MS


def list_feeds(*, venue: str | None = None, clock: Clock = SYSTEM_CLOCK) -> list[StoredStatus]:
    """Return the feeds of all engines, by venue, market and engine.

    Args:
        venue: code; ``None`` for all.
        clock: tells the time.

    Raises:
        UnknownVenue: there is none of that code.
        Unavailable: Redis does not answer.
    """
    codes = [venue_.code for venue_ in list_venues()] if venue is None else [get_venue(venue).code]
    if is_alone():
        return []
    try:
        return BookStore(redis_client()).read_statuses(codes, now_ms=clock.now_ms())
    except (RedisError, OSError) as error:
        raise Unavailable(
            "Redis does not answer, so the states of feeds cannot be read. Engines may well go "
            "on: look at the processes, and start Redis again."
        ) from error


def count_breaks(venue: str, *, clock: Clock = SYSTEM_CLOCK) -> int:
    """Return how often the books of a venue broke within an hour, as the engine that saw most says.

    0 where nobody can tell. Asks no database.

    Args:
        venue: code.
        clock: tells the time.
    """
    if is_alone():
        return 0
    try:
        feeds = BookStore(redis_client()).read_statuses([venue], now_ms=clock.now_ms())
    except (RedisError, OSError) as error:
        logger.warning("How the books of %s are cannot be read: %s", venue, error)
        return 0
    counts: Counter[str] = Counter()
    for row in feeds:
        counts[row.writer] += row.status.recent_breaks
    return max(counts.values(), default=0)


def register_interest(pairs: Collection[MarketPair], *, clock: Clock = SYSTEM_CLOCK) -> None:
    """Have an engine follow markets for the next half minute, because somebody watches them.

    Args:
        pairs: venue and symbol of each.
        clock: tells the time.

    Raises:
        RedisError, OSError: Redis does not answer.
    """
    if not is_alone():
        interest.register(redis_client(), pairs, now_ms=clock.now_ms())


def register_topics(topics: Collection[Topic], *, clock: Clock = SYSTEM_CLOCK) -> None:
    """Have an engine follow what topics are about for the next half minute.

    Args:
        topics: that name a market.
        clock: tells the time.

    Raises:
        RedisError, OSError: Redis does not answer.
    """
    pairs = {(topic.venue, topic.symbol) for topic in topics if not topic.rule.is_tape}
    register_interest(pairs, clock=clock)
    tapes = [topic for topic in topics if topic.rule.is_tape]
    if tapes and not is_alone():
        interest.register_topics(redis_client(), tapes, now_ms=clock.now_ms())


def find_untold(topics: Collection[Topic]) -> list[Topic]:
    """Return those topics about trades or bars that no stream of their venue tells.

    Args:
        topics: a bounded number of them.
    """
    # ccxt.pro takes a second and much memory to import: a web process does when first asked
    from markets.gateway.ccxt_tapes import can_tell  # noqa: PLC0415

    specs = {venue.code: venue.to_spec() for venue in list_venues(is_enabled=True)}
    asked = {(topic.venue, topic.timeframe) for topic in topics if topic.venue in specs}
    untold = {one for one in asked if not can_tell(specs[one[0]], one[1])}
    return [topic for topic in topics if (topic.venue, topic.timeframe) in untold]


def is_alone() -> bool:
    """Return whether there are no other processes to share anything with."""
    return bool(settings.REDIS_URL.startswith("memory:"))


def redis_client() -> Any:
    """Return the client of Redis, one for the process."""
    return _connected(settings.REDIS_URL)


@lru_cache(maxsize=2)
def _connected(url: str) -> Any:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
