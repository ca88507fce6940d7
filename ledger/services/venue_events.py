"""What to do when a venue tells that something happened to an order of ours: look it up at once.

The event itself is never booked: what the venue answers when it is asked is. An event that is lost
costs time only, since every order that is not known to have ended is looked up anyway.
"""

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from ledger.selectors import find_open_question
from ledger.services.resolution import resolve_unknown


def follow_event(
    *, account_id: int, client_order_id: str, venue_order_id: str, clock: Clock = SYSTEM_CLOCK
) -> bool:
    """Look an order up about which its venue has told something; calls the venue.

    Args:
        account_id: whose private stream it was.
        client_order_id: ours, if the event says it; else empty.
        venue_order_id: the venue's, if the event says it; else empty.
        clock: tells the time.

    Returns:
        Whether it is an order of ours about which something is left to be learned.

    Raises:
        SecretUnreadable: the configured keys do not open the account's secrets.
    """
    order_id = find_open_question(account_id, client_order_id, venue_order_id)
    if order_id is None:
        return False
    resolve_unknown(order_id=order_id, clock=clock)
    return True
