"""What an order may spend at most: that much is reserved before it leaves."""

from decimal import ROUND_CEILING

from arbplatform.core.decimals import (
    ONE,
    SMALLEST_STORED,
    ZERO,
    Amount,
    Fraction,
    Price,
    Quantity,
)
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side


def spends_quote(side: Side) -> bool:
    """Return whether an order gives the quote asset away; else it gives the base asset."""
    return side is Side.BUY


def most_spent(
    *, side: Side, quantity: Quantity, price: Price | None, fees: FeeSchedule
) -> Amount | None:
    """Return what an order takes from its wallet at worst.

    At its limit price, whatever the book looks like, with the higher of both fees on top where a
    venue takes the fee from what is given. A fee in the received coin takes nothing else. A fee in
    a third coin takes nothing else either: once that coin runs out, the venue goes over to the
    received one.

    Args:
        side: buy or sell.
        quantity: that may still be executed [base].
        price: limit [quote per base]; ``None``: a market order.
        fees: of the market.

    Returns:
        The amount, rounded up [units of the asset given]; ``None`` when nothing bounds it: a
        purchase at any price.
    """
    if side is Side.BUY and price is None:
        return None
    amount = quantity * price if side is Side.BUY and price is not None else quantity
    amount *= set_aside_per_unit(fees, side)
    return amount.quantize(SMALLEST_STORED, rounding=ROUND_CEILING)


def set_aside_per_unit(fees: FeeSchedule, side: Side) -> Fraction:
    """Return what is set aside for each unit that an order gives away; at least 1.

    More only where a venue takes its fee from that: the higher of both, and of no rebate.
    """
    is_on_top = fees.mode is FeeMode.GIVEN or (fees.mode is FeeMode.QUOTE and side is Side.BUY)
    return ONE + max(fees.maker, fees.taker, ZERO) if is_on_top else ONE


def left_to_spend(
    *, quantity: Quantity, filled: Quantity, booked: Quantity, is_live: bool
) -> Quantity:
    """Return how much of an order may still be taken from the wallet, by our books.

    A live order may execute all that is not booked. One that has ended still takes what the venue
    says that it executed and what is not in the books yet, and nothing else.

    Args:
        quantity: ordered [base].
        filled: executed, as far as is known [base].
        booked: of that, what the ledger has [base].
        is_live: whether the order may still execute.
    """
    return max((max(quantity, filled) if is_live else filled) - booked, ZERO)
