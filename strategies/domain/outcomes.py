"""What is known of an order of an execution."""

from typing import NamedTuple

from arbplatform.core.decimals import Quantity
from ledger.domain.orders import LIVE_STATES, OrderState


class Outcome(NamedTuple):
    """What is known of an order.

    Attributes:
        state: by the journal.
        filled: how much its venue says was executed [base].
        booked: how much of that the ledger has [base].
        error: what went wrong, if anything did.
    """

    state: OrderState
    filled: Quantity
    booked: Quantity
    error: str

    @property
    def is_open(self) -> bool:
        """Whether its end, or what it moved, is not known yet."""
        return self.state in LIVE_STATES or self.booked < self.filled
