"""Order books of Binance: differences with ranges of numbers, snapshots by REST.

Spot differences say ``U`` and ``u``, the first and last update in them; futures share their
numbers between markets, so there ``pu`` says where the one before ended.
"""

from collections.abc import Sequence
from typing import Any

from markets.gateway.wire.decoding import decode_quoted
from markets.gateway.wire.messages import BookKind, BookMessage, Decoded, WireBook
from markets.gateway.wire.sequences import covers


def read(message: Any) -> Sequence[BookMessage]:
    """Return the difference in a message of a raw or a combined stream."""
    if not isinstance(message, dict):
        return ()
    event = message["data"] if "stream" in message else message
    if not isinstance(event, dict) or event.get("e") != "depthUpdate":
        return ()
    previous = event.get("pu")
    return (
        BookMessage(
            event["s"],
            BookKind.DELTA,
            event["U"] - 1 if previous is None else previous,
            event["u"],
            event["b"],
            event["a"],
            event["E"],
        ),
    )


def read_snapshot(body: Decoded, symbol_id: str, limit: int) -> BookMessage:
    """Return the book in the answer of ``GET …/depth``."""
    return BookMessage(
        symbol_id,
        BookKind.SNAPSHOT,
        None,
        body["lastUpdateId"],
        body["bids"],
        body["asks"],
        body.get("E"),
        limit=limit,
    )


BINANCE = WireBook(decode=decode_quoted, read=read, rule=covers, read_snapshot=read_snapshot)
