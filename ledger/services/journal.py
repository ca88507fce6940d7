"""The order journal: the only door through which an order leaves.

An order is a committed row before a venue hears of it, is claimed by one conditional UPDATE, is
sent at most once, and ends in a state that is either known or being looked up.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction

from accounts.services.accounts import open_gateway
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.crashpoints import reached
from arbplatform.core.errors import ArbError, IllegalTransition, Message
from arbplatform.persistence.retries import is_away, retried
from arbplatform.persistence.sentences import keep_sentence
from ledger.domain.moments import Moments
from ledger.domain.orders import (
    CANCELLABLE_STATES,
    DECIDED_MS_MAX,
    SUBMIT_TIMEOUT_MS,
    OrderState,
)
from ledger.models import Order
from ledger.selectors import (
    get_order,
    get_order_with_secrets,
    get_orders,
    lock_orders,
    lock_pending_orders,
)
from ledger.services.cancelling import forget_cancellation, note_cancellation
from ledger.services.crashpoints import JournalPoint
from ledger.services.flights import Door, Flight, open_doors, open_flight
from ledger.services.halts import share_trading_lock
from ledger.services.recording import record
from ledger.services.refusals import give_up, refuse_halted, refuse_late
from ledger.services.resolution import SweepReport, resolve_unknown, resolve_unknown_orders
from ledger.services.sending import Lost, Outcome
from ledger.services.spooling import keep
from ledger.services.writing import Draft, OrderPlan, write_claimed, write_orders
from markets.errors import OutcomeUnknown, VenueUnavailable

__all__ = [
    "Door",
    "Draft",
    "Flight",
    "OrderPlan",
    "SweepReport",
    "cancel_order",
    "open_doors",
    "resolve_unknown",
    "resolve_unknown_orders",
    "send_claimed",
    "submit_orders",
    "write_claimed",
    "write_orders",
]

logger = logging.getLogger(__name__)

_UNRECORDED = (
    "The venue's answer could not be written down ({cause}). It is looked up again; the details "
    "are in the log of the process."
)


def submit_orders(
    *,
    order_ids: Sequence[int],
    decided_ms: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
    moments: Moments | None = None,
) -> list[Order]:
    """Send orders to their venues, each once, and record and book what came of it.

    The caller's transaction has been committed. Orders that somebody else has claimed are left
    alone. Several orders leave at the same time. No outcome at a venue raises: a refused order is
    REJECTED, one that was not sent is REJECTED too (a new decision makes a new order), and one
    whose fate is not known is UNKNOWN and looked up until it is.

    Args:
        order_ids: PENDING orders.
        decided_ms: when it was decided to send them, by the monotonic clock of this process; those
            whose time has passed since are not sent. ``None``: that does not matter [ms].
        clock: tells the time.
        moments: where to note when each step was passed, if somebody wants to know.

    Returns:
        The orders as they stand now, in the order of ``order_ids``.

    Raises:
        OrderNotFound: one of the ids is not known.
        JournalAway: the database went away after they were sent: what became of them is spooled.
        OperationalError: it was away before; nothing was sent.
    """
    reached(JournalPoint.WRITTEN)
    claimed = _claim(order_ids, decided_ms, clock)
    sent = send_claimed(orders=claimed, clock=clock, moments=moments)
    done = {order.pk: order for order in sent}
    others = [pk for pk in order_ids if pk not in done]
    if others:
        done |= {order.pk: order for order in get_orders(others)}
    return [done[pk] for pk in order_ids]


def send_claimed(
    *,
    orders: Sequence[Order],
    flight: Flight | None = None,
    clock: Clock = SYSTEM_CLOCK,
    moments: Moments | None = None,
) -> list[Order]:
    """Send orders that this process has just claimed; record and book what came of it.

    Args:
        orders: SUBMITTING, from ``write_claimed``: nobody else has them.
        flight: of these orders, if they were made ready already.
        clock: tells the time.
        moments: where to note when each step was passed, if somebody wants to know.

    Returns:
        The orders as they stand now, in the same order.

    Raises:
        JournalAway: the database went away after they were sent: what became of them is spooled.
    """
    reached(JournalPoint.CLAIMED)
    outcomes = send_all(flight or open_flight(orders, clock=clock, moments=moments))
    recorded = keep(
        partial(_record, orders, outcomes, clock), orders=orders, outcomes=outcomes, clock=clock
    )
    if moments is not None:
        moments.booked_ns = time.monotonic_ns()
    reached(JournalPoint.RECORDED)
    done = {order.pk: order for order in recorded}
    return [done[order.pk] for order in orders]


def cancel_order(*, order_id: int, clock: Clock = SYSTEM_CLOCK) -> Order:
    """Ask the venue to cancel an order, and read what became of it before believing anything.

    Also for a disabled account: that takes risk away, and must not be in the way of the switch.

    Args:
        order_id: an order that is open, or may be.
        clock: tells the time.

    Returns:
        The order as it stands now: it may have been filled in the meantime.

    Raises:
        OrderNotFound: no order has this id.
        IllegalTransition: it has ended, or its sender has not written down the outcome yet.
        AccountKeyRefused: its venue did not accept the account's key.
        VenueUnavailable: nothing was sent; the order is as it was.
    """
    order = get_order_with_secrets(order_id)
    if order.state == OrderState.PENDING:
        return _withdraw(order_id, clock)
    if order.state not in CANCELLABLE_STATES:
        raise _not_cancellable(order)
    gateway = open_gateway(order.account, even_if_disabled=True)
    is_first = note_cancellation(order_id=order_id, clock=clock)
    reached(JournalPoint.CANCEL_NOTED)
    try:
        gateway.cancel_order(symbol=order.market.symbol, client_order_id=order.client_order_id)
    except VenueUnavailable:
        if is_first:
            forget_cancellation(order_id=order_id)
        raise
    except ArbError as error:
        # "unknown order" does not mean "cancelled": it may have been filled
        logger.info("Order %s: the cancellation was answered with: %s", order_id, error)
    except Exception:
        # whatever broke, the request may have left: only a look-up tells
        logger.exception("Order %s: unforeseen error while cancelling", order_id)
    reached(JournalPoint.CANCEL_ASKED)
    return resolve_unknown(order_id=order_id, clock=clock)


def send_all(flight: Flight) -> dict[int, Outcome]:
    """Let orders leave, and return by id what became of them."""
    return flight.go()


@retried
@transaction.atomic(durable=True)
def _claim(order_ids: Sequence[int], decided_ms: float | None, clock: Clock) -> list[Order]:
    """Claim those of the orders that nobody has claimed; committed when this returns.

    Those that may not be sent any more are refused: trading was halted in the meantime, or it is
    too late.
    """
    now = clock.now()
    share_trading_lock()
    pending = lock_pending_orders(order_ids)
    # all are refused in one go: what is set aside for them is given back by one statement
    if decided_ms is not None and clock.monotonic_ms() - decided_ms > DECIDED_MS_MAX:
        refuse_late(pending, now)
        return []
    pending = refuse_halted(pending, now)
    if not pending:
        return []
    overdue = now + timedelta(milliseconds=SUBMIT_TIMEOUT_MS)
    rows = Order.objects.filter(pk__in=[order.pk for order in pending], state=OrderState.PENDING)
    count = rows.update(
        state=OrderState.SUBMITTING, submitted_at=now, next_lookup_at=overdue, updated_at=now
    )
    if count != len(pending):
        # the rows are locked, so this cannot be; sending one of them twice would be worse
        raise RuntimeError(f"claimed {count} of {len(pending)} locked orders")
    for order in pending:
        order.state, order.submitted_at = OrderState.SUBMITTING, now
    return pending


def _record(orders: Sequence[Order], outcomes: Mapping[int, Outcome], clock: Clock) -> list[Order]:
    """Write down all outcomes together; if that fails, one by one.

    What cannot be written down even so is UNKNOWN: a look-up will try again, and the error stays
    visible until somebody has mended its cause.
    """
    if not orders:
        return []
    try:
        return record(orders=orders, knowledge=outcomes, clock=clock, is_lookup=False)
    except Exception as error:
        if is_away(error):
            raise
        # one outcome that cannot be written down must not take the others with it
        logger.exception("The outcomes of orders %s are recorded singly", sorted(outcomes))
        return [_record_one(order, outcomes[order.pk], clock) for order in orders]


def _record_one(order: Order, outcome: Outcome, clock: Clock) -> Order:
    try:
        knowledge = {order.pk: outcome}
        return record(orders=[order], knowledge=knowledge, clock=clock, is_lookup=False)[0]
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("Order %s: the outcome cannot be recorded", order.pk)
        lost = Lost(OutcomeUnknown(_UNRECORDED, cause=type(error).__name__))
        knowledge = {order.pk: lost}
        return record(orders=[order], knowledge=knowledge, clock=clock, is_lookup=False)[0]


@retried
@transaction.atomic
def _withdraw(order_id: int, clock: Clock) -> Order:
    """Give up an order that nobody has claimed."""
    order = lock_orders([order_id])[0]
    if order.state != OrderState.PENDING:
        raise _not_cancellable(order)
    order.error = keep_sentence(Message("Withdrawn before it was sent."))
    give_up([order], clock.now())
    return get_order(order_id)


def _not_cancellable(order: Order) -> IllegalTransition:
    return IllegalTransition(
        "The order {id} is {state}: there is nothing to cancel.",
        id=order.pk,
        state=Message(order.get_state_display()),
    )
