"""Read a venue's markets again when it refused an order: its filters may have changed.

The order is not sent again. The next tick decides anew, by the rules that are in force then.
"""

from datetime import timedelta

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import Clock
from ledger.domain.orders import OrderState
from markets.errors import VenueRejected
from strategies.selectors import list_legs

RELOAD_AFTER = timedelta(seconds=30)
"""Markets of a venue that were read within this time are not read again."""


def reload_refusing_venues(*, execution_id: int, clock: Clock) -> list[int]:
    """Have the markets read again of each venue that refused an order of an execution.

    Only a refusal of the order itself counts: not of its funds, and not of the key.

    Returns:
        Ids of the venues, for whose markets a task is enqueued on commit.
    """
    latest = clock.now() - RELOAD_AFTER
    venue_ids = sorted(
        {
            order.market.venue_id
            for order in list_legs(execution_id)
            if order.state == OrderState.REJECTED
            and order.error_code == VenueRejected.code
            and order.submitted_at is not None
            and (order.market.venue.synced_at is None or order.market.venue.synced_at <= latest)
        }
    )
    for venue_id in venue_ids:
        enqueue_on_commit("markets.sync_markets", venue_id=venue_id)
    return venue_ids
