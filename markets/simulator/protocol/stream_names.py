"""Names of market streams: ``btcusdt@depth@100ms`` and their kin."""

import re
from typing import NamedTuple

from markets.simulator.exchange.tape import INTERVALS_MS

FAST_MS = 100
SLOW_MS = 1_000
_NAME = re.compile(r"(?P<market>[a-z0-9]+)@(?P<kind>[A-Za-z]+)(?P<rest>[A-Za-z0-9_@]*)")
_DEPTH = re.compile(r"(?P<levels>5|10|20)?(@(?P<pace>100ms|1000ms))?")
_ALL_MARKETS = {"!ticker@arr": "ticker", "!miniTicker@arr": "miniTicker"}


class Stream(NamedTuple):
    """What a stream's name says.

    Attributes:
        name: the whole of it.
        market_id: such as ``BTCUSDT``; empty for all markets.
        kind: ``trade``, ``aggTrade``, ``bookTicker``, ``depth``, ``kline``, ``ticker`` or
            ``miniTicker``.
        levels: of a partial book; 0 for differences.
        pace_ms: time between messages of a book [ms].
        interval: of a candle.
    """

    name: str
    market_id: str
    kind: str
    levels: int = 0
    pace_ms: int = SLOW_MS
    interval: str = ""


def parse_stream(name: str) -> Stream | None:
    """Return what a name says, or ``None`` when it is none."""
    if name in _ALL_MARKETS:
        return Stream(name, "", _ALL_MARKETS[name])
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    market_id, kind, rest = found["market"].upper(), found["kind"], found["rest"]
    if kind in {"trade", "aggTrade", "bookTicker", "ticker", "miniTicker"} and not rest:
        return Stream(name, market_id, kind)
    if kind == "kline" and rest[1:] in INTERVALS_MS and rest.startswith("_"):
        return Stream(name, market_id, kind, interval=rest[1:])
    depth = _DEPTH.fullmatch(rest) if kind == "depth" else None
    if depth is None:
        return None
    pace_ms = FAST_MS if depth["pace"] == "100ms" else SLOW_MS
    return Stream(name, market_id, kind, levels=int(depth["levels"] or 0), pace_ms=pace_ms)
