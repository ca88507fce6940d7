"""Say why a venue ended an order that nobody asked it to end."""

from django.utils.translation import gettext_noop as _

from arbplatform.core.errors import ArbError, Message
from ledger.domain.orders import OrderState
from ledger.errors import EndedByVenue, SelfTradePrevented
from ledger.models import LogEntry, LogLevel, Order
from ledger.selectors.orders import list_facing_strategies
from ledger.services.logs import draft_order_log
from markets.domain.orders import EndCause, TimeInForce, VenueOrder
from markets.errors import NotFillable, WouldTake

_ENDED = frozenset({OrderState.CANCELED, OrderState.REJECTED})
_RESTING = frozenset({TimeInForce.GTC, TimeInForce.POST_ONLY})
_LINE = _("Order {order_id} ({side} {quantity} {market}) was ended by its venue: {cause}")
_EVENTS = {
    SelfTradePrevented.code: ("order_self_trade", LogLevel.WARNING),
    EndedByVenue.code: ("order_ended_by_venue", LogLevel.WARNING),
    WouldTake.code: ("order_would_take", LogLevel.INFO),
    NotFillable.code: ("order_not_fillable", LogLevel.INFO),
}


def explain_end(order: Order, report: VenueOrder) -> ArbError | None:
    """Return why an order ended short, if the venue did that by itself.

    The rest of an order that must not rest ends without a reason, and so does what was cancelled
    on our request.

    Args:
        order: in its new state.
        report: what brought it there.
    """
    if order.state not in _ENDED:
        return None
    venue = order.account.venue.code
    if report.end_cause is EndCause.SELF_TRADE:
        others = ", ".join(list_facing_strategies(order))
        return SelfTradePrevented(venue=venue, others=others or Message("none of a strategy"))
    if order.time_in_force == TimeInForce.POST_ONLY and report.end_cause is EndCause.WOULD_TAKE:
        return WouldTake(venue=venue, cause=report.end_words)
    if order.cancel_requested_at is None and order.time_in_force in _RESTING:
        return EndedByVenue(venue=venue, cause=report.end_words or Message("it gives no reason"))
    return None


def describe_end(order: Order) -> list[LogEntry]:
    """Return the log line about an order that its venue ended, if it did."""
    if order.error_code not in _EVENTS:
        return []
    event, level = _EVENTS[order.error_code]
    return [draft_order_log(order, level, event, _LINE)]
