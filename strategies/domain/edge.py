"""What fees do to prices, and what is left of a round trip: the edge.

A trade turns one asset into another. Whatever coin the fee is taken in, its effect is two exact
factors: what leaves is the plain amount times ``spend``, what arrives is the plain amount times
``receive``. All edge arithmetic is multiplication of those, so it stays exact until one last
division.

====================  ==============  ===============
fee taken in          buy             sell
====================  ==============  ===============
quote                 spend 1 + f     receive 1 - f
received asset        receive 1 - f   receive 1 - f
given asset           spend 1 + f     spend 1 + f
====================  ==============  ===============

Source:
    On a buy, the plain amounts are ``price x quantity`` of quote out and ``quantity`` of base in;
    on a sell the other way round.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from arbplatform.core.decimals import BPS_PER_UNIT, ONE, Bps, Fraction, Price
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side


class Factors(NamedTuple):
    """The effect of a fee.

    Attributes:
        spend: what leaves, per unit without fee; at least 1.
        receive: what arrives, per unit without fee; at most 1.
    """

    spend: Decimal
    receive: Decimal


NO_FEE = Factors(ONE, ONE)


def fee_factors(fees: FeeSchedule, side: Side) -> Factors:
    """Return the effect of the taker fee on an order that crosses the book.

    Args:
        fees: of the market.
        side: of the order.
    """
    is_spent = fees.mode is FeeMode.GIVEN or (fees.mode is FeeMode.QUOTE and side is Side.BUY)
    if is_spent:
        return Factors(ONE + fees.taker, ONE)
    return Factors(ONE, ONE - fees.taker)


def effective_price(price: Price, side: Side, factors: Factors) -> Price:
    """Return what one base unit really costs or brings.

    Args:
        price: of a book level [quote per base].
        side: of the order that takes the level.
        factors: effect of its fee.

    Returns:
        On a buy the quote spent per base unit that arrives, on a sell the quote that arrives per
        base unit that leaves [quote per base].
    """
    if side is Side.BUY:
        return price * factors.spend / factors.receive
    return price * factors.receive / factors.spend


class PricedLeg(NamedTuple):
    """One trade of a round trip at one price.

    Attributes:
        side: of our order.
        price: [quote per base], positive.
        factors: effect of the fee.
    """

    side: Side
    price: Price
    factors: Factors


def round_trip_rate(legs: Iterable[PricedLeg]) -> Fraction:
    """Return how many units come back for one unit sent around.

    Fees multiply, they do not add: three fees of 0.1 % leave 0.999 cubed.

    Args:
        legs: the trades, in sequence; each spends what the one before brings.
    """
    gained = lost = ONE
    for leg in legs:
        gained *= leg.factors.receive
        lost *= leg.factors.spend
        if leg.side is Side.BUY:
            lost *= leg.price
        else:
            gained *= leg.price
    return gained / lost


class Edge(NamedTuple):
    """Profit of a round trip per unit spent.

    Attributes:
        gross_bps: before fees [bps].
        net_bps: after fees [bps].
    """

    gross_bps: Bps
    net_bps: Bps

    @property
    def fees_bps(self) -> Bps:
        """What the fees take [bps]."""
        return self.gross_bps - self.net_bps


def round_trip_edge(legs: Iterable[PricedLeg]) -> Edge:
    """Return the edge of a round trip at the given prices, whatever its size.

    Args:
        legs: the trades, in sequence; each spends what the one before brings.
    """
    gross_gained = gross_lost = gained = lost = ONE
    for side, price, (spend, receive) in legs:
        gained *= receive
        lost *= spend
        if side is Side.BUY:
            lost *= price
            gross_lost *= price
        else:
            gained *= price
            gross_gained *= price
    return Edge(
        (gross_gained / gross_lost - ONE) * BPS_PER_UNIT, (gained / lost - ONE) * BPS_PER_UNIT
    )


def cross_venue_edge(
    *, buy_ask: Price, sell_bid: Price, buy_fees: FeeSchedule, sell_fees: FeeSchedule
) -> Edge:
    """Return the edge of buying on one venue and selling on another.

    Args:
        buy_ask: best ask where we buy [quote per base], positive.
        sell_bid: best bid where we sell [quote per base], positive.
        buy_fees: of the market where we buy.
        sell_fees: of the market where we sell.

    Returns:
        Profit per quote unit spent. Excludes slippage beyond the top of the books and transfers.
    """
    return round_trip_edge(
        (
            PricedLeg(Side.BUY, buy_ask, fee_factors(buy_fees, Side.BUY)),
            PricedLeg(Side.SELL, sell_bid, fee_factors(sell_fees, Side.SELL)),
        )
    )
