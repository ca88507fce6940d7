"""What a chain is made of before it is sized: trades, the terms they must meet, and their caps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter

from arbplatform.core.decimals import (
    BPS_PER_UNIT,
    ONE,
    ZERO,
    Amount,
    Bps,
    Fraction,
    Price,
    Quantity,
    ceil_to_step,
)
from markets.domain.book import Book, Level
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.chain import FEE_ROUNDING_ALLOWANCE, ChainLeg
from strategies.domain.edge import Factors, PricedLeg, fee_factors
from strategies.domain.ladder import Ladder, build_ladder

UNLIMITED = Decimal("1e30")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a strategy demands of a trade and how much it puts in.

    Attributes:
        edge_bps_min: least profit after fees and lots [bps of what is spent].
        edge_bps_max: above it a trade is too good to be true [bps].
        profit_min: least profit after fees and lots [start asset].
        spend_max: most that the first leg may spend at its limit price [start asset].
        participation: part of each price level that is counted on, above 0, at most 1.
        balance_share: part of a free balance that may be used, above 0, at most 1.
        slippage_share: part of the edge that limit prices may give away, from 0 to 1.
        dust_bps_max: most that leftovers may be worth [bps of what is spent].
        depth: levels of each book to look at.
    """

    edge_bps_min: Bps = ZERO
    edge_bps_max: Bps = UNLIMITED
    profit_min: Amount = ZERO
    spend_max: Amount = UNLIMITED
    participation: Fraction = ONE
    balance_share: Fraction = ONE
    slippage_share: Fraction = ZERO
    dust_bps_max: Bps = BPS_PER_UNIT
    depth: int = 20

    @property
    def edge_min(self) -> Fraction:
        """Least profit per unit spent."""
        return self.edge_bps_min / BPS_PER_UNIT


@dataclass(frozen=True, slots=True)
class Trade:
    """One market and the direction in which a chain passes it.

    Attributes:
        rules: of the market.
        side: of our order.
        book: of the market; the side that we take is not empty.
        free: what the account has of the asset that we spend [units of it].
        factors: effect of the fee.
    """

    rules: MarketRules
    side: Side
    book: Book
    free: Amount
    factors: Factors = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", fee_factors(self.rules.fees, self.side))

    @property
    def spent_asset(self) -> str:
        """Code of the asset that leaves."""
        return self.rules.quote if self.side is Side.BUY else self.rules.base

    @property
    def levels(self) -> Sequence[Level]:
        """The side of the book that the order takes, best first."""
        return self.book.asks if self.side is Side.BUY else self.book.bids

    @property
    def at_top(self) -> PricedLeg:
        """The trade at the best price of the book."""
        return PricedLeg(self.side, self.levels[0].price, self.factors)


class CapKind(StrEnum):
    """What keeps a leg from being larger."""

    DEPTH = "depth"
    QUANTITY_MAX = "quantity_max"
    BALANCE = "balance"
    SPEND_MAX = "spend_max"


@dataclass(frozen=True, slots=True)
class CappedLeg:
    """A leg, cut to what may be traded, and what cut it.

    Attributes:
        trade: where it comes from.
        leg: the function of size.
        uncapped: what the book offers, as far as it matters: to behind what can be traded.
        cap: what ends its ladder.
        budget: what it may spend from stock at its limit price [units spent]; ``None`` when it
            spends what the leg before brings.
    """

    trade: Trade
    leg: ChainLeg
    uncapped: Ladder
    cap: CapKind
    budget: Amount | None

    @property
    def smallest(self) -> Quantity:
        """The smallest order at the best price [base]."""
        least = max(
            self.leg.lot,
            self.leg.quantity_min,
            self.leg.notional_min / self.uncapped.prices[0],
        )
        return ceil_to_step(least, self.leg.lot)


def cap_leg(trade: Trade, terms: Terms, *, is_first: bool, is_from_stock: bool) -> CappedLeg:
    """Return the leg of a trade, cut to what depth, balance, limits and venue allow.

    Args:
        trade: what to cut.
        terms: of the strategy.
        is_first: whether ``spend_max`` applies.
        is_from_stock: whether the leg is paid from the free balance; else from what the leg
            before brings, and the balance only covers what the venue sets aside above that.
    """
    stock = max(ZERO, trade.free * terms.balance_share)
    budget, payable, kind = None, UNLIMITED, CapKind.BALANCE
    if is_from_stock:
        if trade.factors.spend != ONE:
            stock = max(ZERO, stock - FEE_ROUNDING_ALLOWANCE)
        budget = min(stock, terms.spend_max) if is_first else stock
        payable = budget / trade.factors.spend
        kind = CapKind.BALANCE if budget == stock else CapKind.SPEND_MAX
    ladder = build_ladder(
        trade.levels,
        side=trade.side,
        tick=trade.rules.tick,
        share=terms.participation,
        depth=terms.depth,
        enough=_make_enough(payable, trade.side, trade.rules.quantity_max),
    )
    caps = [(ladder.depth, CapKind.DEPTH)]
    if trade.rules.quantity_max is not None:
        caps.append((trade.rules.quantity_max, CapKind.QUANTITY_MAX))
    if is_from_stock:
        caps.append((_quantity_within(payable, trade.side, ladder), kind))
    quantity, cap = min(caps, key=itemgetter(0))
    leg = ChainLeg(
        side=trade.side,
        ladder=ladder.up_to(quantity),
        factors=trade.factors,
        lot=trade.rules.lot,
        quantity_min=trade.rules.quantity_min,
        notional_min=trade.rules.notional_min,
        funds=ZERO if is_from_stock else stock,
    )
    return CappedLeg(trade, leg, ladder, cap, budget)


def _make_enough(
    payable: Amount, side: Side, quantity_max: Quantity | None
) -> Callable[[Price, Quantity], bool] | None:
    """Return what tells that a ladder reaches further than can be paid, or than is allowed.

    Strictly further, and by the very division that finds what can be paid: so that a longer ladder
    would be cut at the same quantity, and for the same reason.
    """
    if payable >= UNLIMITED and quantity_max is None:
        return None
    most = UNLIMITED if quantity_max is None else quantity_max
    if side is Side.SELL:
        most = min(most, payable)
        return lambda _price, quantity: quantity > most
    return lambda price, quantity: quantity > most or payable / price < quantity


def _quantity_within(budget: Amount, side: Side, ladder: Ladder) -> Quantity:
    return ladder.quantity_within(budget) if side is Side.BUY else budget
