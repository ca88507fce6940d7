"""The legs of an execution that go one after the other: how large the next one is."""

from arbplatform.core.decimals import ONE, ZERO, Amount, Quantity, floor_to_step
from ledger.domain.reservations import set_aside_per_unit
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.intents import LegIntent


def next_quantity(
    *, leg: LegIntent, rules: MarketRules, arrived: Amount, free: Amount
) -> Quantity | None:
    """Return how much of a planned leg to order after the one before it.

    The plan is kept when all that it counted on arrived. When less did, the leg shrinks in
    proportion: the first units of a book are its best, so a part never costs more than its share
    of the whole. It also shrinks to what the account can pay at the leg's limit price, since
    that is what a venue sets aside.

    Args:
        leg: as planned; its limit price stays.
        rules: of the leg's market.
        arrived: what the execution has of the asset that the leg spends [units of that asset].
        free: what the account has of it in all [units of that asset].

    Returns:
        A quantity on the lot grid [base], never above the planned one; ``None`` when what is
        left is below the venue's minimum.
    """
    wanted = leg.quantity
    own = leg.quantity - leg.carried
    counted_on = leg.expected_spent * own / leg.quantity  # dust is there in any case
    if arrived < counted_on:
        wanted = own * arrived / counted_on + leg.carried
    affordable = free / _spent_per_base(leg, rules)
    quantity = floor_to_step(max(min(wanted, affordable), ZERO), rules.lot)
    is_tradable = (
        quantity > 0
        and quantity >= rules.quantity_min
        and quantity * leg.limit_price >= rules.notional_min
    )
    return quantity if is_tradable else None


def spent_asset(leg: LegIntent, rules: MarketRules) -> str:
    """Return the code of the asset that ``leg`` gives away."""
    return rules.quote if leg.side is Side.BUY else rules.base


def _spent_per_base(leg: LegIntent, rules: MarketRules) -> Amount:
    """Return what one base unit takes from the account at most [units of the spent asset]."""
    price = leg.limit_price if leg.side is Side.BUY else ONE
    return price * set_aside_per_unit(rules.fees, leg.side)
