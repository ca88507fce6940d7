"""End an order that a person says never came to be, since another one bears its client id."""

from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext_noop as _

from accounts.services.accounts import open_gateway
from arbplatform.authors import keep_author, tell_author
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO
from arbplatform.core.errors import Message
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import as_typed, keep_sentence
from ledger.domain.orders import (
    ORDER_TRANSITIONS,
    WATCH_DELAY_MS,
    OrderEvent,
    OrderState,
    has_come,
)
from ledger.domain.reconciliation import GRACE
from ledger.errors import NotDisownable, OrderDisowned
from ledger.models import LogLevel, Order
from ledger.selectors import get_order, get_order_with_secrets, lock_orders
from ledger.services.discrepancies import check_note
from ledger.services.halts import Person
from ledger.services.logs import write_log
from ledger.services.lookups import list_alike
from ledger.services.reservations import release_orders
from ledger.services.resolution import resolve_unknown, search_for
from markets.errors import OtherOrderFound

_FIELDS = ("state", "error_code", "error", "finished_at", "next_lookup_at", "updated_at")
_DISOWNED = _(
    "{user} has ended order {order_id}, since it never came to be. Its client id "
    "{client_order_id} is that of another order at the venue, {venue_order_id}. Reason: {note}"
)


def disown_order(
    *, order_id: int, note: str, user: Person | None, clock: Clock = SYSTEM_CLOCK
) -> Order:
    """End an order of unknown outcome by a person's word that it never came to be.

    Only where another order bears its client id. That is asked anew before, and what the venue
    tells besides must agree: nothing among its open orders and the account's executions since may
    be ours. Should it turn up all the same, it is booked as any other: it is looked for on.

    Args:
        order_id: an order of unknown outcome.
        note: why the person is sure.
        user: who says so; ``None``: the platform itself.
        clock: tells when.

    Returns:
        The order, rejected; what was set aside for it is free, and its execution goes on.

    Raises:
        OrderNotFound: no order has this id.
        InvalidInput: there is no note, or it is too long.
        NotDisownable: its outcome is known, or it may be there; nothing was changed.
        AccountKeyRefused, VenueDisabled, VenueError: the venue did not tell everything.
    """
    note = str(check_note(note))
    order = get_order(order_id)
    if order.state == OrderState.UNKNOWN and not _is_settled(order, clock):
        raise NotDisownable(id=order_id, cause=Message("it was sent just now. Wait a minute."))
    if order.state == OrderState.UNKNOWN:
        resolve_unknown(order_id=order_id, clock=clock)
    order = get_order_with_secrets(order_id)
    _check(order)
    gateway = open_gateway(order.account, even_if_disabled=True)
    alike = list_alike(gateway, search_for(order, clock))
    if alike:
        ids = ", ".join(sorted(row.venue_order_id for row in alike))
        raise NotDisownable(
            id=order_id, cause=Message("the venue lists what may be it: {ids}.", {"ids": ids})
        )
    return _end(order, note, user, clock)


def _is_settled(order: Order, clock: Clock) -> bool:
    """Return whether it was sent so long ago that a venue would list it."""
    return has_come((order.submitted_at or order.created_at) + GRACE, clock.now())


def _check(order: Order) -> None:
    """Refuse an order of which more is known than that another one bears its id.

    Raises:
        NotDisownable: it is.
    """
    if order.state != OrderState.UNKNOWN:
        state = Message(order.get_state_display())
        raise NotDisownable(id=order.pk, cause=Message("it is {state}.", {"state": state}))
    if order.error_code != OtherOrderFound.code:
        cause = Message("no other order bears its client id. {error}", {"error": order.to_error()})
        raise NotDisownable(id=order.pk, cause=cause)
    if order.venue_order_id or order.filled_quantity > ZERO:
        raise NotDisownable(id=order.pk, cause=Message("the venue has had it."))


@retried
@transaction.atomic(durable=True)
def _end(seen: Order, note: str, user: Person | None, clock: Clock) -> Order:
    now = clock.now()
    order = lock_orders([seen.pk])[0]
    _check(order)  # a stream may have told more meanwhile
    other = str(order.to_error().context["id"])
    author = tell_author(keep_author(user))
    error = OrderDisowned(author=author, note=as_typed(note), id=other)
    order.state = ORDER_TRANSITIONS.next_state(OrderState(order.state), OrderEvent.REFUSE)
    order.error_code, order.error = error.code, keep_sentence(error.message)
    order.finished_at, order.updated_at = now, now
    order.next_lookup_at = now + timedelta(milliseconds=WATCH_DELAY_MS)
    order.save(update_fields=_FIELDS)
    release_orders([order.pk])
    write_log(
        strategy_id=order.strategy_id,
        level=LogLevel.WARNING,
        event="order_disowned",
        template=_DISOWNED,
        user=author,
        order_id=order.pk,
        note=as_typed(note),
        client_order_id=order.client_order_id,
        venue_order_id=other,
    )
    if order.execution_id is not None:
        enqueue_on_commit("strategies.settle_execution", execution_id=order.execution_id)
    return get_order(order.pk)
