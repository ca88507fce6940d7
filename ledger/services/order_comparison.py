"""Compare the journal with the venue's own lists of orders.

An order that a list does not show is looked up in the usual way, which concludes nothing from one
answer: also that a difference is gone takes the word of the order's own report. An order that is
listed and not ours is somebody else's; one that bears our mark and is not in the journal is a
reason for an alarm.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings
from django.utils.translation import gettext_noop as _

from arbplatform.core.decimals import ZERO, to_plain
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import untranslated
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.domain.reconciliation import GRACE, DiscrepancyKind, Owner, Sighting, owner_of
from ledger.models import Discrepancy, Order, SideChoice
from ledger.selectors import get_order
from ledger.selectors.reconciliation import (
    find_known,
    list_doubtful_orders,
    list_open_orders,
    list_unlinked,
    list_watched_orders,
    map_states,
)
from ledger.services.resolution import resolve_unknown
from ledger.services.strangers import (
    is_another,
    see_other_installation,
    see_other_order,
    see_unknown_order,
    stranger_of,
)
from ledger.services.turns import forget_denial, note_denial, take_turns
from ledger.services.venue_reads import Failed, Ok, Round
from markets.domain.orders import VenueOrder, VenueOrderStatus
from markets.models import Market

logger = logging.getLogger(__name__)

LOOKUPS_MAX = 20
"""Orders that one round looks up again; while there are more, all have their turn."""

_K = DiscrepancyKind

_OTHERS = frozenset({Owner.OTHER_INSTALLATION, Owner.SOMEBODY})

_SUBJECT = "order|"

UNLISTED = "unlisted"
"""Evidence that no list shows an order any more: only its own report can end the difference."""

_NOT_LISTED = _(
    "Order {order_id} is open in the journal, but the venue's list of open orders does not show "
    "it. It is looked up; nothing was concluded."
)
_DIFFERENT = _(
    "Order {order_id} is {state} in the journal with {booked} filled; the venue lists it as "
    "{listed_state} with {listed} filled."
)
_NOT_CONFIRMED = _(
    "Order {order_id} is {state} in the journal with {booked} filled. The venue has listed it "
    "otherwise, and does not show it now. Nothing was concluded."
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
    reports = _by_venue_id(read.value)
    round_.cover(_K.FOREIGN_ORDER)
    _see_foreign(round_, read.value)
    is_all_told = True
    for market in markets:
        ask = partial(round_.gateway.fetch_orders, market.symbol, since_ms=round_.since_ms)
        listed = round_.read_history(ask)
        if isinstance(listed, Failed):
            is_all_told = is_all_told and listed.is_unsupported
        else:
            reports = _by_venue_id(listed.value) | reports
    doubts = _list_doubts(round_, list(reports.values()), is_all_told=is_all_told)
    if _compare(round_, doubts) and is_all_told:
        round_.cover(_K.ORDER_STATE)


def _by_venue_id(reports: Iterable[VenueOrder]) -> dict[tuple[str, str], VenueOrder]:
    """Return orders by symbol and the venue's id: some venues count in each market anew."""
    return {(report.symbol, report.venue_order_id): report for report in reports}


def _see_foreign(round_: Round, reports: Iterable[VenueOrder]) -> None:
    for report, owner in _list_foreign(round_, reports):
        if owner is Owner.OTHER_INSTALLATION:
            round_.sightings.append(see_other_installation(stranger_of(report)))
        else:
            context = {
                "venue_order_id": report.venue_order_id,
                "side": report.side.value,
                "quantity": to_plain(report.quantity),
                "symbol": report.symbol,
            }
            sighting = Sighting(
                _K.FOREIGN_ORDER,
                f"{report.symbol}|{report.venue_order_id}",
                Message(_FOREIGN, {**context, "side": untranslated(SideChoice(report.side).label)}),
                stated=report.quantity,
                evidence=context,
                is_explained=True,
            )
            round_.sightings.append(sighting)


def _list_foreign(
    round_: Round, reports: Iterable[VenueOrder]
) -> Iterator[tuple[VenueOrder, Owner]]:
    """Yield the orders of others, and none of ours to which a list gives another name.

    Ours is known by the venue's id. Before that is written down, what looks like an order that is
    on its way is nobody's yet: the next round tells.
    """
    foreign = [
        (report, owner)
        for report in reports
        if (owner := owner_of(report.client_order_id, settings.ARB_INSTALL_ID)) in _OTHERS
    ]
    if not foreign:
        return
    known = find_known(round_.account.pk, [report.venue_order_id for report, _owner in foreign])
    unlinked = list_unlinked(round_.account.pk)
    for report, owner in foreign:
        looks = (report.symbol, report.side.value, report.quantity)
        is_on_its_way = owner is Owner.SOMEBODY and looks in unlinked
        if (report.symbol, report.venue_order_id) not in known and not is_on_its_way:
            yield report, owner


@dataclass(frozen=True, slots=True)
class _Doubt:
    """An order of which journal and lists say different things.

    Attributes:
        order: as the journal has it.
        report: as a list shows it; ``None``: none does.
        seen: what an earlier round has seen of it, if no list shows it any more.
        is_unlisted: whether all lists were told and none shows it.
    """

    order: Order
    report: VenueOrder | None = None
    seen: Discrepancy | None = None
    is_unlisted: bool = False

    @property
    def subject(self) -> str:
        """What names it among all that is different."""
        return f"{_SUBJECT}{self.order.pk}"


def _compare(round_: Round, found: Iterable[_Doubt]) -> bool:
    """Look up what differs; what differs still afterwards was seen.

    Returns:
        Whether all of it was looked at.
    """
    doubts = {doubt.subject: doubt for doubt in found}
    for name in round_.known_denials:
        if name.startswith(_SUBJECT) and name not in doubts:
            forget_denial(round_, name)  # should it differ once more, that is something new
    turns = take_turns(round_, doubts, LOOKUPS_MAX)
    for subject, denial in turns.taken:
        if round_.is_silent:
            return False
        doubt = doubts[subject]
        if denial is not None:
            round_.sightings.append(_sighting_of(doubt))
        elif _look_again(round_, doubt):
            note_denial(round_, subject)
        else:
            forget_denial(round_, subject)
    return turns.is_all


def _list_doubts(
    round_: Round, reports: Sequence[VenueOrder], *, is_all_told: bool
) -> Iterator[_Doubt]:
    """Yield our orders that the lists show otherwise, or do not show any more."""
    own = _list_own(round_, reports)
    listed = _by_venue_id(reports)
    for order, report in own.values():
        if _differs(order, report):
            yield _Doubt(order, report)
    for doubt in _list_expected(round_):
        if doubt.order.client_order_id not in own:
            yield from _doubt_by_venue_id(replace(doubt, is_unlisted=is_all_told), listed)


def _list_own(round_: Round, reports: Iterable[VenueOrder]) -> dict[str, tuple[Order, VenueOrder]]:
    """Return what lists show of our orders by our ids of them; see what only seems to be ours."""
    marked = [
        (report.client_order_id, report)
        for report in reports
        if report.client_order_id
        and owner_of(report.client_order_id, settings.ARB_INSTALL_ID) is Owner.US
    ]
    journal = map_states({client_order_id for client_order_id, _report in marked})
    own = {}
    for client_order_id, report in marked:
        order = journal.get(client_order_id)
        if order is not None and not is_another(round_.account.pk, order, report):
            own[client_order_id] = (order, report)
        elif _is_new(round_, report):
            round_.sightings.append(
                see_unknown_order(stranger_of(report))
                if order is None
                else see_other_order(order, report.venue_order_id)
            )
    for order in list_doubtful_orders(round_.account.pk):
        round_.sightings.append(see_other_order(order))
    return own


def _doubt_by_venue_id(
    doubt: _Doubt, listed: Mapping[tuple[str, str], VenueOrder]
) -> Iterator[_Doubt]:
    """Yield what is left of a doubt: a list may show an order without our id of it."""
    order = doubt.order
    shown = listed.get((order.market.symbol, order.venue_order_id))
    if shown is None:
        yield doubt
    elif _differs(order, shown):
        yield _Doubt(order, shown)


def _list_expected(round_: Round) -> Iterable[_Doubt]:
    """Return the orders that the lists should show, as if none did."""
    started_before = round_.started_at - GRACE
    open_orders = list_open_orders(round_.account.pk, acknowledged_before=started_before)
    watched = list_watched_orders(round_.account.pk)
    expected = {order.pk: _Doubt(order, seen=row) for row, order in watched}
    return (expected | {order.pk: _Doubt(order) for order in open_orders}).values()


def _look_again(round_: Round, doubt: _Doubt) -> bool:
    """Note what a look-up leaves of a doubt; return whether anything."""
    order_id = doubt.order.pk
    try:
        fresh = resolve_unknown(order_id=order_id, clock=round_.clock)
    except ArbError as error:
        logger.warning("Order %s cannot be looked up: %s", order_id, error)
        fresh = get_order(order_id)
    report = doubt.report
    if report is None and doubt.seen is None:
        left = replace(doubt, order=fresh) if fresh.state == OrderState.OPEN else None
    else:
        left = _ask_itself(round_, fresh, doubt)
    if left is not None:
        round_.sightings.append(_sighting_of(left))
    return left is not None


def _ask_itself(round_: Round, fresh: Order, doubt: _Doubt) -> _Doubt | None:
    """Return what is left once the order's own report is known: a list may be older than that."""
    report = doubt.report
    if report is not None and not _differs(fresh, report):
        return None
    read = round_.read(
        partial(round_.gateway.fetch_order, symbol=fresh.market.symbol, **_id_of(fresh, doubt))
    )
    if isinstance(read, Ok):
        report = read.value
    fresh = get_order(fresh.pk)
    if report is not None:
        return replace(doubt, order=fresh, report=report) if _differs(fresh, report) else None
    return replace(doubt, order=fresh)


def _id_of(order: Order, doubt: _Doubt) -> dict[str, str]:
    """Return by which id a venue is to be asked for an order."""
    if doubt.report is not None:
        return {"venue_order_id": doubt.report.venue_order_id}
    told = order.venue_order_id
    if not told and doubt.seen is not None:
        told = doubt.seen.evidence.get("venue_order_id", "")
    return {"venue_order_id": told} if told else {"client_order_id": order.client_order_id}


def _sighting_of(doubt: _Doubt) -> Sighting:
    order, report = doubt.order, doubt.report
    if report is not None:
        return _see_other_report(doubt, report)
    if doubt.seen is None:
        what = Message(_NOT_LISTED, {"order_id": order.pk})
        return Sighting(_K.ORDER_STATE, doubt.subject, what, evidence=_note_listing(doubt))
    context = {
        "order_id": order.pk,
        "state": order.state,
        "booked": to_plain(order.filled_quantity),
    }
    return Sighting(
        _K.ORDER_STATE,
        doubt.subject,
        Message(_NOT_CONFIRMED, context),
        booked=doubt.seen.booked,
        stated=doubt.seen.stated,
        evidence=doubt.seen.evidence | _note_listing(doubt),
    )


def _note_listing(doubt: _Doubt) -> dict[str, str]:
    return {UNLISTED: "yes"} if doubt.is_unlisted else {}


def _see_other_report(doubt: _Doubt, report: VenueOrder) -> Sighting:
    context = {
        "order_id": doubt.order.pk,
        "state": doubt.order.state,
        "booked": to_plain(doubt.order.filled_quantity),
        "listed_state": report.status.value,
        "listed": to_plain(report.filled_quantity),
    }
    return Sighting(
        _K.ORDER_STATE,
        doubt.subject,
        Message(_DIFFERENT, context),
        booked=doubt.order.filled_quantity,
        stated=report.filled_quantity,
        evidence={
            "venue_order_id": report.venue_order_id,
            "symbol": report.symbol,
            **_note_listing(doubt),
        },
    )


def _differs(order: Order, report: VenueOrder) -> bool:
    """Return whether journal and list contradict each other about money or about the end."""
    if order.state in (OrderState.PENDING, OrderState.SUBMITTING):
        return False  # its sender writes it down
    is_open_there = report.status is VenueOrderStatus.OPEN
    is_live_here = order.state in LIVE_STATES
    is_filled_otherwise = (
        report.is_filled_stated and order.filled_quantity != report.filled_quantity
    )
    return is_open_there != is_live_here or is_filled_otherwise


def _is_new(round_: Round, report: VenueOrder) -> bool:
    """Return whether an order that is not in the journal still matters."""
    is_open = report.status is VenueOrderStatus.OPEN
    return is_open or report.filled_quantity > ZERO
