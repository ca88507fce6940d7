"""Refuse orders that were written and may not be sent any more."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_noop as _

from ledger.domain.orders import ORDER_TRANSITIONS, OrderEvent, OrderState
from ledger.models import LogEntry, LogLevel, Order
from ledger.services.halts import Wish, read_denials
from ledger.services.logs import draft_log, write_logs
from ledger.services.reservations import release_orders

_NOT_SENT = _("Order {order_id} ({side} {quantity} {market}) was not sent: {cause}")


def refuse_halted(orders: Sequence[Order], now: datetime) -> list[Order]:
    """Refuse those pending orders that trading is halted for; return the others.

    Args:
        orders: pending, locked until the caller's transaction ends.
        now: when.
    """
    wishes = [Wish(row.account_id, row.strategy_id, row.is_reducing) for row in orders]
    allowed: list[Order] = []
    logs: list[LogEntry] = []
    for order, denial in zip(orders, read_denials(wishes), strict=True):
        if denial is None:
            allowed.append(order)
            continue
        order.state = ORDER_TRANSITIONS.next_state(OrderState(order.state), OrderEvent.REFUSE)
        order.error_code, order.error = denial.code, str(denial)
        order.finished_at, order.next_lookup_at = now, None
        order.save(
            update_fields=[
                "state", "error_code", "error", "finished_at", "next_lookup_at", "updated_at",
            ]
        )  # fmt: skip
        logs.append(
            draft_log(
                strategy_id=order.strategy_id,
                level=LogLevel.WARNING,
                event="order_halted",
                template=_NOT_SENT,
                order_id=order.pk,
                side=order.side,
                quantity=order.quantity,
                market=str(order.market),
                cause=order.error,
            )
        )
    release_orders([order.pk for order in orders if order not in allowed])
    if logs:
        write_logs(logs)
    return allowed
