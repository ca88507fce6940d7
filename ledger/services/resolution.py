"""Look up what is not known about orders, until it is known; never send anything again."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils.translation import gettext_noop as _

from accounts.services.accounts import check_key
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import SYSTEM_CLOCK, Clock, to_ms
from arbplatform.core.crashpoints import reached
from arbplatform.core.errors import ArbError, Message
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_sentence
from ledger.domain.orders import (
    DETAIL_PLANNED_MAX,
    LIVE_STATES,
    ORDER_TRANSITIONS,
    PENDING_TIMEOUT_MS,
    PLANNED_MAX,
    SUBMIT_TIMEOUT_MS,
    OrderEvent,
    OrderState,
    has_come,
)
from ledger.models import LogLevel, Order
from ledger.selectors import (
    get_order,
    get_order_with_secrets,
    list_due_orders,
    list_others_among,
    lock_orders,
)
from ledger.services.crashpoints import JournalPoint
from ledger.services.logs import write_log
from ledger.services.lookups import Finding, Search, Unreachable, find
from ledger.services.recording import record
from ledger.services.refusals import give_up
from ledger.services.sending import CLOCK_TOLERANCE_MS
from markets.errors import VenueBlocked, VenueRateLimited, VenueUnavailable
from markets.gateway.base import VenueGateway
from markets.gateway.factory import gateway_for

logger = logging.getLogger(__name__)

SWEEP_ORDERS_MAX = 50
"""Orders that one sweep looks up; the next one goes on."""

DUE_ORDERS_MAX = 1_000
"""Due orders that a sweep sees: so many may be passed over since their venue does not answer."""

SWEEP_TIME_MAX_MS = 20_000
"""A sweep begins no further look-up after so long [ms]."""

SILENT_AFTER = 2
"""Orders in a row about which a venue did not answer: then it is the venue, and not the order."""

SLOW_MS = 2_000
"""A look-up that took so long in vain is not paid for twice in one sweep [ms]."""

LOOKUP_LEASE = timedelta(seconds=60)
"""For so long no other sweep takes an order that is being looked up."""

_NEVER_SENT = Message("The order was not sent in time: the process that wrote it has stopped.")
_SENDER_LOST = Message(
    "The process that was sending the order has stopped before it wrote down the answer."
)
_EXPIRED = _("Order {order_id} was written but never sent, and is void now.")
_ABANDONED = _("The sender of order {order_id} is gone: whether it was sent is looked up.")


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep did.

    Attributes:
        looked_up: orders that a venue was asked about.
        failed: of those, how many gave an unforeseen error, which is in the log.
        skipped: orders left for the next sweep, because their venue does not answer.
    """

    looked_up: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(slots=True)
class _Silence:
    """Which venues do not answer in this sweep.

    Attributes:
        venues: those that are asked no further.
        unanswered: orders in a row about which each of the others did not answer.
    """

    venues: set[str] = field(default_factory=set)
    unanswered: dict[str, int] = field(default_factory=dict)

    def note(self, venue: str, finding: Finding, took_ms: float) -> None:
        """Take note of what came of a look-up."""
        error = finding.error if isinstance(finding, Unreachable) else None
        if not isinstance(error, VenueUnavailable):
            self.unanswered[venue] = 0
            return
        self.unanswered[venue] = count = self.unanswered.get(venue, 0) + 1
        is_all_the_same = isinstance(error, VenueRateLimited | VenueBlocked)
        if is_all_the_same or count >= SILENT_AFTER or took_ms >= SLOW_MS:
            self.venues.add(venue)


def resolve_unknown(*, order_id: int, clock: Clock = SYSTEM_CLOCK) -> Order:
    """Look one order up now, whether it is due or not.

    Args:
        order_id: any order; of one that still waits for its sender, or about which nothing is
            left to be learned, no venue is asked.
        clock: tells the time.

    Returns:
        The order as it stands now.

    Raises:
        OrderNotFound: no order has this id.
        SecretUnreadable: the configured keys do not open its account's secrets.
    """
    get_order(order_id)
    if _take(order_id, clock.now(), is_forced=True):
        _look_up(order_id, clock)
    return get_order(order_id)


def resolve_unknown_orders(
    *, clock: Clock = SYSTEM_CLOCK, limit: int = SWEEP_ORDERS_MAX
) -> SweepReport:
    """Look up every order that is due: the sweep behind every lost message and dead process.

    It gives up orders that nobody sent, takes over those whose sender died, and asks venues about
    those whose outcome, executions or fees are not known. A venue that does not answer about two
    orders in a row, or takes long over one, is asked no further in this sweep: an order that always
    fails keeps no others waiting, and a venue that is down costs one timeout, however many orders
    wait for it. Two sweeps at the same time share the work.

    Args:
        clock: tells the time.
        limit: orders to look up at most.
    """
    started_ms = clock.monotonic_ms()
    silence = _Silence()
    looked_up = failed = skipped = 0
    for order_id, venue in list_due_orders(now=clock.now(), limit=DUE_ORDERS_MAX):
        if looked_up >= limit:
            break
        if (
            venue in silence.venues
            or DRAIN.has_begun
            or clock.monotonic_ms() - started_ms > SWEEP_TIME_MAX_MS
        ):
            skipped += 1
            continue
        try:
            if not _take(order_id, clock.now(), is_forced=False):
                continue
            looked_up += 1
            asked_ms = clock.monotonic_ms()
            finding = _look_up(order_id, clock)
        except Exception:
            # one order that cannot be written down must not keep the others from being looked up
            logger.exception("Order %s: look-up failed", order_id)
            failed += 1
            continue
        silence.note(venue, finding, clock.monotonic_ms() - asked_ms)
    return SweepReport(looked_up, failed, skipped)


def _look_up(order_id: int, clock: Clock) -> Finding:
    """Ask the venue about an order, outside of any transaction, and write the answer down.

    The door is opened even if the account is disabled by now: reading what became of its money
    is no trading.
    """
    reached(JournalPoint.LOOKUP_TAKEN)
    order = get_order_with_secrets(order_id)
    gateway = gateway_for(order.account.venue.to_spec(), order.account.to_credentials())
    finding = _ask(order, gateway, search_for(order, clock))
    reached(JournalPoint.LOOKED_UP)
    record(orders=[order], knowledge={order_id: finding}, clock=clock, is_lookup=True)
    return finding


def search_for(order: Order, clock: Clock) -> Search:
    """Return how a venue is searched for an order."""
    told_ms, now_ms = to_ms(order.submitted_at or order.created_at), to_ms(clock.now())
    return Search(
        request=order.to_request(),
        sent_at_ms=min(told_ms, now_ms),
        is_clock_doubted=told_ms > now_ms + CLOCK_TOLERANCE_MS,
        venue_order_id=order.venue_order_id,
        others_among=partial(list_others_among, order),
    )


def _ask(order: Order, gateway: VenueGateway, search: Search) -> Finding:
    try:
        check_key(order.account)
    except ArbError as error:
        return Unreachable(error)  # a key that is refused again and again locks the account
    return find(gateway, search)


@retried
@transaction.atomic(durable=True)
def _take(order_id: int, now: datetime, *, is_forced: bool) -> bool:
    """Return whether a venue has to be asked about the order, by us.

    An order whose sender is overdue is settled here as far as that is possible without asking.
    """
    order = lock_orders([order_id])[0]
    if order.state == OrderState.PENDING:
        if _is_over(order.created_at, now, PENDING_TIMEOUT_MS):
            _expire(order, now)
        return False
    if order.state == OrderState.SUBMITTING:
        if not _is_over(order.submitted_at or order.created_at, now, SUBMIT_TIMEOUT_MS):
            return False
        _abandon(order)
    elif order.next_lookup_at is None or not (is_forced or _is_due(order, now)):
        return False
    order.next_lookup_at = now + LOOKUP_LEASE
    order.save(update_fields=["state", "error_code", "error", "next_lookup_at", "updated_at"])
    return True


def _expire(order: Order, now: datetime) -> None:
    """Give up an order that nobody claimed: the prices it was decided on are gone."""
    order.error = keep_sentence(_NEVER_SENT)
    give_up([order], now)
    _tell(order, "order_expired", _EXPIRED)


def _abandon(order: Order) -> None:
    order.state = ORDER_TRANSITIONS.next_state(OrderState(order.state), OrderEvent.LOSE_TRACK)
    order.error = keep_sentence(_SENDER_LOST)
    _tell(order, "order_abandoned", _ABANDONED)


def _tell(order: Order, event: str, template: str) -> None:
    write_log(
        strategy_id=order.strategy_id,
        level=LogLevel.WARNING,
        event=event,
        template=template,
        order_id=order.pk,
    )
    if order.execution_id is not None:
        enqueue_on_commit("strategies.settle_execution", execution_id=order.execution_id)


def _is_due(order: Order, now: datetime) -> bool:
    ahead_max = PLANNED_MAX if order.state in LIVE_STATES else DETAIL_PLANNED_MAX
    planned_at = order.next_lookup_at
    return planned_at is not None and has_come(planned_at, now, ahead_max=ahead_max)


def _is_over(began_at: datetime, now: datetime, longest_ms: int) -> bool:
    return has_come(began_at + timedelta(milliseconds=longest_ms + 1), now)
