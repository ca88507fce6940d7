"""When an order leaves: judged as a gateway judges it, at the moment at which it would write it."""

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.domain.orders import OrderRequest
from markets.errors import OrderTooLate


def leave_in_time(request: OrderRequest) -> int:
    """Return when an order leaves [ms since epoch].

    A busy machine may stop a thread between the sender's last look at the clock and the venue's
    first. What is held to have left after that pause is what a gateway would still have sent.

    Raises:
        OrderTooLate: its time is over, as of the moment that would be returned.
    """
    now_ms = SYSTEM_CLOCK.now_ms()  # read first: a pause in between must not make it leave later
    if request.send_before_ms is not None and SYSTEM_CLOCK.monotonic_ms() > request.send_before_ms:
        raise OrderTooLate(venue="fake")
    return now_ms
