"""What is known of the orders of an execution."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from arbplatform.core.decimals import Quantity, to_decimal
from arbplatform.core.errors import Message
from ledger.domain.orders import LIVE_STATES, OrderState


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
    """

    leg_index: int
    side: str
    quantity: Quantity
    state: OrderState
    filled: Quantity
    booked: Quantity
    error: Message

    @property
    def is_open(self) -> bool:
        """Whether its end, or what it moved, is not known yet."""
        return self.state in LIVE_STATES or self.booked < self.filled


def are_as_planned(outcomes: Sequence[Outcome], plan: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether every planned leg was filled wholly, as planned, and nothing else was sent.

    The number of orders does not tell: with a leg that was never sent and a repair that was, it is
    the same. Nor does the state of an order: a venue may fill more than was ordered.

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
        for index, (order, leg) in enumerate(zip(outcomes, plan, strict=True))
    )
