"""Prices at an instant and over a span."""

from dataclasses import dataclass
from decimal import Decimal

from arbplatform.core.decimals import Amount, Price, Quantity
from markets.domain.orders import Side


@dataclass(frozen=True, slots=True)
class Ticker:
    """Best prices and the last day of one market.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        bid, ask, last: [quote per base]; ``None`` when the venue gives none.
        bid_quantity, ask_quantity: at the best price [base].
        high, low: of the last 24 h [quote per base].
        base_volume: traded in the last 24 h [base].
        quote_volume: traded in the last 24 h [quote].
        change_percent: of the last 24 h [%].
        received_at_ms: when we had it [ms since epoch].
    """

    venue: str
    symbol: str
    bid: Price | None
    ask: Price | None
    last: Price | None
    received_at_ms: int
    bid_quantity: Quantity | None = None
    ask_quantity: Quantity | None = None
    high: Price | None = None
    low: Price | None = None
    base_volume: Quantity | None = None
    quote_volume: Amount | None = None
    change_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar of a chart.

    Attributes:
        opened_at_ms: start of the bar [ms since epoch].
        open, high, low, close: [quote per base].
        volume: traded in the bar [base].
    """

    opened_at_ms: int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity


@dataclass(frozen=True, slots=True)
class Trade:
    """What two others have traded, as the venue tells everybody.

    Attributes:
        traded_at_ms: when, by the venue's clock [ms since epoch].
        price: [quote per base].
        quantity: [base].
        side: what the taker did; ``None`` when the venue does not tell.
        id: the venue's own name of it; ``None`` when it has none.
    """

    traded_at_ms: int
    price: Price
    quantity: Quantity
    side: Side | None = None
    id: str | None = None
