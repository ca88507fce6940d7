"""What is known of the orders of an execution."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from arbplatform.core.decimals import ZERO, Amount, Quantity, to_decimal
from arbplatform.core.errors import Message
from ledger.domain.orders import LIVE_STATES, OrderState
from markets.domain.rules import MarketRules


class Outcome(NamedTuple):
    """What is known of an order.

    Attributes:
        leg_index: which leg it is for, from 0.
        side: buy or sell.
        quantity: that was ordered [base].
        state: by the journal.
        filled: how much its venue says was executed [base].
        booked: how much of that the ledger has [base].
        error: what went wrong; empty if nothing did.
        voided: how much of what was booked has been reversed since [base].
    """

    leg_index: int
    side: str
    quantity: Quantity
    state: OrderState
    filled: Quantity
    booked: Quantity
    error: Message
    voided: Quantity = ZERO

    @property
    def is_open(self) -> bool:
        """Whether its end, or what it moved, is not known yet."""
        return self.state in LIVE_STATES or self.booked < self.filled


def are_as_planned(outcomes: Sequence[Outcome], plan: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether every planned leg was filled wholly, as planned, and nothing else was sent.

    The number of orders does not tell: with a leg that was never sent and a repair that was, it is
    the same. Nor does the state of an order: a venue may fill more than was ordered, and void a
    trade afterwards.

    Args:
        outcomes: of all orders of an execution, in the order of its legs.
        plan: its legs as they were decided.
    """
    return len(outcomes) == len(plan) and all(
        order.leg_index == index
        and order.side == leg["side"]
        and order.quantity == to_decimal(leg["quantity"])
        and order.state is OrderState.FILLED
        and order.filled == order.quantity
        and not order.voided
        for index, (order, leg) in enumerate(zip(outcomes, plan, strict=True))
    )


def is_short(movements: Mapping[str, Amount], profit_asset: str) -> bool:
    """Return whether more left than arrived of anything but the asset of the profit.

    What is not may have been planned, or be a fee in a coin of its own: the leg table tells.

    Args:
        movements: net of every asset over all venues, fees included [units of the asset].
        profit_asset: code.
    """
    return any(amount < 0 for code, amount in movements.items() if code != profit_asset)


def is_other_exposure(
    changes: Mapping[str, Amount],
    plan: Sequence[Mapping[str, Any]],
    rules: Sequence[MarketRules],
) -> bool:
    """Return whether what is left over has changed by more than a small fee would change it.

    Half a lot is the measure: no fill is less than a lot, and no fee takes half of one. A coin that
    no leg trades is a cost and no exposure.

    Args:
        changes: of what is left over, by asset [units of the asset].
        plan: legs as they were decided.
        rules: of the market of each leg.
    """
    for leg, market in zip(plan, rules, strict=True):
        base_min = market.lot / 2
        quote_min = base_min * to_decimal(leg["limit_price"])
        if abs(changes.get(market.base, ZERO)) >= base_min:
            return True
        if abs(changes.get(market.quote, ZERO)) >= quote_min:
            return True
    return False


def planned_leftovers(
    plan: Sequence[Mapping[str, Any]], pairs: Sequence[tuple[str, str]]
) -> dict[str, Amount]:
    """Return what a plan leaves over by itself, without the dust that it takes along, by asset.

    Lots are the reason: what was bought need not be what a venue sells.

    Args:
        plan: legs as they were decided.
        pairs: base and quote of each leg's market.
    """
    left: dict[str, Amount] = {}
    for leg, (base, quote) in zip(plan, pairs, strict=True):
        spent, received = (quote, base) if leg["side"] == "buy" else (base, quote)
        left[spent] = left.get(spent, ZERO) - to_decimal(leg["expected_spent"])
        left[received] = left.get(received, ZERO) + to_decimal(leg["expected_received"])
        left[base] += to_decimal(leg.get("carried", "0"))
    return left
