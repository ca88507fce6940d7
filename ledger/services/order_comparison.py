"""Compare the journal with the venue's own lists of orders.

An order that a list does not show is looked up in the usual way, which concludes nothing from one
answer. An order that is listed and not ours is somebody else's; one that bears our mark and is not
in the journal is a reason for an alarm.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import partial

from django.conf import settings
from django.utils.translation import gettext_noop as _

from arbplatform.core.decimals import ZERO, to_plain
from arbplatform.core.errors import ArbError, Message
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.domain.reconciliation import GRACE, DiscrepancyKind, Owner, Sighting, owner_of
from ledger.models import Order
from ledger.selectors import get_order
from ledger.selectors.reconciliation import list_open_orders, map_states
from ledger.services.resolution import resolve_unknown
from ledger.services.strangers import (
    see_other_installation,
    see_unknown_order,
    stranger_of,
)
from ledger.services.venue_reads import Failed, Ok, Round
from markets.domain.orders import VenueOrder, VenueOrderStatus
from markets.models import Market

logger = logging.getLogger(__name__)

LOOKUPS_MAX = 20
"""Orders that one round looks up again."""

_K = DiscrepancyKind

_NOT_LISTED = _(
    "Order {order_id} is open in the journal, but the venue's list of open orders does not show "
    "it. It is looked up; nothing was concluded."
)
_DIFFERENT = _(
    "Order {order_id} is {state} in the journal with {booked} filled; the venue lists it as "
    "{listed_state} with {listed} filled."
)
_FOREIGN = _(
    "Order {venue_order_id} ({side} {quantity} {symbol}) is open and was not made by the platform."
)


def compare_orders(round_: Round, markets: Sequence[Market]) -> None:
    """Compare open orders, and the orders of some markets that have ended lately.

    Args:
        round_: collects what is seen.
        markets: those in which the account has had orders.
    """
    read = round_.read(round_.gateway.fetch_open_orders)
    if isinstance(read, Failed):
        return
    reports = {report.venue_order_id: report for report in read.value}
    round_.cover(_K.FOREIGN_ORDER)
    _see_foreign(round_, read.value)
    is_all_told = True
    for market in markets:
        ask = partial(round_.gateway.fetch_orders, market.symbol, since_ms=round_.since_ms)
        listed = round_.read_history(ask)
        if isinstance(listed, Failed):
            is_all_told = is_all_told and listed.is_unsupported
        else:
            reports = {report.venue_order_id: report for report in listed.value} | reports
    if _compare(round_, list(reports.values())) and is_all_told:
        round_.cover(_K.ORDER_STATE)


def _see_foreign(round_: Round, reports: Iterable[VenueOrder]) -> None:
    for report in reports:
        owner = owner_of(report.client_order_id, settings.ARB_INSTALL_ID)
        if owner is Owner.OTHER_INSTALLATION:
            round_.sightings.append(see_other_installation(stranger_of(report)))
        elif owner is Owner.SOMEBODY:
            context = {
                "venue_order_id": report.venue_order_id,
                "side": report.side.value,
                "quantity": to_plain(report.quantity),
                "symbol": report.symbol,
            }
            sighting = Sighting(
                _K.FOREIGN_ORDER,
                f"{report.symbol}|{report.venue_order_id}",
                Message(_FOREIGN, context),
                stated=report.quantity,
                evidence=context,
                is_explained=True,
            )
            round_.sightings.append(sighting)


def _compare(round_: Round, reports: Sequence[VenueOrder]) -> bool:
    """Look up what differs; what differs still afterwards was seen.

    Returns:
        Whether all of it was looked at.
    """
    marked = {
        report.client_order_id: report
        for report in reports
        if report.client_order_id
        and owner_of(report.client_order_id, settings.ARB_INSTALL_ID) is Owner.US
    }
    journal = map_states(marked)
    for client_order_id, report in marked.items():
        if client_order_id not in journal and _is_new(round_, report):
            round_.sightings.append(see_unknown_order(stranger_of(report)))
    doubtful = [
        order
        for order in journal.values()
        if order.account_id == round_.account.pk and _differs(order, marked[order.client_order_id])
    ]
    unlisted = [
        order
        for order in list_open_orders(
            round_.account.pk, acknowledged_before=round_.started_at - GRACE
        )
        if order.client_order_id not in marked
        and order.venue_order_id not in {report.venue_order_id for report in reports}
    ]
    for number, order in enumerate([*doubtful, *unlisted]):
        if number == LOOKUPS_MAX:
            round_.is_cut_short = True
        if round_.is_cut_short or round_.is_silent:
            return False
        _look_again(round_, order, marked.get(order.client_order_id))
    return True


def _look_again(round_: Round, order: Order, report: VenueOrder | None) -> None:
    try:
        fresh = resolve_unknown(order_id=order.pk, clock=round_.clock)
    except ArbError as error:
        logger.warning("Order %s cannot be looked up: %s", order.pk, error)
        fresh = get_order(order.pk)
    subject = f"order|{order.pk}"
    if report is None:
        if fresh.state == OrderState.OPEN:
            what = Message(_NOT_LISTED, {"order_id": order.pk})
            round_.sightings.append(Sighting(_K.ORDER_STATE, subject, what))
        return
    # the list may be older than what the journal has learned since
    ask = partial(
        round_.gateway.fetch_order, symbol=report.symbol, venue_order_id=report.venue_order_id
    )
    read = round_.read(ask) if _differs(fresh, report) else None
    if isinstance(read, Ok):
        report = read.value
    if not _differs(get_order(order.pk), report):
        return
    context = {
        "order_id": order.pk,
        "state": fresh.state,
        "booked": to_plain(fresh.filled_quantity),
        "listed_state": report.status.value,
        "listed": to_plain(report.filled_quantity),
    }
    round_.sightings.append(
        Sighting(
            _K.ORDER_STATE,
            subject,
            Message(_DIFFERENT, context),
            booked=fresh.filled_quantity,
            stated=report.filled_quantity,
            evidence={"venue_order_id": report.venue_order_id, "symbol": report.symbol},
        )
    )


def _differs(order: Order, report: VenueOrder) -> bool:
    """Return whether journal and list contradict each other about money or about the end."""
    if order.state in (OrderState.PENDING, OrderState.SUBMITTING):
        return False  # its sender writes it down
    is_open_there = report.status is VenueOrderStatus.OPEN
    is_live_here = order.state in LIVE_STATES
    return is_open_there != is_live_here or order.filled_quantity != report.filled_quantity


def _is_new(round_: Round, report: VenueOrder) -> bool:
    """Return whether an order that is not in the journal still matters."""
    is_open = report.status is VenueOrderStatus.OPEN
    return is_open or report.filled_quantity > ZERO
