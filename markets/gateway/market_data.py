"""Turns ccxt's market data into our values."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import ccxt

from arbplatform.core.decimals import ONE, ZERO
from arbplatform.core.errors import InvalidInput, Message
from markets.domain.book import Book, Level
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from markets.domain.quote import Candle, Ticker, Trade
from markets.domain.rules import MarketRules
from markets.domain.symbols import split_symbol
from markets.gateway.answers import (
    need_number,
    number_or_none,
    require_list,
    require_mapping,
    states_emptiness,
    time_or_none,
    whole_or_none,
)
from markets.gateway.error_map import Malformed
from markets.gateway.quirks import BookStamp, Quirks

CANDLE_LENGTH = 6
_SIDES = frozenset(Side)
SEARCH_DEPTH_MAX = 4
STEP_UNSTATED = Decimal("1e-8")
"""Grid of a market whose venue counts significant digits instead of stating a step."""

FEE_UNSTATED = Decimal("0.01")
"""What a trade is taken to cost where a venue's list does not say: an unknown fee is no small one,
and with none at all every spread would look like a profit. Spot fees are lower."""

_FEE_MODES = {"get": FeeMode.RECEIVED, "give": FeeMode.GIVEN, "quote": FeeMode.QUOTE}


def parse_rules(
    market: Mapping[str, Any], venue: str, quirks: Quirks, mode: int
) -> MarketRules | None:
    """Return the rules of a ccxt market; ``None`` if it is no spot market we can name.

    Args:
        market: ccxt's structure.
        venue: code of the venue.
        quirks: what is special about the class.
        mode: how the class states precision, ccxt's ``precisionMode``.
    """
    if not market.get("spot") or market.get("contract"):
        return None
    try:
        base, quote = split_symbol(str(market.get("symbol")))
    except InvalidInput:
        return None
    precision = require_mapping(market.get("precision") or {}, "precision")
    limits = require_mapping(market.get("limits") or {}, "limits")
    amount, cost = limits.get("amount") or {}, limits.get("cost") or {}
    return MarketRules(
        venue=venue,
        symbol=str(market["symbol"]),
        base=base,
        quote=quote,
        tick=_step(precision.get("price"), mode),
        lot=_step(precision.get("amount"), mode),
        quantity_min=number_or_none(amount.get("min")) or ZERO,
        quantity_max=number_or_none(amount.get("max")) or None,
        notional_min=number_or_none(cost.get("min")) or ZERO,
        fees=FeeSchedule(
            maker=_fee_or_unstated(market.get("maker")),
            taker=_fee_or_unstated(market.get("taker")),
            mode=fee_mode_of(market, quirks),
        ),
        is_active=market.get("active") is not False,
    )


def _fee_or_unstated(value: object) -> Decimal:
    fee = number_or_none(value)
    return FEE_UNSTATED if fee is None else fee


def parse_book(
    answer: object, raw: object, *, venue: str, symbol: str, depth: int, received_at_ms: int
) -> Book:
    """Return a book of at most ``depth`` levels a side.

    Raises:
        Malformed: not a book, or an emptiness that the venue did not state.
    """
    book = require_mapping(answer, "order book")
    if book.get("symbol") not in {None, symbol}:
        raise Malformed(Message("the answer is about {symbol}", {"symbol": book["symbol"]}))
    bids = _levels(book.get("bids"), depth)
    asks = _levels(book.get("asks"), depth)
    if not bids and not asks and not _has_sides(raw, SEARCH_DEPTH_MAX):
        raise Malformed(Message("the answer holds no order book"))
    return Book(
        venue=venue,
        symbol=symbol,
        bids=bids,
        asks=asks,
        received_at_ms=received_at_ms,
        venue_time_ms=time_or_none(book.get("timestamp")),
        sequence=whole_or_none(book.get("nonce")),
    )


def made_at_ms_of(book: Book, headers: Mapping[str, str] | None, stamp: BookStamp) -> int | None:
    """Return when the venue made the answer that a book came in [ms since epoch, its clock].

    ``None``: that cannot be told. ``Date`` has whole seconds, so the moment is never too late. A
    store on the way keeps ``Date`` or renews it, and adds ``Age``: both are believed at once.

    Args:
        book: as it came.
        headers: of the answer.
        stamp: what of the answer says it.
    """
    if stamp is BookStamp.BODY:
        return book.venue_time_ms
    if stamp is BookStamp.NONE or headers is None:
        return None
    try:
        moment = parsedate_to_datetime(headers["Date"])
        age_s = int(headers.get("Age", "0"))
    except (KeyError, TypeError, ValueError):
        return None
    if age_s < 0 or moment.tzinfo is None:
        return None
    return round(moment.timestamp() - age_s) * 1_000


def parse_ticker(answer: object, *, venue: str, symbol: str, received_at_ms: int) -> Ticker:
    """Return a ticker.

    Raises:
        Malformed: about another market, or without any price.
    """
    ticker = require_mapping(answer, "ticker")
    if ticker.get("symbol") != symbol:
        raise Malformed(Message("the answer is about {symbol}", {"symbol": ticker.get("symbol")}))
    bid, ask, last = (number_or_none(ticker.get(key)) or None for key in ("bid", "ask", "last"))
    if bid is None and ask is None and last is None:
        raise Malformed(Message("the answer holds no price"))
    return Ticker(
        venue=venue,
        symbol=symbol,
        bid=bid,
        ask=ask,
        last=last,
        received_at_ms=received_at_ms,
        bid_quantity=number_or_none(ticker.get("bidVolume")),
        ask_quantity=number_or_none(ticker.get("askVolume")),
        high=number_or_none(ticker.get("high")),
        low=number_or_none(ticker.get("low")),
        base_volume=number_or_none(ticker.get("baseVolume")),
        quote_volume=number_or_none(ticker.get("quoteVolume")),
        change_percent=number_or_none(ticker.get("percentage")),
    )


def parse_tickers(
    answer: object, raw: object, *, venue: str, symbols: Sequence[str], received_at_ms: int
) -> dict[str, Ticker]:
    """Return tickers by symbol, without the markets that have no price.

    Raises:
        Malformed: not tickers by symbol, or an emptiness that the venue did not state.
    """
    rows = require_mapping(answer, "tickers")
    found = {}
    for symbol in symbols:
        row = rows.get(symbol)
        if isinstance(row, Mapping) and any(row.get(key) for key in ("bid", "ask", "last")):
            found[symbol] = parse_ticker(
                row, venue=venue, symbol=symbol, received_at_ms=received_at_ms
            )
    if not found and not states_emptiness(raw):
        raise Malformed(Message("the answer holds no ticker"))
    return found


def parse_trades(answer: Sequence[Any]) -> list[Trade]:
    """Return what was traded, in the order in which it was told; what is no trade is left out."""
    trades = []
    for row in answer:
        try:
            trades.append(_trade(require_mapping(row, "trade")))
        except Malformed:
            continue
    return trades


def _trade(row: Mapping[str, Any]) -> Trade:
    traded_at_ms = time_or_none(row.get("timestamp"))
    if traded_at_ms is None:
        raise Malformed(Message("the answer holds a trade without its time"))
    price, quantity = (need_number(row.get(key), key) for key in ("price", "amount"))
    side, name = row.get("side"), row.get("id")
    return Trade(
        traded_at_ms,
        price,
        quantity,
        Side(side) if side in _SIDES else None,
        None if name is None else str(name),
    )


def parse_candles(answer: object, raw: object) -> list[Candle]:
    """Return bars, oldest first, without holes in their numbers.

    Raises:
        Malformed: not a list of bars.
    """
    candles = []
    for row in require_list(answer, raw, "bars"):
        if not isinstance(row, list) or len(row) < CANDLE_LENGTH or row[0] is None:
            raise Malformed(Message("the answer holds a broken bar"))
        open_, high, low, close = (need_number(value, "price") for value in row[1:5])
        candles.append(Candle(int(row[0]), open_, high, low, close, number_or_none(row[5]) or ZERO))
    return sorted(candles, key=lambda candle: candle.opened_at_ms)


def _levels(rows: object, depth: int) -> tuple[Level, ...]:
    if not isinstance(rows, list):
        raise Malformed(Message("the answer holds no order book"))
    levels = (
        Level(need_number(row[0], "price"), need_number(row[1], "quantity")) for row in rows[:depth]
    )
    return tuple(level for level in levels if level.price > 0 and level.quantity > 0)


def _has_sides(raw: object, depth: int) -> bool:
    if depth and isinstance(raw, Mapping):
        keys = set(raw)
        if {"bids", "asks"} <= keys or {"b", "a"} <= keys or {"buy", "sell"} <= keys:
            return True
        return any(_has_sides(value, depth - 1) for value in raw.values())
    if depth and isinstance(raw, list):
        return any(_has_sides(value, depth - 1) for value in raw[:2])
    return False


def step_or_none(value: object, mode: int) -> Decimal | None:
    """Return a precision as a step, or ``None`` where none is stated.

    Args:
        value: as the class states it.
        mode: how it does so, ccxt's ``precisionMode``.
    """
    step = _step(value, mode)
    return None if step is STEP_UNSTATED else step


def _step(value: object, mode: int) -> Decimal:
    number = number_or_none(value)
    if number is None:
        return STEP_UNSTATED
    if mode == ccxt.TICK_SIZE:
        return number if number > 0 else STEP_UNSTATED
    if mode == ccxt.DECIMAL_PLACES:
        return ONE.scaleb(-int(number))
    return STEP_UNSTATED


def fee_mode_of(market: Mapping[str, Any], quirks: Quirks) -> FeeMode:
    """Return the coin in which a market's fees are taken."""
    return quirks.fee_mode or _FEE_MODES.get(str(market.get("feeSide")), FeeMode.RECEIVED)
