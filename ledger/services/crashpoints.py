"""Every moment in the life of an order at which a process may die.

Between two of these points either nothing was written, or one transaction was, or the venue was
told something that a committed row says.
"""

from enum import StrEnum


class JournalPoint(StrEnum):
    """A moment after something was written, sent or learned and before the next thing is."""

    WRITTEN = "order_written"
    """The orders are committed, their funds set aside; nobody has claimed them."""
    CLAIMED = "order_claimed"
    """The claim is committed; nothing was sent."""
    WAITING = "order_waiting"
    """An order is ready at its connection; its claim is about to be committed, or just was."""
    SENDING = "order_sending"
    """A sender is about to tell the venue."""
    ANSWERED = "order_answered"
    """The venue has answered a sender; nothing of it is written down."""
    BOOKED = "order_booked"
    """State, executions and reservations are written and not committed."""
    RECORDED = "order_recorded"
    """The outcome is committed; nobody was told."""
    LOOKUP_TAKEN = "lookup_taken"
    """A look-up is leased; the venue was not asked."""
    LOOKED_UP = "order_looked_up"
    """The venue has told what became of the order; nothing of it is written down."""
    CANCEL_NOTED = "cancel_noted"
    """It is written down that a cancellation is asked for; the venue was not told."""
    CANCEL_ASKED = "cancel_asked"
    """The venue was asked to cancel; what became of the order was not read."""
