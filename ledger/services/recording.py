"""Write down what was learned about orders: state, executions and entries in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext_noop as _

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import Clock, to_ms
from arbplatform.core.crashpoints import is_observed, reached
from arbplatform.core.decimals import ZERO
from arbplatform.core.errors import ArbError, Message
from arbplatform.core.vigil import Vigil
from arbplatform.persistence.folded import folded_atomic
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_sentence
from ledger.domain.orders import (
    CANCEL_WATCH_MS,
    COUNT_SPAN_MIN_MS,
    LIVE_STATES,
    WATCH_DELAY_MS,
    WATCH_SPAN_MS,
    OrderEvent,
    OrderState,
    absorb,
    detail_delay_ms,
    event_of,
    is_absence_proven,
    lookup_delay_ms,
)
from ledger.errors import OrderDisowned
from ledger.models import LogEntry, LogLevel, Order
from ledger.selectors import relock_orders
from ledger.services.batches import run_batch, updates
from ledger.services.crashpoints import JournalPoint
from ledger.services.ends import describe_end, explain_end
from ledger.services.fills import Booked, draft_batch
from ledger.services.logs import draft_order_log, write_logs
from ledger.services.lookups import Missing, Unreachable
from ledger.services.reservations import keep_reserved
from ledger.services.sending import Lost, Refused, Reported
from markets.errors import AnswerUnreadable, OrderAbsent, VenueAuthFailed

Knowledge = Reported | Refused | Lost | Missing | Unreachable

_REJECTED = _("Order {order_id} ({side} {quantity} {market}) was not accepted: {cause}")
_LOST = _("The outcome of order {order_id} ({side} {quantity} {market}) is not known: {cause}")
_UNREADABLE = _("Order {order_id} ({side} {quantity} {market}): {cause}")
_RESOLVED = _("Order {order_id} ({side} {quantity} {market}) was looked up: it is {state}.")
_STATES = {
    OrderState.REJECTED: ("order_rejected", LogLevel.WARNING, _REJECTED),
    OrderState.UNKNOWN: ("order_unknown", LogLevel.WARNING, _LOST),
}

_SILENCES = Vigil()
"""By order and first miss. The wall clock of that miss only names it: a jump is no silence."""

_COUNTS = Vigil()
"""By order, which its moment of sending names, and what its listed executions come to [base]."""

_CONCLUDED = frozenset({OrderAbsent.code, OrderDisowned.code})
"""Ends that no venue has stated."""

_UNDECIDED = frozenset({OrderState.SUBMITTING, OrderState.UNKNOWN})

_FIELDS = (
    "state",
    "venue_order_id",
    "filled_quantity",
    "filled_cost",
    "error_code",
    "error",
    "acknowledged_at",
    "finished_at",
    "lookup_count",
    "miss_count",
    "first_missed_at",
    "next_lookup_at",
    "updated_at",
)


@dataclass(frozen=True, slots=True)
class _Occasion:
    """When something was learned, and whether by a look-up."""

    now: datetime
    is_lookup: bool
    clock: Clock

    @property
    def now_ms(self) -> int:
        return to_ms(self.now)


@retried
@folded_atomic()
def record(
    *,
    orders: Sequence[Order],
    knowledge: Mapping[int, Knowledge],
    clock: Clock,
    is_lookup: bool,
) -> list[Order]:
    """Write down what was learned about orders.

    A report may be late or repeat what is known: then it changes nothing. Executions are booked
    in whatever state the order is.

    Args:
        orders: loaded with account and market; what is known of them is read again here.
        knowledge: by order id, what was learned.
        clock: tells when.
        is_lookup: whether the order's sender is not waiting for this: then whoever has to go on
            is woken.

    Returns:
        The orders as they are now.

    Raises:
        Unbookable: an amount has more digits than the books keep; nothing was written.
    """
    occasion = _Occasion(clock.now(), is_lookup, clock)
    locked = relock_orders(orders)
    booked, statements = draft_batch([(order, _fills_of(knowledge[order.pk])) for order in locked])
    logs = []
    rows = []
    for order in locked:
        before = OrderState(order.state)
        _learn(order, knowledge[order.pk], booked[order.pk], occasion)
        _doubt_key(order, knowledge[order.pk])
        _schedule(order, knowledge[order.pk], booked[order.pk], occasion)
        order.updated_at = occasion.now
        rows.append([order.pk, *[getattr(order, name) for name in _FIELDS]])
        if order.state != before:
            logs += _describe(order, before, is_lookup=is_lookup)
        if is_lookup and (booked[order.pk].is_news or _has_ended(before, order)):
            _wake(order)
    reserved = keep_reserved(locked, {pk: after.quantity for pk, after in booked.items()})
    if logs:
        write_logs(logs)
    # the commit comes with it, unless somebody wants to see what is between the two
    is_last = not is_observed()
    run_batch([*statements, *updates(Order, _FIELDS, rows), *reserved], is_last=is_last)
    reached(JournalPoint.BOOKED)
    return locked


def _fills_of(knowledge: Knowledge) -> tuple:  # type: ignore[type-arg]
    return knowledge.fills if isinstance(knowledge, Reported | Missing) else ()


def _learn(order: Order, knowledge: Knowledge, booked: Booked, occasion: _Occasion) -> None:
    order.lookup_count += occasion.is_lookup
    order.filled_cost = booked.cost
    order.filled_quantity = max(order.filled_quantity, booked.quantity)
    if isinstance(knowledge, Reported):
        _learn_report(order, knowledge, occasion)
    elif isinstance(knowledge, Refused):
        if order.state in _UNDECIDED:  # a look-up that found it was right
            _fail(order, OrderEvent.REFUSE, knowledge.error)
    elif isinstance(knowledge, Lost):
        _fail(order, OrderEvent.LOSE_TRACK, knowledge.error)
    elif isinstance(knowledge, Missing):
        _learn_missing(order, occasion)
    elif order.state in LIVE_STATES:
        _note(order, knowledge.error)


def _doubt_key(order: Order, knowledge: Knowledge) -> None:
    """Have the account's key tested once if the venue did not accept it."""
    error = knowledge.error if isinstance(knowledge, Refused | Unreachable) else None
    if isinstance(error, VenueAuthFailed):
        enqueue_on_commit("accounts.test_connection", account_id=order.account_id)


def _learn_report(order: Order, reported: Reported, occasion: _Occasion) -> None:
    report = reported.order
    order.filled_quantity = max(order.filled_quantity, report.filled_quantity)
    order.venue_order_id = order.venue_order_id or report.venue_order_id
    order.acknowledged_at = order.acknowledged_at or occasion.now
    order.miss_count, order.first_missed_at = 0, None
    # an end that was concluded from silence, or a person's word, is none: the report tells
    state = OrderState.UNKNOWN if order.error_code in _CONCLUDED else OrderState(order.state)
    order.error_code, order.error = None, ""
    event = event_of(
        status=report.status,
        quantity=order.quantity,
        filled=order.filled_quantity,
        is_filled_known=_is_filled_known(order, reported, occasion),
    )
    order.state = absorb(state, event)
    end = explain_end(order, report)
    if end is not None:
        _note(order, end)


def _is_filled_known(order: Order, reported: Reported, occasion: _Occasion) -> bool:
    """Return whether an order filled no more than is known of it.

    Where its venue does not say, its list of executions does, once it has stayed the same.
    """
    if reported.order.is_filled_stated or not reported.is_counted:
        return reported.order.is_filled_stated
    count = (order.pk, order.submitted_at, order.filled_quantity)
    return _COUNTS.lasted_ms(count, occasion.clock) >= COUNT_SPAN_MIN_MS


def _learn_missing(order: Order, occasion: _Occasion) -> None:
    """Conclude from repeated silence, and from nothing else, that an order is not there."""
    if order.state not in LIVE_STATES:
        return
    order.miss_count += 1
    order.first_missed_at = order.first_missed_at or occasion.now
    cause = Message("{count} look-ups", {"count": order.miss_count})
    error = OrderAbsent(venue=order.account.venue.code, cause=cause)
    missed_for_ms = _SILENCES.lasted_ms((order.pk, order.first_missed_at), occasion.clock)
    if not is_absence_proven(miss_count=order.miss_count, missed_for_ms=missed_for_ms):
        _note(order, error)
        return
    # what was acknowledged once has ended; what never was, never existed
    was_there = bool(order.venue_order_id) or order.filled_quantity > ZERO
    _fail(order, OrderEvent.CANCEL if was_there else OrderEvent.REFUSE, error)


def _fail(order: Order, event: OrderEvent, error: ArbError) -> None:
    state = absorb(OrderState(order.state), event)
    if state != order.state:
        order.state = state
        _note(order, error)


def _note(order: Order, error: ArbError) -> None:
    order.error_code, order.error = error.code, keep_sentence(error.message)


def _schedule(order: Order, knowledge: Knowledge, booked: Booked, occasion: _Occasion) -> None:
    """Say when the order is looked at next: never, once nothing is left to be learned."""
    may_fill_late = order.cancel_requested_at is not None or _may_be_more(order, knowledge)
    delay_ms: int | None = None
    if order.state in LIVE_STATES:
        order.finished_at = None
        count = 0 if order.is_cancelling else order.lookup_count
        delay_ms = lookup_delay_ms(count, is_missed=isinstance(knowledge, Missing))
    else:
        order.finished_at = order.finished_at or occasion.now
        if booked.is_fee_missing or booked.quantity < order.filled_quantity:
            delay_ms = detail_delay_ms(order.lookup_count)
        elif _is_watched(order, occasion):
            delay_ms = WATCH_DELAY_MS
        elif may_fill_late and _is_recent(order.finished_at, occasion):
            delay_ms = lookup_delay_ms(order.lookup_count)
    order.next_lookup_at = (
        None if delay_ms is None else occasion.now + timedelta(milliseconds=delay_ms)
    )


def _may_be_more(order: Order, knowledge: Knowledge) -> bool:
    """Return whether an order that ended may have filled more than was learned this time.

    Where a venue does not say how much was filled, its list of executions may lag behind. That it
    did not answer, in whole or in part, takes nothing from the reason why it was asked.
    """
    if isinstance(knowledge, Reported):
        is_told = knowledge.order.is_filled_stated
    else:
        is_told = not isinstance(knowledge, Unreachable | Missing)
    return order.state != OrderState.FILLED and not is_told


def _is_watched(order: Order, occasion: _Occasion) -> bool:
    """Return whether an order that was concluded to be absent may still turn up."""
    if order.error_code not in _CONCLUDED or order.submitted_at is None:
        return False
    return occasion.now_ms - to_ms(order.submitted_at) < WATCH_SPAN_MS


def _is_recent(moment: datetime, occasion: _Occasion) -> bool:
    return occasion.now_ms - to_ms(moment) < CANCEL_WATCH_MS


def _has_ended(before: OrderState, order: Order) -> bool:
    return before in LIVE_STATES and order.state not in LIVE_STATES


def _wake(order: Order) -> None:
    if order.execution_id is not None:
        enqueue_on_commit("strategies.settle_execution", execution_id=order.execution_id)


def _describe(order: Order, before: OrderState, *, is_lookup: bool) -> list[LogEntry]:
    """Return the log line about a change that a person wants to know of."""
    ended = describe_end(order)
    if ended:
        return ended
    state = OrderState(order.state)
    event, level, template = _STATES.get(state, ("order_resolved", LogLevel.INFO, _RESOLVED))
    if order.error_code == AnswerUnreadable.code:
        event, level, template = "answer_unreadable", LogLevel.ERROR, _UNREADABLE
    if state not in _STATES and not (is_lookup and before is OrderState.UNKNOWN):
        return []
    return [draft_order_log(order, level, event, template, state=state.value)]
