"""Market data: what anyone may ask."""

import json
from typing import Any

from markets.simulator.exchange.listing import OPEN_ORDERS_MAX, Listing
from markets.simulator.exchange.orders import DEFAULT_SELF_TRADE, SelfTrade, Trade
from markets.simulator.exchange.tape import INTERVALS_MS, MINUTE_MS, Candle
from markets.simulator.exchange.units import PLACES, UNITS_PER_ONE, format_units
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.protocol import codes
from markets.simulator.protocol.forms import price_text, quantity_text
from markets.simulator.protocol.params import (
    Call,
    read_int,
    read_limit,
    require,
    require_listing,
)
from markets.simulator.venue import Venue

DEPTH_DEFAULT = 100
DEPTH_MAX = 5_000
ROWS_DEFAULT = 500
ROWS_MAX = 1_000


def ping(call: Call) -> dict[str, Any]:
    """Answer that the venue is there."""
    return {}


def time(call: Call) -> dict[str, Any]:
    """Return the venue's clock."""
    return {"serverTime": call.venue.stated_ms()}


def system_status(call: Call) -> dict[str, Any]:
    """Return whether the venue is under maintenance: the one thing that it still answers then."""
    if call.venue.faults.shows(FaultKind.MAINTENANCE):
        return {"status": 1, "msg": "system_maintenance"}
    return {"status": 0, "msg": "normal"}


def no_contracts(call: Call) -> dict[str, Any]:
    """Return an empty list of derivatives: stock clients ask for them too."""
    return time(call) | {"timezone": "UTC", "symbols": []}


def exchange_info(call: Call) -> dict[str, Any]:
    """Return all markets with their rules."""
    return {
        "timezone": "UTC",
        "serverTime": call.venue.stated_ms(),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_symbol_info(call.venue, listing) for listing in chosen_listings(call)],
    }


def chosen_listings(call: Call) -> list[Listing]:
    """Return the markets that ``symbol`` or ``symbols`` name, or all."""
    if "symbol" in call.params:
        return [require_listing(call)]
    if "symbols" not in call.params:
        return list(call.venue.listings.values())
    try:
        names = json.loads(call.params["symbols"])
    except ValueError:
        raise codes.illegal(
            "symbols", r'^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,})?\]$'
        ) from None
    listings = call.venue.listings
    if not isinstance(names, list) or any(name not in listings for name in names):
        raise codes.BAD_SYMBOL
    return [listings[name] for name in names]


def _symbol_info(venue: Venue, listing: Listing) -> dict[str, Any]:
    rules = listing.rules
    lot = {
        "minQty": quantity_text(listing, listing.lots_min),
        "maxQty": quantity_text(listing, listing.lots_max),
        "stepSize": quantity_text(listing, 1),
    }
    return {
        "symbol": listing.id,
        "status": venue.status_of(listing),
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": price_text(listing, 1),
                "maxPrice": format_units(10**9 * UNITS_PER_ONE),
                "tickSize": price_text(listing, 1),
            },
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot},
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{rules.notional_min:f}",
                "applyMinToMarket": True,
                "maxNotional": format_units(10**PLACES),
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": OPEN_ORDERS_MAX},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": DEFAULT_SELF_TRADE.value,
        "allowedSelfTradePreventionModes": [mode.value for mode in SelfTrade],
    }


def depth(call: Call) -> dict[str, Any]:
    """Return the best levels of both sides."""
    listing = require_listing(call)
    return depth_of(call.venue, listing, read_limit(call.params, DEPTH_DEFAULT, DEPTH_MAX))


def depth_of(venue: Venue, listing: Listing, limit: int) -> dict[str, Any]:
    """Return up to ``limit`` levels of each side."""
    shown = venue.shown_books.look(listing, limit)
    return {
        "lastUpdateId": shown.changes,
        "bids": level_texts(listing, shown.bids),
        "asks": level_texts(listing, shown.asks),
    }


def level_texts(listing: Listing, levels: list[tuple[int, int]]) -> list[list[str]]:
    """Return levels as pairs of texts."""
    tick_units, lot_units = listing.tick_units, listing.lot_units
    return [
        [format_units(price * tick_units), format_units(lots * lot_units)] for price, lots in levels
    ]


def trades(call: Call) -> list[dict[str, Any]]:
    """Return the latest trades."""
    listing = require_listing(call)
    kept = call.venue.tapes[listing.id].trades
    limit = read_limit(call.params, ROWS_DEFAULT, ROWS_MAX)
    return [
        {
            "id": trade.id,
            "price": price_text(listing, trade.price),
            "qty": quantity_text(listing, trade.quantity),
            "quoteQty": format_units(trade.cost),
            "time": trade.at_ms,
            "isBuyerMaker": not trade.taker.is_buy,
            "isBestMatch": True,
        }
        for trade in list(kept)[-limit:]
    ]


def agg_trades(call: Call) -> list[dict[str, Any]]:
    """Return the latest trades in the aggregate form; each stands alone here."""
    listing = require_listing(call)
    found: list[Trade] = list(call.venue.tapes[listing.id].trades)
    from_id = read_int(call.params, "fromId")
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    if from_id is not None:
        found = [trade for trade in found if trade.id >= from_id]
    if start_ms is not None:
        found = [trade for trade in found if trade.at_ms >= start_ms]
    if end_ms is not None:
        found = [trade for trade in found if trade.at_ms <= end_ms]
    limit = read_limit(call.params, ROWS_DEFAULT, ROWS_MAX)
    is_forward = from_id is not None or start_ms is not None
    return [
        agg_trade_of(listing, trade) for trade in (found[:limit] if is_forward else found[-limit:])
    ]


def agg_trade_of(listing: Listing, trade: Trade) -> dict[str, Any]:
    """Return one trade in the aggregate form."""
    return {
        "a": trade.id,
        "p": price_text(listing, trade.price),
        "q": quantity_text(listing, trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.at_ms,
        "m": not trade.taker.is_buy,
        "M": True,
    }


def klines(call: Call) -> list[list[Any]]:
    """Return candles, oldest first."""
    listing = require_listing(call)
    interval = require(call.params, "interval")
    if interval not in INTERVALS_MS:
        raise codes.BAD_INTERVAL
    found = call.venue.tapes[listing.id].candles(interval, call.venue.clock.now_ms())
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    if start_ms is not None:
        found = [candle for candle in found if candle.opened_ms >= start_ms]
    if end_ms is not None:
        found = [candle for candle in found if candle.opened_ms <= end_ms]
    limit = read_limit(call.params, ROWS_DEFAULT, ROWS_MAX)
    found = found[:limit] if start_ms is not None else found[-limit:]
    width_ms = INTERVALS_MS[interval]
    return [_kline(listing, candle, width_ms) for candle in found]


def _kline(listing: Listing, candle: Candle, width_ms: int) -> list[Any]:
    return [
        candle.opened_ms,
        price_text(listing, candle.open),
        price_text(listing, candle.high),
        price_text(listing, candle.low),
        price_text(listing, candle.close),
        quantity_text(listing, candle.volume),
        candle.opened_ms + width_ms - 1,
        format_units(candle.cost),
        candle.trades,
        quantity_text(listing, candle.taker_volume),
        format_units(candle.taker_cost),
        "0",
    ]


def book_ticker(call: Call) -> Any:
    """Return the best prices of one market or several."""
    return _one_or_all(call, book_ticker_of)


def book_ticker_of(venue: Venue, listing: Listing) -> dict[str, Any]:
    """Return the best prices of a market."""
    shown = venue.shown_books.look(listing, 1)
    bid = shown.bids[0] if shown.bids else (0, 0)
    ask = shown.asks[0] if shown.asks else (0, 0)
    return {
        "symbol": listing.id,
        "bidPrice": price_text(listing, bid[0]),
        "bidQty": quantity_text(listing, bid[1]),
        "askPrice": price_text(listing, ask[0]),
        "askQty": quantity_text(listing, ask[1]),
    }


def price_ticker(call: Call) -> Any:
    """Return the latest price of one market or several."""
    return _one_or_all(call, _price_of)


def _price_of(venue: Venue, listing: Listing) -> dict[str, Any]:
    return {
        "symbol": listing.id,
        "price": price_text(listing, venue.tapes[listing.id].last_price()),
    }


def average_price(call: Call) -> dict[str, Any]:
    """Return the latest price as the average one."""
    listing = require_listing(call)
    now_ms = call.venue.clock.now_ms()
    price = price_text(listing, call.venue.tapes[listing.id].last_price())
    return {"mins": 5, "price": price, "closeTime": now_ms}


def ticker_24hr(call: Call) -> Any:
    """Return the last day's figures of one market or several."""
    return _one_or_all(call, ticker_24hr_of)


def ticker_24hr_of(venue: Venue, listing: Listing) -> dict[str, Any]:
    """Return the last day's figures of a market."""
    now_ms = venue.clock.now_ms()
    day = venue.tapes[listing.id].day(now_ms) or Candle(now_ms, 0, 0, 0, 0)
    change = day.close - day.open
    # Both are [quote units] and [base units] for the same decimals: the ratio is a price.
    volume_units = day.volume * listing.lot_units
    average = day.cost * UNITS_PER_ONE // volume_units if volume_units else 0
    percent_millis = change * 100_000 // day.open if day.open else 0
    close = price_text(listing, day.close)
    return book_ticker_of(venue, listing) | {
        "priceChange": price_text(listing, change),
        "priceChangePercent": f"{percent_millis / 1000:.3f}",
        "weightedAvgPrice": format_units(average - average % 10**10),
        "prevClosePrice": price_text(listing, day.open),
        "lastPrice": close,
        "lastQty": _last_quantity(venue, listing),
        "openPrice": price_text(listing, day.open),
        "highPrice": price_text(listing, day.high),
        "lowPrice": price_text(listing, day.low),
        "volume": quantity_text(listing, day.volume),
        "quoteVolume": format_units(day.cost),
        "openTime": now_ms - 1440 * MINUTE_MS,
        "closeTime": now_ms,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    }


def _last_quantity(venue: Venue, listing: Listing) -> str:
    kept = venue.tapes[listing.id].trades
    return quantity_text(listing, kept[-1].quantity if kept else 0)


def _one_or_all(call: Call, make: Any) -> Any:
    made = [make(call.venue, listing) for listing in chosen_listings(call)]
    return made[0] if "symbol" in call.params else made
