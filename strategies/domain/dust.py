"""Dust: what finished executions left over, too little for an order of its own.

It is carried into the next sale of the same asset: the leg that sells takes as many whole lots of
it along as the book, the funds and the market's maximum allow. What the arbitrage itself is worth
does not change; the books see one larger sale, whose execution ends that much short, so that the
leftovers of all executions together stay what the strategy really holds too much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from arbplatform.core.decimals import (
    SMALLEST_STORED,
    ZERO,
    Amount,
    Price,
    Quantity,
    floor_to_step,
    to_plain,
)
from arbplatform.core.errors import Message
from markets.domain.book import Book
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.edge import Factors, fee_factors
from strategies.domain.intents import Evaluation, Intent, LegIntent
from strategies.domain.view import AssetKey, MarketKey, MarketView


class Advice(StrEnum):
    """What is best done about dust."""

    NOTHING = "nothing"
    """It is a shortage that the stock covers, less than any venue takes as an order."""
    NEXT_SALE = "next_sale"
    """The next sale of the strategy takes it along."""
    BUY = "buy"
    """So much was sold that was not bought that it can be bought back by hand."""
    SELL = "sell"
    """It is enough for an order by hand."""
    CONVERT = "convert"
    """It is less than any venue takes."""


ADVICE: Mapping[Advice, str] = {
    Advice.NOTHING: (
        "More was sold than bought. The stock of the accounts covers it: there is nothing to do."
    ),
    Advice.BUY: (
        "More was sold than bought, and the stock of the accounts has shrunk by it: {quantity} of "
        "{symbol} can be bought back on {venue} by hand."
    ),
    Advice.NEXT_SALE: "The strategy sells it with its next sale of {asset}.",
    Advice.SELL: (
        "It is enough for an order: {quantity} of {symbol} can be sold on {venue} by hand."
    ),
    Advice.CONVERT: (
        "No venue takes so little as an order. It is kept until a whole lot comes together; "
        "until then a venue's own conversion of small balances is the only way out."
    ),
}
"""Sentence of each advice."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """A market on which dust could be sold.

    Attributes:
        rules: of the market; its base is the asset.
        price: what a unit is worth in the quote asset; ``None``: not known.
    """

    rules: MarketRules
    price: Price | None


def carry_dust(evaluation: Evaluation, view: MarketView) -> Evaluation:
    """Return an evaluation whose intents sell the dust of the view along with what they sell."""
    if not evaluation.intents or not view.dust:
        return evaluation
    intents = tuple([_carry(intent, view) for intent in evaluation.intents])
    return Evaluation(intents, evaluation.rejections)


def advise(
    asset: str, amount: Amount, outlets: Sequence[Outlet], *, is_running: bool
) -> tuple[Advice, Message]:
    """Return what is best done about dust, with the sentence.

    Args:
        asset: code.
        amount: what was left over; negative is short [units of the asset].
        outlets: markets of the strategy's venues that sell the asset.
        is_running: whether the strategy trades.
    """
    context: dict[str, str] = {"asset": asset}
    advice = Advice.CONVERT
    if amount <= 0:
        advice = Advice.NOTHING
    if amount > 0 and is_running and any(amount >= outlet.rules.lot for outlet in outlets):
        advice = Advice.NEXT_SALE
    else:
        for outlet in outlets:
            quantity = floor_to_step(abs(amount), outlet.rules.lot)
            if _is_order(quantity, outlet):
                advice = Advice.SELL if amount > 0 else Advice.BUY
                context = {
                    "quantity": to_plain(quantity),
                    "symbol": outlet.rules.symbol,
                    "venue": outlet.rules.venue,
                }
                break
    shown = {name: value for name, value in context.items() if f"{{{name}}}" in ADVICE[advice]}
    return advice, Message(ADVICE[advice], shown)


def _is_order(quantity: Quantity, outlet: Outlet) -> bool:
    rules = outlet.rules
    return (
        quantity > 0
        and quantity >= rules.quantity_min
        and outlet.price is not None
        and quantity * outlet.price >= rules.notional_min
    )


def _carry(intent: Intent, view: MarketView) -> Intent:
    legs, rest = list(intent.legs), dict(view.dust)
    rest[intent.profit_asset] = ZERO
    for index, leg in enumerate(intent.legs):
        if leg.side is not Side.SELL:
            continue
        key = MarketKey(leg.venue, leg.symbol)
        rules = view.rules[key]
        dust = rest.get(rules.base, ZERO)
        if dust <= 0:
            continue
        factors = fee_factors(rules.fees, leg.side)
        bounds = [
            dust / factors.spend,
            view.free.get(AssetKey(leg.venue, rules.base), ZERO) / factors.spend - leg.quantity,
            _depth(view.books[key], leg.limit_price) - leg.quantity,
        ]
        if rules.quantity_max is not None:
            bounds.append(rules.quantity_max - leg.quantity)
        extra = floor_to_step(min(bounds), rules.lot)
        if extra > 0:
            legs[index] = _with_extra(leg, factors, extra)
            rest[rules.base] = dust - extra
    return _with_legs(intent, tuple(legs))


def _depth(book: Book, limit: Price) -> Quantity:
    depth = ZERO
    for price, quantity in book.bids:
        if price < limit:
            break
        depth += quantity
    return depth


def _with_legs(intent: Intent, legs: tuple[LegIntent, ...]) -> Intent:
    """Return the same with other legs; ``dataclasses.replace`` takes several times as long."""
    return Intent(
        summary=intent.summary,
        legs=legs,
        mode=intent.mode,
        edge_bps=intent.edge_bps,
        notional=intent.notional,
        expected_profit=intent.expected_profit,
        profit_asset=intent.profit_asset,
        sizing=intent.sizing,
    )


def _with_extra(leg: LegIntent, factors: Factors, extra: Quantity) -> LegIntent:
    """Return a leg that sells more; what the dust brings is counted at the limit price."""
    received = extra * leg.limit_price * factors.receive
    return LegIntent(
        venue=leg.venue,
        symbol=leg.symbol,
        side=leg.side,
        quantity=leg.quantity + extra,
        limit_price=leg.limit_price,
        expected_spent=leg.expected_spent + _stored(extra * factors.spend, ROUND_CEILING),
        expected_received=leg.expected_received + _stored(received, ROUND_FLOOR),
        carried=extra,
    )


def _stored(value: Decimal, rounding: str) -> Decimal:
    return value.quantize(SMALLEST_STORED, rounding=rounding).normalize()
