"""Order books of OKX: every message names the one before; CRC-32 over 25 levels.

OKX writes 0 where it has stopped to compute the checksum. The channels of 1 and 5 levels hold
whole books.
"""

from collections.abc import Sequence
from typing import Any

from markets.gateway.wire.checksums import interleaved_crc32
from markets.gateway.wire.decoding import decode_quoted
from markets.gateway.wire.messages import BookKind, BookMessage, WireBook
from markets.gateway.wire.sequences import continues

_KINDS = {"snapshot": BookKind.SNAPSHOT, "update": BookKind.DELTA}
_WHOLE_BOOKS = frozenset({"books5", "bbo-tbt"})


def read(message: Any) -> Sequence[BookMessage]:
    """Return the books in a message of one of the channels of books."""
    if not isinstance(message, dict) or "data" not in message or "arg" not in message:
        return ()
    subscription = message["arg"]
    kind = _KINDS.get(message.get("action", ""))
    if kind is None:
        if subscription["channel"] not in _WHOLE_BOOKS:
            return ()
        kind = BookKind.SNAPSHOT
    return [
        BookMessage(
            subscription["instId"],
            kind,
            book.get("prevSeqId"),
            book.get("seqId"),
            book["bids"],
            book["asks"],
            int(book["ts"]),
            book.get("checksum") or None,
        )
        for book in message["data"]
    ]


OKX = WireBook(decode=decode_quoted, read=read, rule=continues, checksum=interleaved_crc32)
