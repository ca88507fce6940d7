"""What is traded at a venue, trade by trade and as bars, for the classes that stream it."""

import asyncio
import decimal
from contextlib import suppress
from typing import Any

import ccxt
import ccxt.pro

from arbplatform.core.decimals import PRECISION_DIGITS
from arbplatform.core.errors import Message
from markets.domain.quote import Candle, Trade
from markets.errors import NotSupportedByVenue, VenueUnavailable
from markets.gateway.base import VenueSpec
from markets.gateway.ccxt_stream import LEAVE_S, VenueStreams
from markets.gateway.error_map import Malformed
from markets.gateway.market_data import parse_candles, parse_trades

_CANNOT = (ccxt.ArgumentsRequired, ccxt.NotSupported, ccxt.BadRequest, ccxt.BadSymbol)


def can_tell(spec: VenueSpec, timeframe: str = "") -> bool:
    """Return whether a venue streams its trades, or bars of a width.

    Args:
        spec: how to reach the venue.
        timeframe: width of the bars as ccxt writes it; empty: trades.

    >>> spec = VenueSpec("k", "kraken")
    >>> can_tell(spec), can_tell(spec, "1m"), can_tell(spec, "7m")
    (True, True, False)
    """
    is_reachable = bool(spec.ws_origin or not spec.rest_origin)
    made = getattr(ccxt.pro, spec.ccxt_id, None)
    return made is not None and is_reachable and _has(made(), timeframe)


class TapeStream:
    """Trades and bars of one venue.

    Args:
        spec: how to reach the venue.
        source: a REST instance of the class that has loaded the markets.
        timeout_ms: for connecting [ms].
    """

    def __init__(self, spec: VenueSpec, source: Any, *, timeout_ms: int) -> None:
        self._venue = spec.code
        self._streams = VenueStreams(spec, timeout_ms=timeout_ms)
        self._exchange = self._streams.exchange
        self._streams.adopt_markets(source)

    async def next_trades(self, symbol: str) -> list[Trade]:
        """Return what was traded since the last call, once something was.

        Raises:
            NotSupportedByVenue: it does not tell.
            VenueUnavailable: the connection broke off.
        """
        return parse_trades(await self._next(symbol, ""))

    async def next_candles(self, symbol: str, timeframe: str) -> list[Candle]:
        """Return the bars that have changed since the last call, oldest first, once one has.

        Raises:
            NotSupportedByVenue: it does not tell.
            VenueUnavailable: the connection broke off, or a bar cannot be read.
        """
        rows = await self._next(symbol, timeframe)
        try:
            return parse_candles(rows, rows)
        except Malformed as error:
            raise self._lost(Message("its stream of trades cannot be read")) from error

    async def leave(self, symbol: str, timeframe: str) -> None:
        """Have the venue say no more of trades, or bars, where its class can ask for that."""
        exchange = self._exchange
        with suppress(ccxt.BaseError, OSError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                if timeframe and exchange.has.get("unWatchOHLCV"):
                    await exchange.un_watch_ohlcv(symbol, timeframe)
                elif not timeframe and exchange.has.get("unWatchTrades"):
                    await exchange.un_watch_trades(symbol)

    async def close(self) -> None:
        """End the connections."""
        await self._streams.close()

    async def _next(self, symbol: str, timeframe: str) -> list[Any]:
        exchange = self._exchange
        if not self._streams.can_connect or not _has(exchange, timeframe):
            raise self._untold()
        try:
            with decimal.localcontext(prec=PRECISION_DIGITS):
                if timeframe:
                    return [*await exchange.watch_ohlcv(symbol, timeframe)]
                return [*await exchange.watch_trades(symbol)]
        except _CANNOT as error:
            raise self._untold() from error
        except (ccxt.BaseError, OSError) as error:
            raise self._lost(Message("its stream of trades broke off")) from error

    def _untold(self) -> NotSupportedByVenue:
        cause = Message("no stream tells what is traded on this market")
        return NotSupportedByVenue(venue=self._venue, cause=cause)

    def _lost(self, cause: Message) -> VenueUnavailable:
        return VenueUnavailable(venue=self._venue, cause=cause)


def _has(exchange: Any, timeframe: str) -> bool:
    if not timeframe:
        return bool(exchange.has.get("watchTrades"))
    return bool(exchange.has.get("watchOHLCV")) and timeframe in (exchange.timeframes or ())
