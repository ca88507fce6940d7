"""Trades and bars for who watches: what is wanted, and what clients are told of it."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from arbplatform.core.clock import from_ms
from arbplatform.core.errors import ArbError
from arbplatform.push.publisher import publish, publish_many
from arbplatform.push.topics import Topic
from markets.domain.feeds import FeedState
from markets.domain.quote import Candle, Trade
from markets.feed.tapes import TapeHub
from markets.gateway.base import VenueSpec

TAPES_MAX: Final = 200
"""Topics of trades and bars that are followed at once; of the others clients are told ``down``."""
EVERY_S: Final = 0.1
"""Clients are told so often of a topic, at most [s]."""
TRADES_MAX: Final = 1_000
"""Trades of one message; of more the newest are told."""
CANDLES: Final = 2
"""Bars of one message: the present one, and the last one, which is complete."""


class LiveTapes:
    """Follows what is watched and publishes it; on the loop of an engine."""

    def __init__(self) -> None:
        self._hub = TapeHub(listener=self)
        self._followed: frozenset[Topic] = frozenset()
        self._trades: dict[Topic, deque[Trade]] = {}
        self._candles: dict[Topic, dict[int, Candle]] = {}
        self._changed: set[Topic] = set()
        self._timer: asyncio.TimerHandle | None = None

    def want(self, topics: Collection[Topic], specs: Mapping[str, VenueSpec]) -> None:
        """Follow what is watched, those first that are followed already.

        Args:
            topics: that are watched.
            specs: how to reach the enabled venues, by code.
        """
        reachable = [topic for topic in topics if topic.venue in specs]
        reachable.sort(key=lambda topic: topic not in self._followed)
        wanted: dict[VenueSpec, set[Topic]] = {}
        for topic in reachable[:TAPES_MAX]:
            wanted.setdefault(specs[topic.venue], set()).add(topic)
        publish_many(_farewell(topic) for topic in reachable[TAPES_MAX:])
        self._followed = frozenset(reachable[:TAPES_MAX])
        for topic in self._candles.keys() - self._followed:
            del self._candles[topic]
        self._hub.want(wanted)

    async def close(self) -> None:
        """End all streams."""
        if self._timer is not None:
            self._timer.cancel()
        await self._hub.close()

    # -- as a listener -------------------------------------------------------------------------

    def traded(self, topic: Topic, trades: Sequence[Trade]) -> None:
        """Gather what was traded."""
        if trades and topic in self._followed:
            self._trades.setdefault(topic, deque(maxlen=TRADES_MAX)).extend(trades)
            self._tell_soon()

    def candles_changed(self, topic: Topic, candles: Sequence[Candle]) -> None:
        """Keep the newest bars."""
        if topic in self._followed:
            kept = self._candles.setdefault(topic, {})
            kept.update((candle.opened_at_ms, candle) for candle in candles)
            for opened_at_ms in sorted(kept)[:-CANDLES]:
                del kept[opened_at_ms]
            self._changed.add(topic)
            self._tell_soon()

    def tape_lost(self, topic: Topic, error: ArbError) -> None:
        """Tell that nothing is known at present."""
        del error  # it is in the log; clients are told the state, as with books
        self._candles.pop(topic, None)
        self._changed.discard(topic)
        publish_many([_farewell(topic)])

    def _tell_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        trades, self._trades = self._trades, {}
        changed, self._changed = self._changed, set()
        for topic, told in trades.items():
            publish(topic.name, _common(topic, FeedState.HEALTHY) | {"trades": _trades(told)})
        for topic in changed:
            bars = [bar for _, bar in sorted(self._candles.get(topic, {}).items())]
            publish(topic.name, _common(topic, FeedState.HEALTHY) | {"candles": _candles(bars)})


def _common(topic: Topic, state: FeedState) -> dict[str, Any]:
    about = {"venue": topic.venue, "symbol": topic.symbol, "state": state.value}
    return about | {"timeframe": topic.timeframe} if topic.timeframe else about


def _farewell(topic: Topic) -> tuple[str, dict[str, Any]]:
    """Return what clients are told while nothing is known."""
    empty: dict[str, Any] = {"candles" if topic.timeframe else "trades": []}
    return topic.name, _common(topic, FeedState.DOWN) | empty


def _trades(trades: Iterable[Trade]) -> list[dict[str, Any]]:
    return [
        {
            "id": trade.id,
            "side": trade.side and trade.side.value,
            "price": trade.price,
            "quantity": trade.quantity,
            "traded_at": from_ms(trade.traded_at_ms),
        }
        for trade in trades
    ]


def _candles(candles: Iterable[Candle]) -> list[dict[str, Any]]:
    return [
        {
            "opened_at_ms": candle.opened_at_ms,
            "open": candle.open,
            "high": candle.high,
            "low": candle.low,
            "close": candle.close,
            "volume": candle.volume,
        }
        for candle in candles
    ]
