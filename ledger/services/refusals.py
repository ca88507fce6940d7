"""Give up orders that were written and never sent."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_noop as _

from arbplatform.persistence.sentences import keep_sentence
from ledger.domain.orders import ORDER_TRANSITIONS, OrderEvent, OrderState
from ledger.models import LogLevel, Order
from ledger.services.halts import Wish, read_denials
from ledger.services.logs import draft_order_log, write_logs
from ledger.services.reservations import release_orders
from markets.errors import OrderTooLate

_FIELDS = ("state", "error_code", "error", "finished_at", "next_lookup_at", "updated_at")
_NOT_SENT = _("Order {order_id} ({side} {quantity} {market}) was not sent: {cause}")


def give_up(orders: Sequence[Order], now: datetime) -> None:
    """Let pending orders never be sent, and give back what is set aside for them.

    Args:
        orders: with the reason as their error; locked until the caller's transaction ends.
        now: when.
    """
    for order in orders:
        order.state = ORDER_TRANSITIONS.next_state(OrderState(order.state), OrderEvent.REFUSE)
        order.finished_at, order.next_lookup_at = now, None
        order.save(update_fields=_FIELDS)
    release_orders([order.pk for order in orders])


def refuse_halted(orders: Sequence[Order], now: datetime) -> list[Order]:
    """Refuse those pending orders that trading is halted for; return the others.

    Args:
        orders: pending, locked until the caller's transaction ends.
        now: when.
    """
    wishes = [Wish(row.account_id, row.strategy_id, row.is_reducing) for row in orders]
    allowed: list[Order] = []
    refused: list[Order] = []
    for order, denial in zip(orders, read_denials(wishes), strict=True):
        if denial is None:
            allowed.append(order)
            continue
        order.error_code, order.error = denial.code, keep_sentence(denial.message)
        refused.append(order)
    if refused:
        give_up(refused, now)
        write_logs(
            draft_order_log(order, LogLevel.WARNING, "order_halted", _NOT_SENT) for order in refused
        )
    return allowed


def refuse_late(orders: Sequence[Order], now: datetime) -> None:
    """Refuse pending orders that were decided on too long ago.

    Args:
        orders: with their markets; locked until the caller's transaction ends.
        now: when.
    """
    for order in orders:
        error = OrderTooLate(venue=order.market.venue.code)
        order.error_code, order.error = error.code, keep_sentence(error.message)
    if orders:
        give_up(orders, now)
        write_logs(
            draft_order_log(order, LogLevel.WARNING, "order_late", _NOT_SENT) for order in orders
        )
