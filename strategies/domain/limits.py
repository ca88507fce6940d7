"""Limit prices: what we may pay at worst so that the trade stays worth it."""

from collections.abc import Sequence
from dataclasses import dataclass

from arbplatform.core.decimals import ONE, ZERO, Fraction, Price, ceil_to_step, floor_to_step
from markets.domain.orders import Side
from strategies.domain.edge import Factors, PricedLeg, round_trip_rate


@dataclass(frozen=True, slots=True)
class LimitedLeg:
    """One order that needs a limit price.

    Attributes:
        side: of the order.
        worst_price: of the levels that it is meant to take [quote per base], on the tick grid.
        factors: effect of the fee.
        tick: price grid [quote per base].
        bound: highest limit that can be paid (buy), lowest that the venue accepts for this
            quantity (sell) [quote per base]; ``None`` when there is none.
    """

    side: Side
    worst_price: Price
    factors: Factors
    tick: Price
    bound: Price | None = None


def limit_prices(
    legs: Sequence[LimitedLeg], *, edge: Fraction, edge_kept: Fraction, share: Fraction
) -> tuple[Price, ...]:
    """Return limit prices that give away a part of the edge for a better chance to be filled.

    Books move while an order travels. A limit beyond the worst level that we mean to take still
    fills when they moved a little. What is given away is the same part of the price on every leg,
    and so little that *even if every leg were filled wholly at its limit* the round trip would
    keep ``edge_kept`` and ``1 - share`` of ``edge``. Where the worst levels alone keep less than
    that, nothing is given away, and the limits are the worst levels themselves.

    Limits lie on the tick grid, rounded to our advantage.

    Args:
        legs: the orders, in sequence.
        edge: expected profit per unit spent [fraction].
        edge_kept: profit per unit spent that is never given away [fraction].
        share: of ``edge`` that may be given away at most, from 0 to 1.

    Returns:
        One limit price per leg [quote per base].
    """
    worst_rate = round_trip_rate(PricedLeg(leg.side, leg.worst_price, leg.factors) for leg in legs)
    kept = max(edge_kept, (ONE - share) * edge)
    # (1 - s)^sells / (1 + s)^buys is never below 1 - n s, so that n legs lose at most n s.
    slip = max(ZERO, (ONE - (ONE + kept) / worst_rate) / len(legs))
    return tuple(_limit_of(leg, slip) for leg in legs)


def _limit_of(leg: LimitedLeg, slip: Fraction) -> Price:
    if leg.side is Side.BUY:
        limit = leg.worst_price * (ONE + slip)
        if leg.bound is not None:
            limit = min(limit, leg.bound)
        return max(leg.worst_price, floor_to_step(limit, leg.tick))
    limit = leg.worst_price * (ONE - slip)
    if leg.bound is not None:
        limit = max(limit, leg.bound)
    return min(leg.worst_price, ceil_to_step(limit, leg.tick))
