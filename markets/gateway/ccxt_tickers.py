"""Best prices of all markets of a venue on one stream, for the venues that have such a stream."""

import asyncio
import decimal
from collections.abc import Mapping
from typing import Any

import ccxt

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import PRECISION_DIGITS
from arbplatform.core.errors import Message
from markets.domain.quote import Ticker
from markets.errors import VenueUnavailable
from markets.gateway.base import VenueSpec
from markets.gateway.ccxt_stream import VenueStreams, has_streams
from markets.gateway.error_map import Malformed
from markets.gateway.market_data import parse_ticker

_PARAMS: Mapping[str, Mapping[str, Any]] = {
    # unless told otherwise the class watches a short form, without bid and ask
    "binance": {"name": "ticker"},
    "binanceus": {"name": "ticker"},
}
_CANNOT = (ccxt.ArgumentsRequired, ccxt.NotSupported, ccxt.BadRequest, ccxt.BadSymbol)


class NoTickerStream(Exception):
    """The venue tells no prices of all markets at once."""


class TickerStream:
    """What a venue tells of the best prices of its markets.

    Args:
        spec: how to reach the venue.
        source: a REST instance of the class that has loaded the markets.
        timeout_ms: for connecting [ms].
        clock: stamps what comes in.

    Raises:
        NoTickerStream: the class cannot watch all markets, or not at this address.
    """

    def __init__(
        self, spec: VenueSpec, source: Any, *, timeout_ms: int, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        if not has_streams(spec.ccxt_id):
            raise NoTickerStream
        self._venue = spec.code
        self._clock = clock
        self._streams = VenueStreams(spec, timeout_ms=timeout_ms)
        self._exchange = self._streams.exchange
        if not self._streams.can_connect or not self._exchange.has.get("watchTickers"):
            raise NoTickerStream
        self._streams.adopt_markets(source)
        self._params = dict(_PARAMS.get(spec.ccxt_id, {}))
        self._seen: dict[str, Any] = {}
        self._has_quotes = False

    async def next(self, *, timeout_s: float) -> list[Ticker]:
        """Return what changed since the last call, once something has.

        Args:
            timeout_s: longest wait [s].

        Raises:
            NoTickerStream: the venue tells prices of named markets only, or no best prices.
            VenueUnavailable: nothing came in time, or the connection broke off.
        """
        try:
            with decimal.localcontext(prec=PRECISION_DIGITS):
                told = await asyncio.wait_for(
                    self._exchange.watch_tickers(None, self._params), timeout_s
                )
        except _CANNOT as error:
            raise NoTickerStream from error
        except TimeoutError:
            raise self._lost(Message("its stream of prices said nothing")) from None
        except (ccxt.BaseError, OSError) as error:
            raise self._lost(Message("its stream of prices broke off")) from error
        tickers = self._parse({**told, **self._changed()})
        self._has_quotes = self._has_quotes or any(t.bid and t.ask for t in tickers)
        if not self._has_quotes:
            raise NoTickerStream
        return tickers

    async def close(self) -> None:
        """End the connection."""
        await self._streams.close()

    def _changed(self) -> Mapping[str, Any]:
        """Return what came while nobody waited: ccxt hands out the last message only."""
        newest: Mapping[str, Any] = self._exchange.tickers or {}
        changed = {s: row for s, row in newest.items() if self._seen.get(s) is not row}
        self._seen.update(changed)
        return changed

    def _parse(self, rows: Mapping[str, Any]) -> list[Ticker]:
        now_ms = self._clock.now_ms()
        tickers = []
        for symbol, row in rows.items():
            try:
                ticker = parse_ticker(row, venue=self._venue, symbol=symbol, received_at_ms=now_ms)
            except Malformed:
                continue
            tickers.append(ticker)
        return tickers

    def _lost(self, cause: Message) -> VenueUnavailable:
        return VenueUnavailable(venue=self._venue, cause=cause)
