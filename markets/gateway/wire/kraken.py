"""Order books of Kraken, version 2 of its stream: no numbers, but a checksum over 10 levels.

Prices and quantities are bare numbers, and the checksum is over their digits. A level that falls
out of the depth that was subscribed to is not taken back: clients cut it off themselves, and get
it again when it comes back in.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from markets.domain.book_side import WireLevel
from markets.gateway.wire.checksums import kraken_crc32
from markets.gateway.wire.decoding import decode_bare
from markets.gateway.wire.messages import BookKind, BookMessage, WireBook
from markets.gateway.wire.sequences import is_uncounted

_KINDS = {"snapshot": BookKind.SNAPSHOT, "update": BookKind.DELTA}


def read(message: Any) -> Sequence[BookMessage]:
    """Return the books in a message of the channel ``book``."""
    if not isinstance(message, dict) or message.get("channel") != "book":
        return ()
    kind = _KINDS[message["type"]]
    return [
        BookMessage(
            book["symbol"],
            kind,
            None,
            None,
            _pairs(book.get("bids") or ()),
            _pairs(book.get("asks") or ()),
            _milliseconds(book.get("timestamp")),
            book.get("checksum"),
        )
        for book in message["data"]
    ]


def _pairs(levels: Sequence[dict[str, Any]]) -> list[WireLevel]:
    return [(str(level["price"]), str(level["qty"])) for level in levels]


def _milliseconds(timestamp: str | None) -> int | None:
    if timestamp is None:
        return None
    return int(datetime.fromisoformat(timestamp).timestamp() * 1_000)


KRAKEN = WireBook(
    decode=decode_bare, read=read, rule=is_uncounted, checksum=kraken_crc32, is_refilled=True
)
