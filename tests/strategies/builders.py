"""Books, rules and views in few words, and independent formulas to judge decisions by."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal as D
from pathlib import Path

import pytest

from markets.domain.book import Book, Level
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.view import AssetKey, MarketKey, MarketView

NOW_MS = 1_767_225_600_000
DATA = Path(__file__).parents[3] / "shared" / "data"

Number = D | int | str
Pairs = Iterable[tuple[Number, Number]]


def make_levels(pairs: Pairs) -> tuple[Level, ...]:
    return tuple(Level(D(price), D(quantity)) for price, quantity in pairs)


def make_book(
    venue: str = "alpha",
    symbol: str = "BTC/USDT",
    *,
    bids: Pairs = (),
    asks: Pairs = (),
    at_ms: int = NOW_MS,
) -> Book:
    return Book(venue, symbol, make_levels(bids), make_levels(asks), received_at_ms=at_ms)


def make_rules(
    venue: str = "alpha",
    symbol: str = "BTC/USDT",
    *,
    tick: Number = "0.01",
    lot: Number = "0.00001",
    fee: Number = "0.001",
    mode: FeeMode = FeeMode.RECEIVED,
    quantity_min: Number = 0,
    quantity_max: Number | None = None,
    notional_min: Number = 0,
    is_active: bool = True,
) -> MarketRules:
    base, quote = symbol.split("/")
    return MarketRules(
        venue=venue,
        symbol=symbol,
        base=base,
        quote=quote,
        tick=D(tick),
        lot=D(lot),
        quantity_min=D(quantity_min),
        quantity_max=None if quantity_max is None else D(quantity_max),
        notional_min=D(notional_min),
        fees=FeeSchedule(maker=D(fee), taker=D(fee), mode=mode),
        is_active=is_active,
    )


def make_view(
    books: Sequence[Book],
    rules: Sequence[MarketRules],
    free: Mapping[tuple[str, str], Number],
    *,
    now_ms: int = NOW_MS,
) -> MarketView:
    return MarketView(
        now_ms=now_ms,
        books={MarketKey(book.venue, book.symbol): book for book in books},
        rules={MarketKey(item.venue, item.symbol): item for item in rules},
        free={AssetKey(*key): D(amount) for key, amount in free.items()},
    )


def walk(levels: Iterable[tuple[D, D]], quantity: D) -> tuple[D, D]:
    """Return the notional of taking ``quantity`` and the worst price, by plain subtraction."""
    notional, worst = D(0), D(0)
    for price, size in levels:
        taken = min(size, quantity)
        if taken > 0:
            notional += taken * price
            worst = price
            quantity -= taken
    assert quantity == 0, "the book is not that deep"
    return notional, worst


def cash_flows(
    levels: Iterable[tuple[D, D]], side: Side, fees: FeeSchedule, quantity: D
) -> tuple[D, D, D]:
    """Return what leaves, what arrives and the worst price, from the meaning of each fee mode."""
    notional, worst = walk(levels, quantity)
    out, into = (notional, quantity) if side is Side.BUY else (quantity, notional)
    fee_in_quote = fees.mode is FeeMode.QUOTE
    if fees.mode is FeeMode.GIVEN or (fee_in_quote and side is Side.BUY):
        return out + out * fees.taker, into, worst
    return out, into - into * fees.taker, worst


def recorded(path: str) -> Path:
    """Return a recorded file; skip the test when it is not there."""
    file = DATA / path
    if not file.exists():
        pytest.skip(f"recorded market data is not here: {file}")
    return file
