"""Every moment of an execution at which a process may die and leave something half done.

Between two of these points either nothing was written, or one transaction was, or an order was
sent whose row says so. Those within the life of an order are in ``ledger/services/crashpoints.py``.
"""

from enum import StrEnum


class CrashPoint(StrEnum):
    """A moment after something was written or sent and before the next thing is."""

    LEGS_WRITTEN = "legs_written"
    """Opportunity, execution and first orders are committed; nothing was sent."""
    LEGS_SENT = "legs_sent"
    """The first orders have ended and are booked; nothing was settled."""
    NEXT_LEG_WRITTEN = "next_leg_written"
    """A later leg of a sequence is committed and was not sent."""
    NEXT_LEG_SENT = "next_leg_sent"
    """A later leg of a sequence has ended and is booked."""
    SETTLED = "settled"
    """The execution is known to have fallen short; nobody repairs it yet."""
    REPAIR_CLAIMED = "repair_claimed"
    """The right to repair is taken; nothing was decided."""
    REPAIR_DECIDED = "repair_decided"
    """A decision was made and not written down."""
    REPAIR_WRITTEN = "repair_written"
    """The decision and its order are committed; the order was not sent."""
    REPAIR_SENT = "repair_sent"
    """The order of a repair has ended and is booked; nothing was settled."""
    REPAIR_SETTLED = "repair_settled"
    """The execution was brought up to date after a repair; its claim is not given back."""
