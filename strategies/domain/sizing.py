"""From prices that differ to an intent: the size that earns most under every constraint.

The constraints, in this order: balances at limit prices, participation in the visible depth, lots
(with the fee that is taken from the bought coin), smallest and largest order and smallest notional
on every leg at its limit price; then the profit is computed again from the rounded quantities and
must reach the least edge and the least profit. All of them hold before anything is sent.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from arbplatform.core.decimals import (
    BPS_PER_UNIT,
    SMALLEST_STORED,
    STORED_DECIMAL_PLACES,
    ZERO,
    Amount,
    Bps,
    Price,
    floor_to_step,
    to_plain,
)
from markets.domain.book import Book
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.candidate import CappedLeg, Terms, Trade, cap_leg
from strategies.domain.chain import (
    FEE_ROUNDING_ALLOWANCE,
    TINY,
    Chain,
    ChainLeg,
    Flow,
    coarsest,
)
from strategies.domain.edge import PricedLeg, effective_price, fee_factors, round_trip_edge
from strategies.domain.explanation import explain_cap, explain_none
from strategies.domain.intents import ExecutionMode, Intent, LegIntent, Rejection
from strategies.domain.limits import LimitedLeg, limit_prices
from strategies.domain.optimum import Best, Peak, find_best, find_peak
from strategies.domain.reasons import reject

_BPS_STEP = Decimal("1e-8")


def reject_at_top(trades: Sequence[Trade], terms: Terms, *, subject: str) -> Rejection | None:
    """Return why a chain cannot earn enough, judged by the best prices alone; ``None`` if it can.

    Every size pays the best prices or worse, so what fails here needs no depth walk.

    Args:
        trades: of the chain, in sequence.
        terms: of the strategy.
        subject: names the chain for people.
    """
    edge = round_trip_edge(trade.at_top for trade in trades)
    if edge.net_bps > ZERO and edge.net_bps >= terms.edge_bps_min:
        return None
    return reject(
        subject,
        "edge_below_min",
        edge_bps=edge.net_bps,
        edge_bps_min=terms.edge_bps_min,
        gross_bps=edge.gross_bps,
        fees_bps=edge.fees_bps,
    )


def size_cross_venue(*, buy: Trade, sell: Trade, terms: Terms, subject: str) -> Intent | Rejection:
    """Return the most profitable purchase on one venue with a sale on another.

    Both orders are paid from stock and sent at once. Base that rounding to lots leaves over stays
    with the buyer and counts at the best bid there, after fees.

    Args:
        buy: where base is cheap.
        sell: the same symbol on another venue, where base is dear.
        terms: of the strategy; amounts in the quote asset.
        subject: names the pair for people.
    """
    capped = tuple(
        cap_leg(trade, terms, is_first=trade is buy, is_from_stock=True) for trade in (buy, sell)
    )
    leftover_value = _bid_after_fee(buy.book, buy.rules)
    return _size(capped, terms, (leftover_value,), subject=subject, mode=ExecutionMode.PARALLEL)


def size_sequence(trades: Sequence[Trade], *, terms: Terms, subject: str) -> Intent | Rejection:
    """Return the most profitable chain of orders in which each spends what the one before brings.

    Only the first order is paid from stock. What rounding to lots leaves over counts nothing.

    Args:
        trades: on one venue, in sequence; the last brings back what the first spends.
        terms: of the strategy; amounts in the start asset.
        subject: names the chain for people.
    """
    capped = tuple(
        cap_leg(trade, terms, is_first=index == 0, is_from_stock=index == 0)
        for index, trade in enumerate(trades)
    )
    nothing = (ZERO,) * (len(capped) - 1)
    return _size(capped, terms, nothing, subject=subject, mode=ExecutionMode.SEQUENTIAL)


def _size(
    capped: Sequence[CappedLeg],
    terms: Terms,
    leftover_values: tuple[Amount, ...],
    *,
    subject: str,
    mode: ExecutionMode,
) -> Intent | Rejection:
    for item in capped:
        if item.leg.lots_from(1) is None:
            return explain_cap(item, subject=subject)
    legs = tuple(item.leg for item in capped)
    chain = Chain(
        legs=legs,
        pivot=_choose_pivot(legs, leftover_values),
        edge_min=terms.edge_min,
        leftover_values=leftover_values,
        dust_max=terms.dust_bps_max / BPS_PER_UNIT,
    )
    peak = find_peak(chain)
    best = find_best(chain, peak)
    if best.flow is None:
        return explain_none(capped, chain, peak, subject=subject)
    edge_bps = _edge_bps(best.flow)
    refusal = _reject_flow(best.flow, edge_bps, capped[0].trade.spent_asset, terms, subject)
    if refusal is not None:
        return refusal
    sizing = _describe(capped, chain, peak, best)
    return _to_intent(capped, best.flow, edge_bps, terms, sizing, subject=subject, mode=mode)


def _choose_pivot(legs: tuple[ChainLeg, ...], leftover_values: tuple[Amount, ...]) -> int:
    """Return the coarsest leg, or the last one where leftovers may be worth more than its bids."""
    last = legs[-1]
    worst = effective_price(last.ladder.prices[-1], last.side, last.factors)
    if leftover_values[-1] > 0 and worst < leftover_values[-1]:
        return len(legs) - 1
    return coarsest(legs)


def _bid_after_fee(book: Book, rules: MarketRules) -> Price:
    """Return what a base unit would bring where the book is [quote per base]."""
    if book.best_bid is None:
        return ZERO
    price = floor_to_step(book.best_bid.price, rules.tick)
    return effective_price(price, Side.SELL, fee_factors(rules.fees, Side.SELL))


def _reject_flow(
    flow: Flow, edge_bps: Bps, asset: str, terms: Terms, subject: str
) -> Rejection | None:
    if edge_bps > terms.edge_bps_max:
        return reject(subject, "edge_too_good", edge_bps=edge_bps, edge_bps_max=terms.edge_bps_max)
    if flow.profit < terms.profit_min:
        return reject(
            subject,
            "profit_below_min",
            edge_bps=edge_bps,
            profit=flow.profit,
            profit_min=terms.profit_min,
            notional=flow.spent[0],
            asset=asset,
        )
    return None


def _to_intent(
    capped: Sequence[CappedLeg],
    flow: Flow,
    edge_bps: Bps,
    terms: Terms,
    sizing: dict[str, str],
    *,
    subject: str,
    mode: ExecutionMode,
) -> Intent:
    limits = limit_prices(
        [_limited(capped, flow, index) for index in range(len(capped))],
        edge=flow.profit / flow.spent[0],
        edge_kept=max(terms.edge_min, terms.profit_min / flow.spent[0]),
        share=terms.slippage_share,
    )
    legs = tuple(
        LegIntent(
            venue=item.trade.rules.venue,
            symbol=item.trade.rules.symbol,
            side=item.trade.side,
            quantity=flow.quantities[index],
            limit_price=limits[index],
            expected_spent=_stored(flow.spent[index], ROUND_CEILING),
            expected_received=_stored(flow.received[index], ROUND_FLOOR),
        )
        for index, item in enumerate(capped)
    )
    return Intent(
        summary=subject,
        legs=legs,
        mode=mode,
        edge_bps=edge_bps,
        notional=_stored(flow.spent[0], ROUND_CEILING),
        expected_profit=_stored(flow.profit, ROUND_FLOOR),
        profit_asset=capped[0].trade.spent_asset,
        sizing=sizing,
    )


def _limited(capped: Sequence[CappedLeg], flow: Flow, index: int) -> LimitedLeg:
    """Return what bounds the limit price of one leg: its funds, or the venue's least notional."""
    item, quantity = capped[index], flow.quantities[index]
    leg = item.leg
    if leg.side is Side.BUY:
        payable = item.budget
        if payable is None:
            payable = flow.received[index - 1] - FEE_ROUNDING_ALLOWANCE + leg.funds
        bound = payable / (quantity * leg.factors.spend)
    else:
        bound = leg.notional_min / quantity
    return LimitedLeg(
        side=leg.side,
        worst_price=leg.ladder.worst_price(quantity),
        factors=leg.factors,
        tick=item.trade.rules.tick,
        bound=bound,
    )


def _describe(capped: Sequence[CappedLeg], chain: Chain, peak: Peak, best: Best) -> dict[str, str]:
    """Return how the size was found, for the evidence."""
    flow = best.flow
    limit = "edge" if peak.limiting_leg is None else capped[peak.limiting_leg].cap.value
    venue = None if peak.limiting_leg is None else capped[peak.limiting_leg].trade.rules.venue
    gross = round_trip_edge(
        PricedLeg(leg.side, leg.ladder.prices[0], leg.factors) for leg in chain.legs
    )
    return {
        "limited_by": limit if venue is None else f"{limit}:{venue}",
        "pivot": capped[chain.pivot].trade.rules.symbol,
        "tries": str(best.tries),
        "gap": to_plain(_stored(best.gap, ROUND_CEILING)),
        "profit_without_lots": to_plain(_stored(peak.profit, ROUND_FLOOR)),
        "leftover_value": to_plain(_stored(flow.leftover_value, ROUND_FLOOR)) if flow else "0",
        "top_gross_bps": to_plain(floor_to_step(gross.gross_bps, _BPS_STEP)),
        "top_net_bps": to_plain(floor_to_step(gross.net_bps, _BPS_STEP)),
    }


def _edge_bps(flow: Flow) -> Decimal:
    return floor_to_step(flow.profit / flow.spent[0] * BPS_PER_UNIT, _BPS_STEP)


def _stored(value: Decimal, rounding: str) -> Decimal:
    """Return ``value`` with no more decimals than the books keep, rounded against us.

    A division that comes out even but for our precision is not rounded by a whole step.
    """
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -STORED_DECIMAL_PLACES:
        return value
    even = value + TINY if rounding == ROUND_FLOOR else value - TINY
    return even.quantize(SMALLEST_STORED, rounding=rounding)
