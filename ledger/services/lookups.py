"""Find an order at its venue again. Reads only: nothing here can do harm."""

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from arbplatform.core.errors import ArbError, Message
from ledger.services.sending import (
    CLOCK_TOLERANCE_MS,
    Reported,
    check_echo,
    check_found,
    is_alike,
    read_fills,
    with_details,
)
from markets.domain.orders import OrderRequest, Side, VenueFill, VenueOrder
from markets.errors import NotSupportedByVenue, OrderAbsent, OutcomeUnknown, VenueUnavailable
from markets.gateway.base import VenueGateway

logger = logging.getLogger(__name__)

CANDIDATES_MAX = 5
"""Foreign orders that one look-up reads in search of ours."""

ALIKE_READ_MAX = 50
"""As many are read once, before a person's word that ours is not there is believed."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for.

    Attributes:
        request: as it was or should have been sent.
        sent_at_ms: when it was claimed for sending [ms since epoch].
        venue_order_id: the venue's id, if it ever told it; else empty.
        others_among: tells which of some venue ids belong to other orders; asked only where an
            order cannot be known by its own ids.
    """

    request: OrderRequest
    sent_at_ms: int
    venue_order_id: str
    others_among: Callable[[Collection[str]], Collection[str]]


@dataclass(frozen=True, slots=True)
class Missing:
    """The venue answered every question and showed no trace of the order.

    Attributes:
        fills: executions of an order that the venue once acknowledged and has now forgotten.
    """

    fills: tuple[VenueFill, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The venue did not answer: nothing was learned."""

    error: ArbError


Finding = Reported | Missing | Unreachable


def find(gateway: VenueGateway, search: Search) -> Finding:
    """Look an order up: by id, among the open orders, and by its executions.

    Args:
        gateway: of its account.
        search: what to look for.

    Returns:
        What the venue showed. Nothing that it does raises.
    """
    try:
        report = _by_id(gateway, search) or _among_open(gateway, search)
        if report is None and search.venue_order_id:
            return Missing(
                read_fills(gateway, search.request.symbol, search.venue_order_id, search.sent_at_ms)
            )
        report = report or _by_executions(gateway, search)
        if report is None:
            return Missing()
        check = check_echo if search.venue_order_id else check_found
        check(gateway, search.request, report)
        return with_details(gateway, search.request, report, sent_at_ms=search.sent_at_ms)
    except ArbError as error:
        return Unreachable(error)
    except Exception as error:
        logger.exception("Order %s: look-up failed", search.request.client_order_id)
        return Unreachable(VenueUnavailable(venue=gateway.venue, cause=type(error).__name__))


def list_alike(gateway: VenueGateway, search: Search) -> list[VenueOrder]:
    """Return what may be our order where another one bears its client id.

    It is looked for where that one is not found by its id: among the open orders, and by what the
    account has executed since. Price and mark are compared only where the venue tells them.

    Raises:
        ArbError: the venue did not answer everything, or more has executed than can be read.
    """
    request = search.request
    orders = {row.venue_order_id: row for row in gateway.fetch_open_orders(request.symbol)}
    since_ms = search.sent_at_ms - CLOCK_TOLERANCE_MS
    fills = gateway.fetch_fills(request.symbol, since_ms=since_ms)
    ids = {fill.venue_order_id for fill in fills if _may_belong(search, fill)} - orders.keys()
    for one in _bounded(gateway, ids - set(search.others_among(ids)), ALIKE_READ_MAX):
        orders[one] = gateway.fetch_order(symbol=request.symbol, venue_order_id=one)
    alike = [
        row
        for row in orders.values()
        if is_alike(row, request)
        and row.client_order_id in (None, request.client_order_id)
        and row.price in (None, request.price)
    ]
    others = search.others_among([row.venue_order_id for row in alike])
    return [row for row in alike if row.venue_order_id not in others]


def _by_id(gateway: VenueGateway, search: Search) -> VenueOrder | None:
    request = search.request
    try:
        if search.venue_order_id:
            return gateway.fetch_order(symbol=request.symbol, venue_order_id=search.venue_order_id)
        return gateway.fetch_order(symbol=request.symbol, client_order_id=request.client_order_id)
    except (OrderAbsent, NotSupportedByVenue):
        return None


def _among_open(gateway: VenueGateway, search: Search) -> VenueOrder | None:
    return _choose(search, gateway.fetch_open_orders(search.request.symbol))


def _by_executions(gateway: VenueGateway, search: Search) -> VenueOrder | None:
    """Find an order that ended by what it executed, where no look-up by client id helps.

    Raises:
        OutcomeUnknown: more executions of unknown origin than can be looked through.
    """
    request = search.request
    since_ms = search.sent_at_ms - CLOCK_TOLERANCE_MS
    fills = gateway.fetch_fills(request.symbol, since_ms=since_ms)
    ids = {fill.venue_order_id for fill in fills if _may_belong(search, fill)}
    foreign = _bounded(gateway, ids - set(search.others_among(ids)), CANDIDATES_MAX)
    return _choose(
        search, [gateway.fetch_order(symbol=request.symbol, venue_order_id=one) for one in foreign]
    )


def _bounded(gateway: VenueGateway, ids: Collection[str], count_max: int) -> list[str]:
    if len(ids) > count_max:
        raise OutcomeUnknown(
            venue=gateway.venue,
            cause=Message(
                "{count} orders that are not ours executed in the meantime", {"count": len(ids)}
            ),
        )
    return sorted(ids)


def _choose(search: Search, orders: Iterable[VenueOrder]) -> VenueOrder | None:
    """Return ours: by client id, else the only one without any that looks exactly like it."""
    request = search.request
    orders = list(orders)
    own = [order for order in orders if order.client_order_id == request.client_order_id]
    if own:  # where ids come again, there may be another one beside ours
        return next((order for order in own if is_alike(order, request)), own[0])
    alike = [
        order
        for order in orders
        if order.client_order_id is None
        and (order.symbol, order.side) == (request.symbol, request.side)
        and (order.quantity, order.price) == (request.quantity, request.price)
    ]
    others = search.others_among([order.venue_order_id for order in alike])
    alike = [order for order in alike if order.venue_order_id not in others]
    return alike[0] if len(alike) == 1 else None


def _may_belong(search: Search, fill: VenueFill) -> bool:
    request = search.request
    if fill.side is not request.side:
        return False
    if request.price is None:
        return True
    is_buy = request.side is Side.BUY
    return fill.price <= request.price if is_buy else fill.price >= request.price
