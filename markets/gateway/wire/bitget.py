"""Order books of Bitget: one channel has a checksum, the other names the message before.

The channels of 1, 5 and 15 levels hold whole books. A checksum of 0 means that there is none.
"""

from collections.abc import Sequence
from typing import Any

from markets.gateway.wire.checksums import interleaved_crc32
from markets.gateway.wire.decoding import decode_quoted
from markets.gateway.wire.messages import BookKind, BookMessage, Decoded, Step, WireBook
from markets.gateway.wire.sequences import continues, rises

_KINDS = {"snapshot": BookKind.SNAPSHOT, "update": BookKind.DELTA}


def read(message: Any) -> Sequence[BookMessage]:
    """Return the books in a message of one of the channels of books."""
    if not isinstance(message, dict) or "action" not in message or "arg" not in message:
        return ()
    subscription = message["arg"]
    channel = subscription.get("channel") or subscription["topic"]
    if not channel.startswith("books"):
        return ()
    symbol_id = subscription.get("instId") or subscription["symbol"]
    kind = _KINDS[message["action"]]
    data = message["data"]
    books = [data] if isinstance(data, dict) else data
    return [_read_book(book, symbol_id, kind) for book in books]


def step(state: int | None, message: BookMessage) -> Step:
    """Follow the chain where messages name the one before, else only that numbers rise."""
    return (rises if message.previous is None else continues)(state, message)


def _read_book(book: Decoded, symbol_id: str, kind: BookKind) -> BookMessage:
    return BookMessage(
        symbol_id,
        kind,
        _number(book.get("pseq")),
        _number(book.get("seq")),
        book["bids"] if "bids" in book else book["b"],
        book["asks"] if "asks" in book else book["a"],
        int(book["ts"]),
        book.get("checksum") or None,
    )


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


BITGET = WireBook(decode=decode_quoted, read=read, rule=step, checksum=interleaved_crc32)
