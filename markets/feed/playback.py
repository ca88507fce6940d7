"""Recorded sessions played back into live books, by the same protocols that read them live."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from arbplatform.core.errors import InvalidInput
from markets.domain.book_side import UNREADABLE, WireLevel
from markets.domain.live_book import DEPTH_MAX, LiveBook
from markets.feed.sessions import Entry, EntryKind, read_session
from markets.gateway.wire.keeper import BookKeeper, Verdict
from markets.gateway.wire.messages import BookKind, BookMessage, WireBook
from markets.gateway.wire.protocols import wire_book_for


@dataclass(frozen=True, slots=True)
class VenueHead:
    """How to read what a session holds of one venue.

    Attributes:
        ccxt_id: class of the exchange in ccxt.
        symbols: unified symbols by the venue's names of the markets.
        depth_max: levels kept of each side.
        is_spot: whether they are spot markets.
        ticks: smallest difference of two prices by symbol, where known [quote per base].
    """

    ccxt_id: str
    symbols: Mapping[str, str]
    depth_max: int = DEPTH_MAX
    is_spot: bool = True
    ticks: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return it as a line of a session holds it."""
        return orjson.dumps(
            {
                "ccxt_id": self.ccxt_id,
                "symbols": dict(self.symbols),
                "depth_max": self.depth_max,
                "is_spot": self.is_spot,
                "ticks": dict(self.ticks),
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return what a line says. May raise one of ``UNREADABLE``."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True, slots=True)
class BookText:
    """A whole book, its numbers as texts.

    Attributes:
        symbol: unified symbol.
        bids: best first.
        asks: best first.
        sequence: the venue's number of the state.
        venue_time_ms: [ms since epoch, the venue's clock].
        limit: at how many levels it was cut, if that matters.
    """

    symbol: str
    bids: list[WireLevel]
    asks: list[WireLevel]
    sequence: int | None = None
    venue_time_ms: int | None = None
    limit: int | None = None

    def to_json(self) -> bytes:
        """Return it as a line of a session holds it."""
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return what a line says. May raise one of ``UNREADABLE``."""
        return cls(**orjson.loads(text))

    def to_message(self) -> BookMessage:
        """Return it as the snapshot that a keeper adopts."""
        return BookMessage(
            self.symbol,
            BookKind.SNAPSHOT,
            None,
            self.sequence,
            self.bids,
            self.asks,
            self.venue_time_ms,
            limit=self.limit,
        )


class Playback:
    """The books of a session as its entries come by.

    Attributes:
        books: by venue and symbol, current or not.
        refused: entries that were not about a known market, or not readable.
    """

    def __init__(self) -> None:
        self.books: dict[tuple[str, str], LiveBook] = {}
        self.refused = 0
        self._venues: dict[str, tuple[VenueHead, WireBook | None]] = {}
        self._keepers: dict[tuple[str, str], BookKeeper] = {}

    def take(self, entry: Entry) -> list[LiveBook]:
        """Take an entry; return the books that changed by it and may be decided upon."""
        try:
            return self._take(entry)
        except UNREADABLE:
            self.refused += 1
            return []

    def _take(self, entry: Entry) -> list[LiveBook]:
        if entry.kind is EntryKind.HEAD:
            head = VenueHead.from_json(entry.payload)
            wire = wire_book_for(head.ccxt_id, is_spot=head.is_spot)
            self._venues[entry.venue] = (head, wire)
            return []
        head, wire = self._venues[entry.venue]
        if entry.kind is EntryKind.FRAME:
            return self._take_frame(entry, head, wire)
        if entry.kind is EntryKind.LOST:
            for symbol in orjson.loads(entry.payload):
                self._lose(entry.venue, symbol)
            return []
        text = BookText.from_json(entry.payload)
        if entry.kind is EntryKind.SNAPSHOT and wire is not None:
            keeper = self._keeper(entry.venue, text.symbol, head, wire)
            verdict = keeper.adopt(text.to_message(), received_at_ms=_to_ms(entry))
            return [keeper.book] if verdict is Verdict.APPLIED else []
        return self._take_book(entry, text, head)

    def _take_frame(self, entry: Entry, head: VenueHead, wire: WireBook | None) -> list[LiveBook]:
        if wire is None:
            raise LookupError(head.ccxt_id)
        changed = []
        for message in wire.read(wire.decode(entry.payload)):
            symbol = head.symbols.get(message.symbol_id)
            if symbol is None:
                self.refused += 1
                continue
            keeper = self._keeper(entry.venue, symbol, head, wire)
            if keeper.take(message, received_at_ms=_to_ms(entry)) is Verdict.APPLIED:
                changed.append(keeper.book)
        return changed

    def _take_book(self, entry: Entry, text: BookText, head: VenueHead) -> list[LiveBook]:
        book = self._book(entry.venue, text.symbol, head)
        book.replace(
            text.bids,
            text.asks,
            received_at_ms=_to_ms(entry),
            venue_time_ms=text.venue_time_ms,
            sequence=text.sequence,
            limit=text.limit,
        )
        return [] if book.fault() else [book]

    def _lose(self, venue: str, symbol: str) -> None:
        if (venue, symbol) in self._keepers:
            self._keepers[venue, symbol].reset()
        elif (venue, symbol) in self.books:
            self.books[venue, symbol].clear()

    def _keeper(self, venue: str, symbol: str, head: VenueHead, wire: WireBook) -> BookKeeper:
        key = (venue, symbol)
        if key not in self._keepers:
            book = self._book(venue, symbol, head, is_refilled=wire.is_refilled)
            self._keepers[key] = BookKeeper(wire, book)
        return self._keepers[key]

    def _book(
        self, venue: str, symbol: str, head: VenueHead, *, is_refilled: bool = False
    ) -> LiveBook:
        key = (venue, symbol)
        if key not in self.books:
            self.books[key] = LiveBook(
                venue,
                symbol,
                depth_max=head.depth_max,
                is_refilled=is_refilled,
                tick=head.ticks.get(symbol, 0.0),
            )
        return self.books[key]


def play_session(path: Path) -> Iterator[tuple[int, LiveBook]]:
    """Yield for every change in a session when it came [ns since epoch] and the book.

    The book is the live one, which the next change changes again: take from it what is needed.

    Raises:
        InvalidInput: the session cannot be read, or holds no book at all.
    """
    yield from play_entries(read_session(path), path)


def play_entries(entries: Iterable[Entry], path: Path) -> Iterator[tuple[int, LiveBook]]:
    """Yield the changes that entries make.

    Raises:
        InvalidInput: there was none.
    """
    playback = Playback()
    is_empty = True
    for entry in entries:
        for book in playback.take(entry):
            is_empty = False
            yield entry.received_ns, book
    if is_empty:
        raise InvalidInput("The session {path} holds no order book.", path=str(path))


def _to_ms(entry: Entry) -> int:
    return entry.received_ns // 1_000_000


def text_of(book: LiveBook, depth: int) -> BookText:
    """Return the best levels of a live book as a session holds them."""
    levels: list[Any] = [
        [list(level) for level in side.top(depth)] for side in (book.bids, book.asks)
    ]
    return BookText(book.symbol, levels[0], levels[1], book.sequence, book.venue_time_ms)
