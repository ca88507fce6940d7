"""Floats that say what a decision cannot beat: rates at the top of a book, and thresholds.

Nothing is traded on a float. These only tell which decisions are worth computing in decimals, and
they never say no where the decimals say yes: a rate of n markets is n divisions or products and
n - 1 products, each off by at most 2^-53 of itself, so that five markets err by less than 2e-15,
and every threshold is lowered by ``FLOAT_MARGIN``, which is 500,000 times as much.
"""

from typing import NamedTuple

from arbplatform.core.decimals import ONE, Amount, Fraction
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.cycles import FLOAT_MARGIN
from strategies.domain.edge import fee_factors


class TopFactors(NamedTuple):
    """What the fees of a market leave of a unit, in either direction.

    Attributes:
        buy: base received per unit of quote spent, at a price of 1.
        sell: quote received per unit of base spent, at a price of 1.
    """

    buy: float
    sell: float


def top_factors(rules: MarketRules) -> TopFactors:
    """Return the factors of a market under its taker fee, in whatever coin that is taken."""
    buy, sell = (fee_factors(rules.fees, side) for side in (Side.BUY, Side.SELL))
    return TopFactors(float(buy.receive / buy.spend), float(sell.receive / sell.spend))


def least_rate(*, edge_min: Fraction, profit_min: Amount, spend_max: Amount) -> float:
    """Return the rate of a round trip at the best prices below which no size can be good enough.

    A size pays the best prices or worse and spends ``spend_max`` at most, so its profit is at most
    the edge at the best prices times that.

    Args:
        edge_min: least profit per unit spent.
        profit_min: least profit [start asset].
        spend_max: most that is spent [start asset], above 0.
    """
    return float(ONE + max(edge_min, profit_min / spend_max)) * (1.0 - FLOAT_MARGIN)
