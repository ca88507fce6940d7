"""Cancellations that are on their way: asked for, and pending until the venue shows the end."""

from arbplatform.core.clock import Clock
from ledger.domain.orders import CANCELLABLE_STATES
from ledger.models import Order


def note_cancellation(*, order_id: int, clock: Clock) -> bool:
    """Write down that a cancellation is asked for, before the venue hears of it.

    Returns:
        Whether it is the first time.
    """
    rows = Order.objects.filter(pk=order_id, cancel_requested_at=None, state__in=CANCELLABLE_STATES)
    return bool(rows.update(cancel_requested_at=clock.now()))


def forget_cancellation(*, order_id: int) -> None:
    """Take that back: the request never left."""
    Order.objects.filter(pk=order_id).update(cancel_requested_at=None)
