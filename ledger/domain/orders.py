"""The life of an order in the journal."""

from enum import StrEnum

from arbplatform.core.transitions import TransitionTable


class OrderState(StrEnum):
    """What we know about an order."""

    PENDING = "pending"
    """Written down, not sent."""
    SUBMITTING = "submitting"
    """Claimed by exactly one sender; whether it left is not recorded yet."""
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    """Ended without being wholly filled; the part that was filled is booked."""
    REJECTED = "rejected"
    """The venue definitely refused, or nothing was sent: it does not exist there."""
    UNKNOWN = "unknown"
    """May exist at the venue: looked up by client id, never sent again."""


class OrderEvent(StrEnum):
    """What can happen to an order."""

    CLAIM = "claim"
    ACKNOWLEDGE = "acknowledge"
    FILL = "fill"
    CANCEL = "cancel"
    REFUSE = "refuse"
    LOSE_TRACK = "lose_track"


_S, _E = OrderState, OrderEvent

ORDER_TRANSITIONS: TransitionTable[OrderState, OrderEvent] = TransitionTable(
    name="order",
    edges={
        (_S.PENDING, _E.CLAIM): _S.SUBMITTING,
        (_S.PENDING, _E.REFUSE): _S.REJECTED,
        **{
            (source, event): target
            for source in (_S.SUBMITTING, _S.UNKNOWN, _S.OPEN)
            for event, target in (
                (_E.ACKNOWLEDGE, _S.OPEN),
                (_E.FILL, _S.FILLED),
                (_E.CANCEL, _S.CANCELED),
            )
        },
        (_S.SUBMITTING, _E.REFUSE): _S.REJECTED,
        (_S.UNKNOWN, _E.REFUSE): _S.REJECTED,
        (_S.SUBMITTING, _E.LOSE_TRACK): _S.UNKNOWN,
        # a late fill completes an order that was thought to have ended short
        (_S.CANCELED, _E.FILL): _S.FILLED,
    },
)

LIVE_STATES = frozenset({_S.PENDING, _S.SUBMITTING, _S.OPEN, _S.UNKNOWN})
"""States in which money may still move."""
