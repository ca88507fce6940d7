"""How the streams of venues differ, as data: how much goes into one message and one connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What a venue takes on its public WebSockets.

    Attributes:
        batch: markets of one subscription message, at most.
        per_line: markets of one connection, at most.
        pause_ms: between two messages of ours on one connection [ms].
        dials_per_minute: connections that this process opens in a minute, at most.
        depth: argument of ccxt's ``watch_order_book``; ``None`` for the class's own choice.
        snapshot_depths: levels of a side asked for over REST: while few markets are watched, and
            while there are many and a snapshot has to cost less.
        params: more arguments of the subscription.
        is_named_by_symbol: messages name a market by its unified symbol, not by its id.
    """

    batch: int = 1
    per_line: int = 50
    pause_ms: int = 250
    dials_per_minute: int = 20
    depth: int | None = None
    snapshot_depths: tuple[int, int] = (1_000, 100)
    params: Mapping[str, Any] = field(default_factory=dict)
    is_named_by_symbol: bool = False


_CAUTIOUS = StreamFacts()

_TABLE: Mapping[str, StreamFacts] = {
    # five messages of ours in a second, pings and pongs included, and 1,024 streams on a connection
    "binance": StreamFacts(batch=200, per_line=200, pause_ms=400, dials_per_minute=30),
    # requests of at most 64 KB
    "okx": StreamFacts(batch=100, per_line=100),
    # ten arguments in a request on spot
    "bybit": StreamFacts(batch=10, per_line=200, depth=200),
    "gate": StreamFacts(batch=1, per_line=100, pause_ms=50),
    "kraken": StreamFacts(batch=50, per_line=100, depth=100, is_named_by_symbol=True),
    # ten messages in a second; with more than fifty channels connections are said to be unstable
    "bitget": StreamFacts(batch=50, per_line=50),
}


def facts_for(ccxt_id: str) -> StreamFacts:
    """Return what is known of a class's streams, or what no venue objects to."""
    return _TABLE.get(ccxt_id, _CAUTIOUS)
