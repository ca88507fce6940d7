"""When an order left us, by what its venue wrote down: the way there may have held it up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.chaos.evidence import Evidence, OrderRow, VenueOrderRow

ON_ITS_WAY = timedelta(seconds=1)
"""From its claim an order is at its venue within this time, or it does not leave."""


def sent_late(evidence: Evidence, row: VenueOrderRow, order: OrderRow | None) -> datetime:
    """Return the latest moment at which an order may have left.

    That is when it was there, unless a fault held it up for just as long, or its venue stood still
    in between: then it is when it would have been there without.

    Args:
        evidence: with what held orders up.
        row: the order at its venue.
        order: the same in the journal, if it is there.
    """
    if order is None or order.submitted_at is None:
        return row.created_at
    took = row.created_at - order.submitted_at
    for delay in evidence.delays:
        if delay <= took <= delay + ON_ITS_WAY:
            return row.created_at - delay
    for pause in evidence.pauses:
        if pause.began_at < row.created_at and order.submitted_at < pause.ended_at:
            return order.submitted_at
    return row.created_at


def engines_let_go(evidence: Evidence) -> Iterator[str]:
    """No order of an engine left once another had its strategy, however long it was paused."""
    taken = {(lease.strategy, lease.fence): lease for lease in evidence.leases}
    executions = {row.id: row for row in evidence.executions if row.fence}
    journal = {(row.venue, row.client_id): row for row in evidence.orders}
    for row in evidence.venue_orders:
        order = journal.get((row.venue, row.client_id))
        execution = None if order is None else executions.get(order.execution_id or 0)
        if order is None or execution is None:
            continue
        after = taken.get((execution.strategy, execution.fence + 1))
        if after is None or order.created_at >= after.taken_at:
            continue  # nobody came after, or who came has written it
        late = sent_late(evidence, row, order) - after.taken_at
        if late > ON_ITS_WAY:
            yield (
                f"order {order.id} of {execution.strategy} left {late} after {after.engine} had "
                f"taken it from {execution.engine}: {row}"
            )
