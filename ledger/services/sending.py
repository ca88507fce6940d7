"""Talk to venues about orders. Nothing here touches the database, so it may run in threads."""

import logging
import time
from dataclasses import dataclass, replace
from functools import partial

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.crashpoints import reached
from arbplatform.core.decimals import ZERO, Quantity, to_plain
from arbplatform.core.errors import ArbError, Message
from ledger.domain.moments import Moments
from ledger.domain.orders import CLOCK_JUMP_MAX_MS, SEND_DEADLINE_MS
from ledger.services.crashpoints import JournalPoint
from ledger.services.waits import WAITS
from markets.domain.orders import (
    LetGo,
    OrderKind,
    OrderRequest,
    TimeInForce,
    VenueFill,
    VenueOrder,
    VenueOrderStatus,
    Write,
)
from markets.errors import (
    DuplicateClientId,
    OrderTooLate,
    OtherOrderFound,
    OutcomeUnknown,
    VenueRejected,
    VenueUnavailable,
)
from markets.gateway.base import VenueGateway
from markets.gateway.error_map import unreadable

logger = logging.getLogger(__name__)

_IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})

CLOCK_TOLERANCE_MS = 60_000
"""How much earlier than sent, by our clock, an execution may be dated by the venue's [ms]."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An order that this process has claimed and has to send.

    Attributes:
        order_id: its row.
        gateway: of its account.
        request: what is sent.
        claimed_at_ms: when it was claimed [ms since epoch].
        leg_index: which leg it is.
        moments: where to note when it left and was answered.
    """

    order_id: int
    gateway: VenueGateway
    request: OrderRequest
    claimed_at_ms: int
    leg_index: int = 0
    moments: Moments | None = None

    def note_sent(self) -> None:
        """Note that the request leaves."""
        WAITS.begin(self.order_id, self.gateway.venue)
        if self.moments is not None:
            self.moments.sent_ns[self.leg_index] = time.monotonic_ns()

    def note_answered(self) -> None:
        """Note that nothing more is waited for."""
        if self.moments is not None:
            self.moments.acked_ns[self.leg_index] = time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class Reported:
    """The venue told what became of the order.

    Attributes:
        order: its report.
        fills: executions, as far as they could be read.
        is_counted: the venue does not say how much was filled, but these are all executions that
            it lists by now. It may list some later.
    """

    order: VenueOrder
    fills: tuple[VenueFill, ...]
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The order does not exist at the venue."""

    error: ArbError


@dataclass(frozen=True, slots=True)
class Lost:
    """The order may exist at the venue."""

    error: ArbError


Outcome = Reported | Refused | Lost


def send(dispatch: Dispatch, *, clock: Clock, let_go: LetGo | None = None) -> Outcome:
    """Send one order, once, and say what became of it.

    Args:
        dispatch: the order.
        clock: tells whether its claim is too old to be acted on.
        let_go: waits until the order may leave, and then writes it, or not; asked by its gateway
            when all else is done. ``None``: it may leave at once.
    """
    outcome: Outcome | None = None
    try:
        outcome = _send(dispatch, clock, let_go)
    finally:
        _note_end(dispatch.order_id, outcome)
    dispatch.note_answered()
    return outcome


def _note_end(order_id: int, outcome: Outcome | None) -> None:
    """Note that nothing more is waited for.

    An order that came too late, or found no connection, says nothing about how its venue answers.
    """
    is_held_back = isinstance(outcome, Refused) and isinstance(outcome.error, VenueUnavailable)
    if is_held_back or outcome is None:
        WAITS.drop(order_id)
    else:
        WAITS.end(order_id, is_lost=isinstance(outcome, Lost))


def _send(dispatch: Dispatch, clock: Clock, let_go: LetGo | None) -> Outcome:
    gateway, request, sent_at_ms = dispatch.gateway, dispatch.request, dispatch.claimed_at_ms
    try:
        send_before_ms = _find_deadline(dispatch, clock)
        leave = _approach(dispatch, let_go)
        report = gateway.submit_order(request.leaving(send_before_ms=send_before_ms, let_go=leave))
        reached(JournalPoint.ANSWERED)
        check_echo(gateway, request, report)
    except DuplicateClientId as error:
        return _adopt(gateway, request, error, sent_at_ms)
    except (VenueRejected, VenueUnavailable) as error:
        return Refused(error)
    except OutcomeUnknown as error:
        return Lost(error)
    except Exception as error:
        # whatever broke may have broken after the request had left
        logger.exception("Order %s: unforeseen error while sending", dispatch.order_id)
        return Lost(unreadable(error, gateway.venue))
    return with_details(gateway, request, report, sent_at_ms=sent_at_ms)


def _approach(dispatch: Dispatch, let_go: LetGo | None) -> LetGo:
    """Return what the gateway has its request written by."""
    if let_go is None:
        reached(JournalPoint.SENDING)
        dispatch.note_sent()
        return partial(_leave_again, dispatch)

    def leave(write: Write) -> bool:
        reached(JournalPoint.WAITING)
        return let_go(partial(_leave, dispatch, write))

    return leave


def _leave(dispatch: Dispatch, write: Write) -> None:
    reached(JournalPoint.SENDING)
    dispatch.note_sent()
    write()


def _leave_again(dispatch: Dispatch, write: Write) -> bool:
    dispatch.note_sent()  # the gateway was not ready when that was noted first
    write()
    return True


def with_details(
    gateway: VenueGateway, request: OrderRequest, report: VenueOrder, *, sent_at_ms: int
) -> Reported:
    """Return a report with what the venue left out of it, as far as it can be read now.

    Some venues answer with a bare id: an order that cannot rest is then read once. Some say of an
    order that ended nothing about what it filled: its executions tell. What cannot be read is
    looked up later, so no failure here matters.

    Args:
        gateway: of the order's account.
        request: as it was or should have been sent.
        report: what the venue said.
        sent_at_ms: when the order was claimed for sending [ms since epoch].
    """
    fills = report.fills
    try:
        if report.status is VenueOrderStatus.OPEN and _cannot_rest(request):
            fresh = gateway.fetch_order(symbol=request.symbol, venue_order_id=report.venue_order_id)
            check_echo(gateway, request, fresh)
            report, fills = fresh, fresh.fills or fills
        if report.status is not VenueOrderStatus.OPEN and not report.is_filled_stated:
            return count(gateway, report, sent_at_ms=sent_at_ms)
        if sum((fill.quantity for fill in fills), ZERO) < report.filled_quantity:
            fills = _read_reported(gateway, report, sent_at_ms)
    except ArbError as error:
        logger.warning("Details of order %s come later: %s", request.client_order_id, error)
    except Exception:
        # the order is acknowledged: a broken detail must not make its outcome unknown
        logger.exception("Details of order %s come later", request.client_order_id)
    return Reported(report, tuple(fills))


def count(gateway: VenueGateway, report: VenueOrder, *, sent_at_ms: int) -> Reported:
    """Return a report that does not say what was filled with the sum of the order's executions.

    Args:
        gateway: of the order's account.
        report: what the venue said.
        sent_at_ms: when the order was claimed for sending [ms since epoch].

    Raises:
        ArbError: the executions since then cannot be read: it is not known what was filled.
    """
    since_ms = _find_start(report, sent_at_ms)
    fills = read_fills(gateway, report.symbol, report.venue_order_id, since_ms)
    filled = sum((fill.quantity for fill in fills), ZERO)
    return Reported(replace(report, filled_quantity=filled), fills, is_counted=True)


def read_fills(
    gateway: VenueGateway, symbol: str, venue_order_id: str, since_ms: int | None
) -> tuple[VenueFill, ...]:
    """Return the executions of one order; a venue that cannot filter sends others as well.

    Args:
        gateway: of the order's account.
        symbol: the market.
        venue_order_id: which order.
        since_ms: from when on all executions must be looked through [ms since epoch]; ``None``:
            those that the venue gives in one answer.
    """
    fills = gateway.fetch_fills(symbol, since_ms=since_ms, venue_order_id=venue_order_id)
    return tuple(fill for fill in fills if fill.venue_order_id == venue_order_id)


def _read_reported(
    gateway: VenueGateway, report: VenueOrder, sent_at_ms: int
) -> tuple[VenueFill, ...]:
    """Return the executions of an order that a venue reports, as far as they can be read now.

    The newest ones are asked for first: mostly these are all, and a long history costs many
    requests or cannot be had any more. Its failure takes nothing from what they told.
    """
    symbol, venue_order_id = report.symbol, report.venue_order_id
    newest = read_fills(gateway, symbol, venue_order_id, None)
    if sum((fill.quantity for fill in newest), ZERO) >= report.filled_quantity:
        return newest
    try:
        return read_fills(gateway, symbol, venue_order_id, _find_start(report, sent_at_ms))
    except ArbError as error:
        logger.warning("Not all executions of order %s were read: %s", venue_order_id, error)
        return newest


def _find_start(report: VenueOrder, sent_at_ms: int) -> int:
    """Return from when on a venue may date what an order executed [ms since epoch].

    One that its venue has last heard of before we sent it was sent by a clock that was ahead.
    """
    told_ms = report.updated_at_ms
    if told_ms is not None and told_ms < sent_at_ms - CLOCK_TOLERANCE_MS:
        return told_ms - CLOCK_JUMP_MAX_MS
    return sent_at_ms - CLOCK_TOLERANCE_MS


def check_echo(gateway: VenueGateway, request: OrderRequest, report: VenueOrder) -> None:
    """Refuse a report about another order than ours.

    Raises:
        OutcomeUnknown: market, side or client id is not what was asked about.
    """
    is_other_id = report.client_order_id not in (None, request.client_order_id)
    if is_other_id or report.symbol != request.symbol or report.side is not request.side:
        raise OutcomeUnknown(
            venue=gateway.venue,
            cause=Message("the answer is about another order, {id}", {"id": report.venue_order_id}),
        )


def check_found(gateway: VenueGateway, request: OrderRequest, report: VenueOrder) -> None:
    """Refuse an order that was found by our client id and is another one than ours.

    Ids come again when an old backup of the database was restored: what was sent after it bears
    the id of another order then, and must not be booked as that one.

    Raises:
        OtherOrderFound: its market, side or size is not ours.
        OutcomeUnknown: it does not even bear our id.
    """
    is_ours_by_id = report.client_order_id in (None, request.client_order_id)
    if is_ours_by_id and not is_alike(report, request):
        raise OtherOrderFound(
            venue=gateway.venue,
            id=report.venue_order_id,
            side=Message(report.side.value),
            quantity=to_plain(report.quantity),
            symbol=report.symbol,
        )
    check_echo(gateway, request, report)


def is_alike(report: VenueOrder, request: OrderRequest) -> bool:
    """Return whether a report may be about an order, by its market, side and size."""
    is_same_kind = (report.symbol, report.side) == (request.symbol, request.side)
    return is_same_kind and may_be_sized(report, request.quantity)


def may_be_sized(report: VenueOrder, quantity: Quantity) -> bool:
    """Return whether a report may be about an order of a size.

    Some venues state of an order that they ended short what it filled as its size: one that was
    filled is as large as it says.

    Args:
        report: of an order.
        quantity: that was ordered [base].
    """
    is_cut = (
        report.status is VenueOrderStatus.CANCELED
        and report.quantity == report.filled_quantity < quantity
    )
    return is_cut or report.quantity == quantity


def _find_deadline(dispatch: Dispatch, clock: Clock) -> float:
    """Return up to when the claim may be acted on, by this machine's monotonic clock [ms].

    The gateway is told as well: an order may wait for a connection or for its turn.

    Raises:
        OrderTooLate: others may already take the claim for lost; nothing was sent.
    """
    now_ms = SYSTEM_CLOCK.monotonic_ms()  # read first: a pause in between must give no more time
    left_ms = dispatch.claimed_at_ms + SEND_DEADLINE_MS - clock.now_ms()
    if left_ms < 0:
        raise OrderTooLate(venue=dispatch.gateway.venue)
    # a clock that was set back since the claim gives an order no more time
    return now_ms + min(left_ms, SEND_DEADLINE_MS)


def _adopt(
    gateway: VenueGateway, request: OrderRequest, error: DuplicateClientId, sent_at_ms: int
) -> Outcome:
    """Return the order that is there already under our client id: the first send arrived."""
    try:
        report = gateway.fetch_order(symbol=request.symbol, client_order_id=request.client_order_id)
        check_found(gateway, request, report)
    except OtherOrderFound as other:
        return Lost(other)
    except ArbError:
        return Lost(error)
    except Exception:
        # the first send arrived, so the order exists: it is looked up, never refused
        logger.exception("Order %s: unforeseen error while adopting", request.client_order_id)
        return Lost(error)
    return with_details(gateway, request, report, sent_at_ms=sent_at_ms)


def _cannot_rest(request: OrderRequest) -> bool:
    return request.kind is OrderKind.MARKET or request.time_in_force in _IMMEDIATE
