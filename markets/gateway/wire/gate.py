"""Order books of Gate, by two generations of its stream.

``order_book_update`` sends differences with ranges of numbers and leaves the snapshot to REST;
``obu`` sends a full book first, and again whenever it likes. Levels are pairs for spot and
objects for futures, whose quantities are contracts.
"""

from collections.abc import Sequence
from typing import Any

from markets.domain.book_side import WireLevel
from markets.gateway.wire.decoding import decode_bare, decode_quoted
from markets.gateway.wire.messages import BookKind, BookMessage, Decoded, WireBook
from markets.gateway.wire.sequences import continues, covers


def decode(text: str | bytes) -> Any:
    """Return the value of a frame; quantities of futures are bare numbers."""
    bare = '"p":' in text if isinstance(text, str) else b'"p":' in text
    return decode_bare(text) if bare else decode_quoted(text)


def read(message: Any) -> Sequence[BookMessage]:
    """Return the book in a message of either stream."""
    if not isinstance(message, dict) or message.get("event") != "update":
        return ()
    channel = message["channel"]
    if channel.endswith(".order_book_update"):
        book = message["result"]
        return (_read_book(book, book["s"], book["U"] - 1),)
    if channel.endswith(".obu"):
        book = message["result"]
        symbol_id = book["s"].split(".")[1]
        return (_read_book(book, symbol_id, None if book.get("full") else book["U"] - 1),)
    return ()


def read_snapshot(body: Decoded, symbol_id: str, limit: int) -> BookMessage:
    """Return the book in the answer of ``GET …/order_book`` with ``with_id``."""
    return BookMessage(
        symbol_id,
        BookKind.SNAPSHOT,
        None,
        body["id"],
        _pairs(body["bids"]),
        _pairs(body["asks"]),
        limit=limit,
    )


def _read_book(book: Decoded, symbol_id: str, previous: int | None) -> BookMessage:
    return BookMessage(
        symbol_id,
        BookKind.SNAPSHOT if previous is None else BookKind.DELTA,
        previous,
        book["u"],
        _pairs(book.get("b") or ()),
        _pairs(book.get("a") or ()),
        book["t"],
    )


def _pairs(levels: Sequence[Any]) -> Sequence[WireLevel]:
    if not levels or not isinstance(levels[0], dict):
        return levels
    return [(level["p"], str(level["s"])) for level in levels]


GATE_FULL = WireBook(decode=decode, read=read, rule=continues)
"""The stream ``obu``, which spot markets are read from."""

GATE_BY_REST = WireBook(decode=decode, read=read, rule=covers, read_snapshot=read_snapshot)
"""The stream ``order_book_update``, which contracts are read from."""
