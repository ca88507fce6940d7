"""A market as the engine sees it: grids, bounds, fees and the book."""

from dataclasses import dataclass
from decimal import Decimal

from markets.domain.symbols import split_symbol
from markets.simulator.exchange.book import OrderBook
from markets.simulator.exchange.orders import Order, OrderRefused, Refusal
from markets.simulator.exchange.units import PLACES, RATE_SCALE, UNITS_PER_ONE, to_units

OPEN_ORDERS_MAX = 200
"""Resting orders of one account on one market."""


@dataclass(frozen=True, slots=True)
class ListingRules:
    """What an order must obey, in exact decimals.

    Attributes:
        symbol: unified symbol.
        tick: price grid [quote per base].
        lot: quantity grid [base].
        quantity_min, quantity_max: bounds of an order [base].
        notional_min: smallest price x quantity [quote].
        maker_fee, taker_fee: fractions of what is received.
    """

    symbol: str
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    maker_fee: Decimal
    taker_fee: Decimal


class Listing:
    """One market of one venue.

    Attributes:
        rules: in decimals.
        symbol, base, quote: names.
        id: the symbol as the wire protocol writes it.
        tick_units: one tick [quote units per base].
        lot_units: one lot [base units].
        cost_unit: price [ticks] x quantity [lots] x this = cost [quote units].
        maker_rate, taker_rate: [fraction x ``RATE_SCALE``].
        book: resting orders.
        house: the house's own orders by key, bids and asks.
        last_price: of the latest trade [ticks]; 0 before the first.
    """

    def __init__(self, rules: ListingRules) -> None:
        self.rules = rules
        self.symbol = rules.symbol
        self.base, self.quote = split_symbol(rules.symbol)
        self.id = self.base + self.quote
        self.tick_units = to_units(rules.tick)
        self.lot_units = to_units(rules.lot)
        self.cost_unit, rest = divmod(self.tick_units * self.lot_units, UNITS_PER_ONE)
        if rest or not self.cost_unit:
            raise ValueError(f"tick x lot of {rules.symbol} is finer than {PLACES} decimal places")
        self.lots_min = -(-to_units(rules.quantity_min) // self.lot_units)
        self.lots_max = to_units(rules.quantity_max) // self.lot_units
        self.notional_min = to_units(rules.notional_min)
        self.maker_rate = int(rules.maker_fee * RATE_SCALE)
        self.taker_rate = int(rules.taker_fee * RATE_SCALE)
        self.book = OrderBook()
        self.house: tuple[dict[int, Order], dict[int, Order]] = ({}, {})
        self.last_price = 0

    def to_ticks(self, price: Decimal) -> int:
        """Return ``price`` [quote per base] in ticks.

        Raises:
            OrderRefused: not a positive multiple of the tick.
        """
        ticks = _to_steps(price, self.rules.tick)
        if ticks <= 0:
            raise OrderRefused(Refusal.PRICE_FILTER)
        return ticks

    def to_lots(self, quantity: Decimal) -> int:
        """Return ``quantity`` [base] in lots.

        Raises:
            OrderRefused: not a multiple of the lot, or out of bounds.
        """
        lots = _to_steps(quantity, self.rules.lot)
        if lots <= 0 or not self.lots_min <= lots <= self.lots_max:
            raise OrderRefused(Refusal.LOT_SIZE)
        return lots


_QUOTIENT_MAX = Decimal(10) ** 20


def _to_steps(value: Decimal, step: Decimal) -> int:
    """Return how many steps ``value`` is, or -1 when it is not on the grid."""
    if not value.is_finite() or not 0 < value < step * _QUOTIENT_MAX:
        return -1
    quotient, rest = divmod(value, step)
    return -1 if rest else int(quotient)
