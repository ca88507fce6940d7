"""The risk gate: what an intent may not exceed, whatever its strategy thinks of it.

All amounts of a limit are in the reporting asset. A limit that is set needs its figures: what
cannot be valued is refused, since an unknown figure is no small one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from arbplatform.core.decimals import (
    BPS_PER_UNIT,
    ZERO,
    Amount,
    Bps,
    Fraction,
    Price,
    floor_to_step,
    to_plain,
)
from arbplatform.core.errors import Message
from markets.domain.orders import Side
from strategies.domain.intents import Intent, LegIntent

PERCENT = 100

_SHOWN = Amount("1e-8")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one strategy may do; ``None``: unlimited.

    Attributes:
        order_notional_max: of one order [reporting asset].
        day_notional_max: of all that it executes in one UTC day [reporting asset].
        open_executions_max: that have not ended when another one begins.
        unhedged_max: of what its executions have left over [reporting asset].
        day_loss_max: of one UTC day, left-overs at present prices [reporting asset].
        venue_share_max: of everything that is owned, at a venue that it trades on, from 0 to 1.
        edge_bps_max: an edge above that is too good to be true [bps].
        price_band_bps: between a limit price and the last known price [bps].
        unhedged_seconds_max: of what is left over, times how long it has been [reporting asset
            times seconds].
        open_orders_max: at one venue account, those of the intent included.
        position_max: what a venue account may hold of the base asset that it buys [reporting
            asset].
        book_age_ms_max: a book that was proven longer ago, or in the future, is not traded on
            [ms].
        book_skew_ms_max: from when the book of one leg was last proven to the last change of that
            of another [ms].
        ticker_gap_bps_max: between the bid of a symbol at one venue and its ask at another [bps].
        depeg_bps_max: of a reference market of pegged assets from one to one [bps].
    """

    order_notional_max: Amount | None = None
    day_notional_max: Amount | None = None
    open_executions_max: int | None = None
    unhedged_max: Amount | None = None
    day_loss_max: Amount | None = None
    venue_share_max: Fraction | None = None
    edge_bps_max: Bps | None = None
    price_band_bps: Bps | None = None
    unhedged_seconds_max: Amount | None = None
    open_orders_max: int | None = None
    position_max: Amount | None = None
    book_age_ms_max: int | None = None
    book_skew_ms_max: int | None = None
    ticker_gap_bps_max: Bps | None = None
    depeg_bps_max: Bps | None = None


@dataclass(frozen=True, slots=True)
class RiskFigures:
    """How things stand for one strategy.

    Attributes:
        prices: of a unit of each asset that has one [reporting asset].
        day_notional: executed since UTC midnight, by asset [units of the asset].
        open_executions: that have not ended.
        left_over: by executions of today and such as have not ended [units of the asset].
        day_result: net movement of each asset since UTC midnight [units of the asset].
        left_over_seconds: the same amounts times how long they have been left over, net
            [units of the asset times seconds].
        held: by venue and asset, everything that is owned [units of the asset].
        open_orders: whose end is not known, by venue.
    """

    prices: Mapping[str, Price] = field(default_factory=dict)
    day_notional: Mapping[str, Amount] = field(default_factory=dict)
    open_executions: int = 0
    left_over: Mapping[str, Amount] = field(default_factory=dict)
    left_over_seconds: Mapping[str, Amount] = field(default_factory=dict)
    day_result: Mapping[str, Amount] = field(default_factory=dict)
    held: Mapping[str, Mapping[str, Amount]] = field(default_factory=dict)
    open_orders: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an intent is refused.

    Attributes:
        code: machine-readable, in lower snake case.
        message: the sentence, with the figures.
    """

    code: str
    message: Message


DENIALS: Mapping[str, str] = {
    "price_unknown": (
        "The limit '{limit}' is set, but what {assets} is worth is not known at present."
    ),
    "edge_above_cap": (
        "An edge of {edge_bps} bps is above the cap of {limit} bps: too good to be true."
    ),
    "order_notional": (
        "The order of {symbol} on {venue} is worth {value}; one order may be worth {limit}."
    ),
    "day_notional": (
        "{value} would be traded today, {added} of it by this intent; {limit} a day are allowed."
    ),
    "open_executions": "{value} executions have not ended; {limit} at the same time are allowed.",
    "unhedged_exposure": "Exposures worth {value} are left over; {limit} are allowed.",
    "day_loss": "{value} were lost today; {limit} a day are allowed.",
    "venue_concentration": (
        "{value} % of everything lies on {venue}; strategies trade there up to {limit} %."
    ),
    "price_band": (
        "The limit price {price} of {symbol} on {venue} is {value} bps away from the last known "
        "price {last}; {limit} bps are allowed."
    ),
    "unhedged_time": (
        "Exposures worth {value} times seconds are left over; {limit} times seconds are allowed."
    ),
    "open_orders": (
        "{value} orders would be open at {venue}; {limit} at the same time are allowed."
    ),
    "position": ("The account at {venue} would hold {asset} worth {value}; {limit} are allowed."),
    "market_suspended": "{symbol} on {venue} is suspended or not listed any more.",
    "book_missing": "There is no order book of {symbol} from {venue}.",
    "book_crossed": (
        "The order book of {symbol} from {venue} is crossed: bid {bid}, ask {ask}. It is broken "
        "or out of date."
    ),
    "book_stale": (
        "The order book of {symbol} from {venue} is {value} ms old: so long ago {proof}; {limit} "
        "ms are allowed."
    ),
    "books_skewed": (
        "The order book of one leg changed {value} ms after that of another was last proven; "
        "{limit} ms are allowed."
    ),
    "ticker_mismatch": (
        "{symbol} brings {value} bps more at one of {venue} and {other} than it costs at the "
        "other; beyond {limit} bps it may be two coins of one name. Compare the contracts, then "
        "raise the limit."
    ),
    "depeg": (
        "{symbol} stands at {price} on {venue}, {value} bps away from one to one; {limit} bps are "
        "allowed."
    ),
    "peg_unknown": (
        "What {symbol} stands at on {venue} was not measured lately, so it is not known whether "
        "the peg holds."
    ),
    "quantity_off_lot": ("{value} of {symbol} on {venue} is no whole number of lots of {limit}."),
    "price_off_tick": "The price {value} of {symbol} on {venue} is not on the grid of {limit}.",
    "quantity_below_min": "{value} of {symbol} on {venue} is below the minimum of {limit}.",
    "quantity_above_max": "{value} of {symbol} on {venue} is above the maximum of {limit}.",
    "notional_below_min": (
        "The order of {symbol} on {venue} is worth {value}, below the minimum of {limit}, in the "
        "quote asset."
    ),
}
"""Sentence of each code; the figures are in the reporting asset unless they say otherwise."""


class _Unpriced(Exception):
    """Something cannot be valued."""


def deny(
    intent: Intent, *, limits: Limits, figures: RiskFigures, symbols: Mapping[str, tuple[str, str]]
) -> Denial | None:
    """Return what forbids an intent, or ``None`` when nothing does.

    Args:
        intent: what a strategy wants.
        limits: what it may.
        figures: how things stand.
        symbols: base and quote of each symbol that the intent trades.
    """
    case = _Case(intent, figures, symbols)
    for (name, check), limit in zip(_CHECKS, _VALUES(limits), strict=True):
        if limit is None:
            continue
        try:
            denial = check(case, limit)
        except _Unpriced as unpriced:
            return make_denial("price_unknown", limit=name, assets=str(unpriced))
        if denial is not None:
            return denial
    return None


@dataclass(frozen=True, slots=True)
class _Case:
    intent: Intent
    figures: RiskFigures
    symbols: Mapping[str, tuple[str, str]]

    def price_of(self, asset: str) -> Price:
        price = self.figures.prices.get(asset)
        if price is None or price <= 0:
            raise _Unpriced(asset)
        return price

    def value_of(self, amounts: Mapping[str, Amount]) -> Amount:
        return sum((self.price_of(code) * amount for code, amount in _some(amounts)), ZERO)

    def size_of(self, amounts: Mapping[str, Amount]) -> Amount:
        return sum((self.price_of(code) * abs(amount) for code, amount in _some(amounts)), ZERO)

    def notional_of(self, leg: LegIntent) -> Amount:
        return leg.quantity * leg.limit_price * self.price_of(self.symbols[leg.symbol][1])


def _check_edge(case: _Case, limit: Bps) -> Denial | None:
    if case.intent.edge_bps > limit:
        return make_denial("edge_above_cap", edge_bps=case.intent.edge_bps, limit=limit)
    return None


def _check_order(case: _Case, limit: Amount) -> Denial | None:
    for leg in case.intent.legs:
        value = case.notional_of(leg)
        if value > limit:
            return make_denial(
                "order_notional", symbol=leg.symbol, venue=leg.venue, value=value, limit=limit
            )
    return None


def _check_day(case: _Case, limit: Amount) -> Denial | None:
    added = case.intent.notional * case.price_of(case.intent.profit_asset)
    value = case.size_of(case.figures.day_notional) + added
    if value > limit:
        return make_denial("day_notional", value=value, added=added, limit=limit)
    return None


def _check_open(case: _Case, limit: int) -> Denial | None:
    if case.figures.open_executions >= limit:
        return make_denial("open_executions", value=case.figures.open_executions, limit=limit)
    return None


def _check_unhedged(case: _Case, limit: Amount) -> Denial | None:
    value = case.size_of(case.figures.left_over)
    if value > limit:
        return make_denial("unhedged_exposure", value=value, limit=limit)
    return None


def _check_loss(case: _Case, limit: Amount) -> Denial | None:
    loss = -case.value_of(case.figures.day_result)
    if loss > 0 and loss >= limit:
        return make_denial("day_loss", value=loss, limit=limit)
    return None


def _check_unhedged_time(case: _Case, limit: Amount) -> Denial | None:
    value = case.size_of(case.figures.left_over_seconds)
    if value > limit:
        return make_denial("unhedged_time", value=value, limit=limit)
    return None


def _check_open_orders(case: _Case, limit: int) -> Denial | None:
    for venue, added in Counter(leg.venue for leg in case.intent.legs).items():
        value = case.figures.open_orders.get(venue, 0) + added
        if value > limit:
            return make_denial("open_orders", venue=venue, value=value, limit=limit)
    return None


def _check_position(case: _Case, limit: Amount) -> Denial | None:
    for leg in case.intent.legs:
        asset = case.symbols[leg.symbol][0]
        if leg.side is Side.BUY:
            held = case.figures.held.get(leg.venue, {}).get(asset, ZERO)
            value = (held + leg.quantity) * case.price_of(asset)
            if value > limit:
                return make_denial(
                    "position", venue=leg.venue, asset=asset, value=value, limit=limit
                )
    return None


def _check_venues(case: _Case, limit: Fraction) -> Denial | None:
    values = {venue: case.value_of(amounts) for venue, amounts in case.figures.held.items()}
    total = sum(values.values(), ZERO)
    for venue in sorted({leg.venue for leg in case.intent.legs}):
        value = values.get(venue, ZERO)
        if total > 0 and value > limit * total:
            share = value / total * PERCENT
            return make_denial(
                "venue_concentration", venue=venue, value=share, limit=limit * PERCENT
            )
    return None


def _check_band(case: _Case, limit: Bps) -> Denial | None:
    for leg in case.intent.legs:
        base, quote = case.symbols[leg.symbol]
        last = case.price_of(base) / case.price_of(quote)
        distance = abs(leg.limit_price - last) / last * BPS_PER_UNIT
        if distance > limit:
            return make_denial(
                "price_band",
                symbol=leg.symbol,
                venue=leg.venue,
                price=leg.limit_price,
                last=last,
                value=distance,
                limit=limit,
            )
    return None


_CHECKS: Sequence[tuple[str, Callable[[_Case, Any], Denial | None]]] = (
    ("edge_bps_max", _check_edge),
    ("open_executions_max", _check_open),
    ("order_notional_max", _check_order),
    ("day_notional_max", _check_day),
    ("unhedged_max", _check_unhedged),
    ("day_loss_max", _check_loss),
    ("venue_share_max", _check_venues),
    ("price_band_bps", _check_band),
    ("unhedged_seconds_max", _check_unhedged_time),
    ("open_orders_max", _check_open_orders),
    ("position_max", _check_position),
)
"""Limits with their checks, those that cost least to understand first."""

_VALUES = attrgetter(*[name for name, _check in _CHECKS])
"""Returns the values of those limits, in this order."""


def _some(amounts: Mapping[str, Amount]) -> list[tuple[str, Amount]]:
    return [(code, amount) for code, amount in amounts.items() if amount]


def make_denial(code: str, **figures: object) -> Denial:
    """Return a denial with its sentence, amounts in plain digits."""
    shown = {
        name: to_plain(floor_to_step(value, _SHOWN)) if isinstance(value, Amount) else value
        for name, value in figures.items()
    }
    return Denial(code, Message(DENIALS[code], shown))
