"""Order books of Bybit: numbers rise by one; a snapshot at any time replaces the book.

After a restart of the venue the numbers begin again with a snapshot of number 1.
"""

from collections.abc import Sequence
from typing import Any

from markets.gateway.wire.decoding import decode_quoted
from markets.gateway.wire.messages import BookKind, BookMessage, WireBook
from markets.gateway.wire.sequences import continues

_KINDS = {"snapshot": BookKind.SNAPSHOT, "delta": BookKind.DELTA}


def read(message: Any) -> Sequence[BookMessage]:
    """Return the book in a message of ``orderbook.DEPTH.SYMBOL``."""
    if not isinstance(message, dict) or not message.get("topic", "").startswith("orderbook."):
        return ()
    book = message["data"]
    number = book["u"]
    return (
        BookMessage(
            book["s"],
            _KINDS[message["type"]],
            number - 1,
            number,
            book["b"],
            book["a"],
            message["ts"],
        ),
    )


BYBIT = WireBook(decode=decode_quoted, read=read, rule=continues)
