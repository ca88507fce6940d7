"""Market streams of one venue: who listens to what, and what they are sent."""

from typing import Any

import orjson

from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.orders import Trade
from markets.simulator.exchange.tape import INTERVALS_MS, Candle
from markets.simulator.exchange.units import format_units
from markets.simulator.faults.feeds import MARKET, Wire, is_silent, target_of
from markets.simulator.faults.plan import Thing
from markets.simulator.protocol.connection import Connection
from markets.simulator.protocol.forms import price_text, quantity_text
from markets.simulator.protocol.public import agg_trade_of, book_ticker_of, depth_of, ticker_24hr_of
from markets.simulator.protocol.stream_names import FAST_MS, SLOW_MS, Stream, parse_stream
from markets.simulator.venue import Venue


class MarketStreams:
    """Subscriptions to one venue's markets.

    Events (trades, best prices) are sent at once; books, candles and tickers at a pace, by
    ``publish``. A message is made once, however many listen.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._listeners: dict[str, set[Connection]] = {}
        self._streams: dict[str, Stream] = {}
        self._depths: dict[str, _DepthFeed] = {}
        self._best: dict[str, tuple[Any, Any]] = {}
        self._candles: dict[str, Candle] = {}
        self._sent_at_ms: dict[str, int] = {}
        self._wire = Wire(venue.faults)

    def subscribe(self, connection: Connection, name: str) -> bool:
        """Let a connection listen to a stream; return whether its name makes sense."""
        stream = parse_stream(name)
        if stream is None:
            return False
        connection.streams.add(name)
        self._listeners.setdefault(name, set()).add(connection)
        listing = self._venue.listings.get(stream.market_id)
        if name in self._streams or (listing is None and stream.market_id):
            return True
        self._streams[name] = stream
        if listing is not None and stream.kind == "depth" and not stream.levels:
            self._depths[name] = _DepthFeed(self._venue, listing)
        return True

    def unsubscribe(self, connection: Connection, name: str) -> None:
        """Let a connection listen no more; a stream without listeners costs nothing."""
        connection.streams.discard(name)
        listeners = self._listeners.get(name)
        if listeners is None:
            return
        listeners.discard(connection)
        if not listeners:
            del self._listeners[name]
            self._streams.pop(name, None)
            self._candles.pop(name, None)
            self._sent_at_ms.pop(name, None)
            self._wire.forget(name)
            feed = self._depths.pop(name, None)
            if feed is not None:
                feed.close()

    def market_changed(self, listing: Listing, trades: list[Trade]) -> None:
        """Send what is sent at once."""
        if not self._streams or is_silent(self._venue.faults, self._target_of(listing.id)):
            return
        prefix = listing.id.lower()
        if trades:
            for kind, make in (("trade", _trade_event), ("aggTrade", _agg_trade_event)):
                name = f"{prefix}@{kind}"
                if name in self._streams:
                    for trade in trades:
                        self._send(name, make(listing, trade))
        name = f"{prefix}@bookTicker"
        if name in self._streams and not self._venue.shown_books.is_stale(listing):
            best = (listing.book.bids.best(), listing.book.asks.best())
            if self._best.get(listing.id) != best:
                self._best[listing.id] = best
                self._send(name, self._book_ticker(listing))

    def publish(self, now_ms: int) -> None:
        """Send what is sent at a pace and due at ``now_ms``."""
        for name, stream in list(self._streams.items()):
            if stream.kind in {"trade", "aggTrade", "bookTicker"}:
                continue
            pace_ms = stream.pace_ms if stream.kind == "depth" else SLOW_MS
            if now_ms - self._sent_at_ms.get(name, 0) < pace_ms - FAST_MS // 2:
                continue
            self._sent_at_ms[name] = now_ms
            if is_silent(self._venue.faults, self._target_of(stream.market_id)):
                continue
            for message in self._make(stream, now_ms):
                self._send(name, message)

    def _make(self, stream: Stream, now_ms: int) -> list[Any]:
        listing = self._venue.listings.get(stream.market_id)
        if listing is None:
            make = _mini_ticker if stream.kind == "miniTicker" else _ticker
            listings = self._venue.listings.values()
            return [[make(self._venue, one, now_ms) for one in listings]]
        if stream.kind == "depth":
            if stream.levels:
                return [depth_of(self._venue, listing, stream.levels)]
            return self._depths[stream.name].take(now_ms)
        if stream.kind == "kline":
            return self._make_candles(stream, listing, now_ms)
        make = _mini_ticker if stream.kind == "miniTicker" else _ticker
        return [make(self._venue, listing, now_ms)]

    def _make_candles(self, stream: Stream, listing: Listing, now_ms: int) -> list[Any]:
        current = self._venue.tapes[listing.id].current(stream.interval, now_ms)
        if current is None:
            return []
        made = []
        last = self._candles.get(stream.name)
        if last is not None and last.opened_ms != current.opened_ms:
            made.append(_kline_event(listing, last, stream.interval, now_ms, is_closed=True))
        if last != current:
            made.append(_kline_event(listing, current, stream.interval, now_ms, is_closed=False))
        self._candles[stream.name] = current
        return made

    def _book_ticker(self, listing: Listing) -> dict[str, Any]:
        ticker = book_ticker_of(self._venue, listing)
        return {
            "u": listing.book.changes,
            "s": listing.id,
            "b": ticker["bidPrice"],
            "B": ticker["bidQty"],
            "a": ticker["askPrice"],
            "A": ticker["askQty"],
        }

    @staticmethod
    def _target_of(market_id: str) -> Thing:
        return target_of(stream=MARKET, market_id=market_id)

    def _send(self, name: str, value: Any) -> None:
        target = self._target_of(self._streams[name].market_id)
        listeners = self._listeners.get(name, ())
        for arriving in self._wire.carry(name, value, target=target, listeners=listeners):
            plain = orjson.dumps(arriving)
            combined = b'{"stream":"%b","data":%b}' % (name.encode(), plain)
            for connection in list(listeners):
                connection.send_ready(combined if connection.is_combined else plain)


class _DepthFeed:
    """Collects which levels of a book changed since the last message."""

    def __init__(self, venue: Venue, listing: Listing) -> None:
        self._venue = venue
        self._listing = listing
        self._crossing: tuple[int, int] | None = None
        self._bids: set[int] = set()
        self._asks: set[int] = set()
        listing.book.bids.watchers.append(self._bids)
        listing.book.asks.watchers.append(self._asks)
        self._last = listing.book.changes

    def close(self) -> None:
        """Stop collecting."""
        book = self._listing.book
        book.bids.watchers = [kept for kept in book.bids.watchers if kept is not self._bids]
        book.asks.watchers = [kept for kept in book.asks.watchers if kept is not self._asks]

    def take(self, now_ms: int) -> list[dict[str, Any]]:
        """Return the message about all changes since the last one, if there were any.

        Its numbers follow the last one's without a gap: ``U`` is the last ``u`` plus one.
        """
        book = self._listing.book
        if book.changes == self._last or self._venue.shown_books.is_stale(self._listing):
            return []
        if self._crossing is not None:
            # What was false before is told as it is now.
            self._bids.add(self._crossing[0])
        self._crossing = self._venue.shown_books.crossing_bid(self._listing)
        message: dict[str, Any] = {
            "e": "depthUpdate",
            "E": now_ms,
            "s": self._listing.id,
            "U": self._last + 1,
            "u": book.changes,
            "b": self._levels(self._bids, book.bids.levels),
            "a": self._levels(self._asks, book.asks.levels),
        }
        if self._crossing is not None:
            price, lots = self._crossing
            false = [price_text(self._listing, price), quantity_text(self._listing, lots)]
            message["b"] = [false, *(level for level in message["b"] if level[0] != false[0])]
        self._last = book.changes
        self._bids.clear()
        self._asks.clear()
        return [message]

    def _levels(self, keys: set[int], levels: Any) -> list[list[str]]:
        listing = self._listing
        return [
            [
                price_text(listing, abs(key)),
                quantity_text(listing, levels[key].total if key in levels else 0),
            ]
            for key in sorted(keys, reverse=True)
        ]


def _trade_event(listing: Listing, trade: Trade) -> dict[str, Any]:
    return {
        "e": "trade",
        "E": trade.at_ms,
        "s": listing.id,
        "t": trade.id,
        "p": price_text(listing, trade.price),
        "q": quantity_text(listing, trade.quantity),
        "T": trade.at_ms,
        "m": not trade.taker.is_buy,
        "M": True,
    }


def _agg_trade_event(listing: Listing, trade: Trade) -> dict[str, Any]:
    return {"e": "aggTrade", "E": trade.at_ms, "s": listing.id} | agg_trade_of(listing, trade)


def _kline_event(
    listing: Listing, candle: Candle, interval: str, now_ms: int, *, is_closed: bool
) -> dict[str, Any]:
    return {
        "e": "kline",
        "E": now_ms,
        "s": listing.id,
        "k": {
            "t": candle.opened_ms,
            "T": candle.opened_ms + INTERVALS_MS[interval] - 1,
            "s": listing.id,
            "i": interval,
            "f": candle.first_id,
            "L": candle.last_id,
            "o": price_text(listing, candle.open),
            "c": price_text(listing, candle.close),
            "h": price_text(listing, candle.high),
            "l": price_text(listing, candle.low),
            "v": quantity_text(listing, candle.volume),
            "n": candle.trades,
            "x": is_closed,
            "q": format_units(candle.cost),
            "V": quantity_text(listing, candle.taker_volume),
            "Q": format_units(candle.taker_cost),
            "B": "0",
        },
    }


_TICKER_FIELDS = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}
_MINI_FIELDS = {key: _TICKER_FIELDS[key] for key in ("c", "o", "h", "l", "v", "q")}


def _ticker(venue: Venue, listing: Listing, now_ms: int) -> dict[str, Any]:
    return _ticker_event("24hrTicker", _TICKER_FIELDS, venue, listing, now_ms)


def _mini_ticker(venue: Venue, listing: Listing, now_ms: int) -> dict[str, Any]:
    return _ticker_event("24hrMiniTicker", _MINI_FIELDS, venue, listing, now_ms)


def _ticker_event(
    name: str, fields: dict[str, str], venue: Venue, listing: Listing, now_ms: int
) -> dict[str, Any]:
    values = ticker_24hr_of(venue, listing)
    event: dict[str, Any] = {"e": name, "E": now_ms, "s": listing.id}
    return event | {key: values[source] for key, source in fields.items()}
