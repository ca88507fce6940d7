"""Orders at a venue that are not in the journal: what is kept of them, and what is said of them."""

from django.utils.translation import gettext_noop as _

from arbplatform.core.errors import Message
from ledger.domain.reconciliation import DiscrepancyKind, Sighting
from ledger.models import Order
from ledger.services.listings import Stranger
from ledger.services.sending import may_be_sized
from markets.domain.orders import VenueOrder

_K = DiscrepancyKind

_UNKNOWN_ORDER = _(
    "Order {venue_order_id} bears our mark {client_order_id}, but is not in the journal. Was an "
    "old backup of the database restored?"
)
_OTHER_ORDER = _(
    "Another order bears the client id {client_order_id} of our order {order_id}, and is booked "
    "nowhere. Was an old backup of the database restored? If ours stays unknown and never came to "
    "be, it can be ended on its page."
)
_OTHER = _(
    "Another installation ({mark}) trades on this account: order {venue_order_id}. Each account "
    "may belong to one installation only."
)


def stranger_of(report: VenueOrder) -> Stranger:
    """Return what is kept of an order that is not in the journal."""
    return report.venue_order_id, report.client_order_id or "", report.symbol


def is_another(account_id: int, order: Order, report: VenueOrder) -> bool:
    """Return whether what bears the client id of our order is another order all the same.

    Ids come again when an old backup of the database was restored.

    Args:
        account_id: whose venue reports it.
        order: by the journal.
        report: of what bears its client id.
    """
    if order.account_id != account_id:
        return True
    if order.venue_order_id:
        return order.venue_order_id != report.venue_order_id
    return (
        order.market.symbol != report.symbol
        or order.side != report.side.value
        or not may_be_sized(report, order.quantity)
    )


def see_other_order(order: Order, venue_order_id: str = "") -> Sighting:
    """Return the sighting of another order that bears the client id of ours.

    Args:
        order: ours.
        venue_order_id: of the other one; empty: only the order's own error tells it.
    """
    context = {"client_order_id": order.client_order_id, "order_id": order.pk}
    told = {"venue_order_id": venue_order_id} if venue_order_id else {}
    return Sighting(
        _K.UNKNOWN_ORDER,
        order.client_order_id,
        Message(_OTHER_ORDER, context),
        evidence={"client_order_id": order.client_order_id, "order_id": str(order.pk), **told},
        is_grave=True,
    )


def see_other_installation(stranger: Stranger) -> Sighting:
    """Return the sighting of an order that another installation made."""
    venue_order_id, client_order_id, symbol = stranger
    mark = client_order_id[:8]
    context = {"mark": mark, "venue_order_id": venue_order_id}
    return Sighting(
        _K.FOREIGN_INSTALLATION,
        mark,
        Message(_OTHER, context),
        evidence={**context, "symbol": symbol},
        is_grave=True,
    )


def see_unknown_order(stranger: Stranger) -> Sighting:
    """Return the sighting of an order that bears our mark without being in the journal."""
    venue_order_id, client_order_id, symbol = stranger
    context = {"venue_order_id": venue_order_id, "client_order_id": client_order_id}
    return Sighting(
        _K.UNKNOWN_ORDER,
        client_order_id,
        Message(_UNKNOWN_ORDER, context),
        evidence={**context, "symbol": symbol},
        is_grave=True,
    )
