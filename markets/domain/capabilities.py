"""What a venue can do, as far as trading relies on it; certified or for data only.

A venue is certified once the way its orders are sent, looked up and refused is known and tested.
All others may be watched but not traded on, until an operator answers for them.
"""

from dataclasses import dataclass
from enum import StrEnum

from markets.domain.fees import FeeMode

OPERATOR_OPTION = "certified_by_operator"
"""Option of a venue: whoever runs the platform answers for trading there."""


class Certification(StrEnum):
    """What a venue may be used for."""

    CERTIFIED = "certified"
    DATA_ONLY = "data_only"


class ClientIdLookup(StrEnum):
    """How an order whose reply was lost is found again."""

    DIRECT = "direct"
    """The venue is asked for the order by our id."""
    BY_SEARCH = "by_search"
    """Lists of open and closed orders are searched for our id."""
    UNKNOWN = "unknown"
    """Nobody has tried."""


@dataclass(frozen=True, slots=True)
class OrderLimit:
    """How many orders one account may send in any span of a length.

    Attributes:
        count: orders.
        window_ms: length of the span [ms].
    """

    count: int
    window_ms: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do on its spot markets.

    ``None`` stands for "not known".

    Attributes:
        certification: what it may be used for.
        client_id_lookup: how an order is found by our id.
        has_ioc: immediate-or-cancel orders.
        has_fok: fill-or-kill orders.
        has_post_only: orders that never take.
        has_dead_man_switch: cancels all orders by itself when it does not hear from us.
        fee_mode: the coin of the fee; a third coin is always possible where one is offered.
        has_dead_man_timer: that works over REST alone; others want a private stream to watch.
        order_limit: orders of one account; where nothing is known, a cautious guess.
    """

    certification: Certification
    client_id_lookup: ClientIdLookup
    has_ioc: bool | None
    has_fok: bool | None
    has_post_only: bool | None
    has_dead_man_switch: bool | None
    fee_mode: FeeMode | None
    order_limit: OrderLimit
    has_dead_man_timer: bool = False

    @property
    def is_certified(self) -> bool:
        """Whether strategies may trade there without an operator's word."""
        return self.certification is Certification.CERTIFIED
