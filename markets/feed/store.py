"""The latest books and the states of feeds in Redis, for the processes that follow no stream.

A book stays true for as long as its writer says so: what is written with each round is when the
writer's quietest connection last gave a sign of life, and a book whose gate has closed is taken
away in the round before that. A writer that dies confirms nothing any more.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from hashlib import blake2s
from typing import Any, Final, NamedTuple

import orjson

from arbplatform.core.errors import Message
from markets.domain.book import Book, Level, Look
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.live_book import LiveBook
from markets.gateway.base import VenueSpec

LEVELS: Final = 20
"""Levels of each side that are kept."""
KEPT_MS: Final = 10_000
"""What was not written again for so long is gone [ms]."""
RENEW_MS: Final = 5_000
"""A quiet book is written again after so long [ms]."""
STATES_MAX: Final = 10_000
"""Feeds that are listed, at most."""
WRITERS_MAX: Final = 100
"""Engines whose feeds are listed, at most; those that said something last come first."""
WRITERS_KEY: Final = "arb:feed:writers"
FORGOTTEN_MS: Final = 60_000
"""An engine that has said nothing for so long leaves nothing behind [ms]."""

# A book is taken away by who wrote it: another engine may have a better one of the same market.
_TAKE_AWAY: Final = """
local kept = redis.call('GET', KEYS[1])
if kept and string.sub(kept, 1, string.len(ARGV[1])) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""

# What engines leave behind that were killed: their last signs of life.
_FORGET_SILENT: Final = """
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  if tonumber(all[at + 1]) < tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], all[at]) end
end
"""

Key = tuple[str, str]
"""Code of a venue and a symbol."""


class BookRow(NamedTuple):
    """A book as it is written: best levels, as the venue wrote them.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        origin: digest of how the venue was reached.
        bids: price and quantity, best first.
        asks: likewise.
        received_at_ms: newest proof that it is current [ms since epoch, our clock].
        venue_time_ms: when the venue made it [ms since epoch, its clock].
        sequence: the venue's own number of this state.
        heard_at_ms: when the venue last told something about the market [ms since epoch, our
            clock].
        look: when the newest answer over REST that shows this very book was asked for and made.
    """

    venue: str
    symbol: str
    origin: str
    bids: Sequence[Sequence[str]]
    asks: Sequence[Sequence[str]]
    received_at_ms: int
    venue_time_ms: int | None
    sequence: int | None
    heard_at_ms: int | None = None
    look: Sequence[int | None] | None = None


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """A feed as its engine last described it.

    Attributes:
        status: of the feed.
        writer: name of the engine.
        written_at_ms: when it said so [ms since epoch].
        confirmed_at_ms: newest proof that the book is current [ms since epoch]; ``None``: the
            book is not to be used.
    """

    status: FeedStatus
    writer: str
    written_at_ms: int
    confirmed_at_ms: int | None


def row_of(book: LiveBook, origin: str) -> BookRow:
    """Return what is to be written of a live book; called where the book may be touched."""
    return BookRow(
        book.venue,
        book.symbol,
        origin,
        [list(level[:2]) for level in book.bids.top(LEVELS)],
        [list(level[:2]) for level in book.asks.top(LEVELS)],
        book.received_at_ms,
        book.venue_time_ms,
        book.sequence,
        book.heard_at_ms,
        book.look and list(book.look),
    )


def origin_of(spec: VenueSpec) -> str:
    """Return a digest of how a venue is reached: a book from elsewhere is another one."""
    parts = "\n".join((spec.ccxt_id, spec.rest_origin, spec.ws_origin))
    return blake2s(parts.encode(), digest_size=8).hexdigest()


class BookStore:
    """Books and states of feeds in Redis.

    Args:
        client: of Redis; its calls raise ``RedisError`` or ``OSError`` when it does not answer.
        writer: name of this engine, in the characters of a name.
    """

    def __init__(self, client: Any, *, writer: str = "") -> None:
        self._client = client
        self._writer = writer
        self._mark = f"{writer}\n".encode()

    def write_many(
        self,
        rows: Iterable[BookRow],
        *,
        gone: Collection[Key],
        alive_at_ms: Mapping[str, int],
        statuses: Iterable[FeedStatus],
        now_ms: int,
    ) -> None:
        """Write one round, in one round trip.

        Args:
            rows: books that have changed or are to be kept.
            gone: books whose gates have closed.
            alive_at_ms: by venue, when the quietest connection gave a sign of life.
            statuses: of feeds that have changed or are to be kept.
            now_ms: the present moment [ms since epoch].
        """
        pipe = self._client.pipeline(transaction=False)
        for key in gone:
            pipe.eval(_TAKE_AWAY, 1, _book_key(*key), self._mark)
        for row in rows:
            text = self._mark + orjson.dumps(row[2:])
            pipe.set(_book_key(row.venue, row.symbol), text, px=KEPT_MS)
        venues = set()
        for status in statuses:
            venues.add(status.venue)
            place = _feed_key(status.venue, self._writer)
            pipe.hset(place, status.symbol, _status_text(status, now_ms))
            pipe.pexpire(place, KEPT_MS)
        if venues:
            pipe.zadd(WRITERS_KEY, {self._writer: now_ms})
            pipe.zremrangebyscore(WRITERS_KEY, "-inf", now_ms - FORGOTTEN_MS)
        for venue in venues:
            pipe.eval(_FORGET_SILENT, 1, _alive_key(venue), now_ms - FORGOTTEN_MS)
        for venue, moment_ms in alive_at_ms.items():
            pipe.hset(_alive_key(venue), self._writer, moment_ms)
            pipe.pexpire(_alive_key(venue), KEPT_MS)
        pipe.execute()

    def forget(self, keys: Collection[Key]) -> None:
        """Take away what was said of feeds that are not followed any more.

        Args:
            keys: of the feeds.
        """
        pipe = self._client.pipeline(transaction=False)
        for venue, symbol in keys:
            pipe.eval(_TAKE_AWAY, 1, _book_key(venue, symbol), self._mark)
            pipe.hdel(_feed_key(venue, self._writer), symbol)
        pipe.execute()

    def read_many(self, keys: Sequence[tuple[VenueSpec, str]], depth: int) -> dict[Key, Book]:
        """Return the books that are kept; how old each is says its ``received_at_ms``.

        Args:
            keys: how to reach the venue, and symbol, of each.
            depth: levels of each side, at most; of more than ``LEVELS`` nothing is known.
        """
        if not keys:
            return {}
        venues = sorted({spec.code for spec, _ in keys})
        pipe = self._client.pipeline(transaction=False)
        # signs of life first: one that is newer than the book could be about the next book
        for venue in venues:
            pipe.hgetall(_alive_key(venue))
        pipe.mget([_book_key(spec.code, symbol) for spec, symbol in keys])
        *alive, texts = pipe.execute()
        alive_at_ms = dict(zip(venues, alive, strict=True))
        found: dict[Key, Book] = {}
        for (spec, symbol), text in zip(keys, texts, strict=True):
            book = text and _book_or_none(text, spec, symbol, depth, alive_at_ms[spec.code])
            if book:
                found[spec.code, symbol] = book
        return found

    def read_statuses(self, venues: Sequence[str], *, now_ms: int) -> list[StoredStatus]:
        """Return what engines say about their feeds.

        Args:
            venues: codes.
            now_ms: the present moment [ms since epoch].
        """
        writers = self._client.zrevrange(WRITERS_KEY, 0, WRITERS_MAX - 1)
        places = [
            (venue, writer.decode(errors="replace")) for venue in venues for writer in writers
        ]
        pipe = self._client.pipeline(transaction=False)
        for venue in venues:
            pipe.hgetall(_alive_key(venue))
        for place in places:
            pipe.hgetall(_feed_key(*place))
        answers = pipe.execute()
        alive = dict(zip(venues, answers, strict=False))
        found = [
            stored
            for (venue, writer), rows in zip(places, answers[len(venues) :], strict=True)
            for symbol, text in rows.items()
            if (stored := _stored(venue, writer, symbol, text, alive[venue])) is not None
            and stored.written_at_ms >= now_ms - KEPT_MS
        ]
        found.sort(key=lambda row: (row.status.venue, row.status.symbol, row.writer))
        return found[:STATES_MAX]


def _book_or_none(
    text: bytes, spec: VenueSpec, symbol: str, depth: int, alive_at_ms: Mapping[bytes, bytes]
) -> Book | None:
    """Return a book that may be believed: whoever wrote it may be of another version."""
    try:
        book = _book(text, spec, symbol, depth, alive_at_ms)
    except (TypeError, ValueError, DecimalException):
        return None
    if book is None or not all(map(_is_sound, (*book.bids, *book.asks))):
        return None
    return None if book.is_crossed else book


def _is_sound(level: Level) -> bool:
    price, quantity = level
    return price.is_finite() and quantity.is_finite() and price > 0 and quantity > 0


def _book(
    text: bytes, spec: VenueSpec, symbol: str, depth: int, alive_at_ms: Mapping[bytes, bytes]
) -> Book | None:
    writer, _, body = text.partition(b"\n")
    origin, bids, asks, received_at_ms, venue_time_ms, sequence, heard_at_ms, look = orjson.loads(
        body
    )
    if origin != origin_of(spec):
        return None
    return Book(
        spec.code,
        symbol,
        tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in bids[:depth]),
        tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in asks[:depth]),
        max(received_at_ms, int(alive_at_ms.get(writer, 0))),
        venue_time_ms,
        sequence,
        heard_at_ms,
        look and Look(*look),
    )


def _status_text(status: FeedStatus, now_ms: int) -> bytes:
    reason = status.reason
    return orjson.dumps(
        {
            "state": status.state.value,
            "reason": reason and _sentence(reason),
            "since_ms": status.since_ms,
            "updated_at_ms": status.updated_at_ms,
            "gap_count": status.gap_count,
            "reconnect_count": status.reconnect_count,
            "is_polled": status.is_polled,
            "recent_breaks": status.recent_breaks,
            "proven_at_ms": status.proven_at_ms,
            "written_at_ms": now_ms,
        }
    )


def _sentence(message: Message) -> list[Any]:
    """Return a sentence as template and context, so that each reader gets it in their language."""
    context = {
        name: _sentence(part) if isinstance(part, Message) else str(part)
        for name, part in message.context.items()
    }
    return [message.template, context]


def _message(sentence: Sequence[Any]) -> Message:
    template, context = sentence
    return Message(
        template,
        {name: _message(x) if isinstance(x, list) else x for name, x in context.items()},
    )


def _stored(
    venue: str, writer: str, symbol: bytes, text: bytes, alive_at_ms: Mapping[bytes, bytes]
) -> StoredStatus | None:
    confirmed_at_ms = None
    try:
        row = orjson.loads(text)
        written_at_ms = row.pop("written_at_ms")
        reason = row.pop("reason")
        status = FeedStatus(
            venue=venue,
            symbol=symbol.decode(),
            state=FeedState(row.pop("state")),
            reason=reason and _message(reason),
            **row,
        )
        if status.state is FeedState.HEALTHY:
            sign_ms = int(alive_at_ms.get(writer.encode(), 0))
            confirmed_at_ms = max(status.updated_at_ms or 0, sign_ms)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # of an engine of another version
    return StoredStatus(status, writer, written_at_ms, confirmed_at_ms)


def _book_key(venue: str, symbol: str) -> str:
    return f"arb:book:{venue}:{symbol}"


def _feed_key(venue: str, writer: str) -> str:
    return f"arb:feed:{venue}:{writer}"


def _alive_key(venue: str) -> str:
    return f"arb:alive:{venue}"
