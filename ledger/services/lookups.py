"""Find an order at its venue again. Reads only: nothing here can do harm."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from arbplatform.core.decimals import ZERO, Quantity
from arbplatform.core.errors import ArbError, Message
from ledger.domain.orders import CLOCK_JUMP_MAX_MS
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
"""As many are read before a person's word that ours is not there is believed, or that one of them
is ours is ruled out although our clock may have been ahead."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for.

    Attributes:
        request: as it was or should have been sent.
        sent_at_ms: when it was claimed for sending, or now if that is to come [ms since epoch].
        venue_order_id: the venue's id, if it ever told it; else empty.
        others_among: tells which of some venue ids belong to other orders; asked only where an
            order cannot be known by its own ids.
        is_clock_doubted: whether our clock is known to have been ahead as it was claimed.
    """

    request: OrderRequest
    sent_at_ms: int
    venue_order_id: str
    others_among: Callable[[Collection[str]], Collection[str]]
    is_clock_doubted: bool = False

    @property
    def since_ms(self) -> int:
        """From when on the venue dates what it executed [ms since epoch]."""
        return self.doubted_since_ms if self.is_clock_doubted else self._sure_since_ms

    @property
    def doubted_since_ms(self) -> int:
        """The same if our clock was ahead without anybody knowing."""
        return self.sent_at_ms - CLOCK_JUMP_MAX_MS

    @property
    def _sure_since_ms(self) -> int:
        return self.sent_at_ms - CLOCK_TOLERANCE_MS


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
        report, knows_ids = _by_id(gateway, search)
        report = report or _among_open(gateway, search)
        if report is None and search.venue_order_id:
            return Missing(_read_forgotten(gateway, search))
        report = report or _by_executions(gateway, search)
        report = report or _by_newest(gateway, search, knows_ids=knows_ids)
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
    fills = [*gateway.fetch_fills(request.symbol, since_ms=search.since_ms)]
    fills += _list_newest(gateway, search)
    ids = [one for one in _list_foreign(search, fills) if one not in orders]
    ended = _read_orders(gateway, search, _bounded(gateway, ids, ALIKE_READ_MAX))
    orders |= {row.venue_order_id: row for row in ended}
    alike = [
        row
        for row in orders.values()
        if is_alike(row, request)
        and row.client_order_id in (None, request.client_order_id)
        and row.price in (None, request.price)
    ]
    others = search.others_among([row.venue_order_id for row in alike])
    return [row for row in alike if row.venue_order_id not in others]


def _by_id(gateway: VenueGateway, search: Search) -> tuple[VenueOrder | None, bool]:
    """Return an order by its id, if it is there, and whether the venue looks orders up by that."""
    request, told = search.request, search.venue_order_id
    try:
        if told:
            return gateway.fetch_order(symbol=request.symbol, venue_order_id=told), True
        own = request.client_order_id
        return gateway.fetch_order(symbol=request.symbol, client_order_id=own), True
    except OrderAbsent:
        return None, True
    except NotSupportedByVenue:
        return None, False


def _among_open(gateway: VenueGateway, search: Search) -> VenueOrder | None:
    return _choose(search, gateway.fetch_open_orders(search.request.symbol))


def _by_executions(gateway: VenueGateway, search: Search) -> VenueOrder | None:
    """Find an order that ended by what it executed, where no look-up by client id helps.

    Raises:
        OutcomeUnknown: more executions of unknown origin than can be looked through.
    """
    fills = gateway.fetch_fills(search.request.symbol, since_ms=search.since_ms)
    foreign = _bounded(gateway, _list_foreign(search, fills), CANDIDATES_MAX)
    return _choose(search, _read_orders(gateway, search, foreign))


def _by_newest(gateway: VenueGateway, search: Search, *, knows_ids: bool) -> VenueOrder | None:
    """Find an order by its id among the newest executions, whatever our clock said as it was sent.

    Args:
        gateway: of its account.
        search: what to look for.
        knows_ids: whether the venue has looked for our id itself. Then a few are read, in case that
            it lags: what others trade on the account must not leave every lost order unknown.

    Raises:
        OutcomeUnknown: one that bears no id may be it, if only our clock was ahead, or more may be
            than can be looked through.
    """
    fills = _list_newest(gateway, search)
    sizes: defaultdict[str, Quantity] = defaultdict(lambda: ZERO)
    for fill in fills:
        sizes[fill.venue_order_id] += fill.quantity
    small = [fill for fill in fills if sizes[fill.venue_order_id] <= search.request.quantity]
    ids = _list_foreign(search, small)
    foreign = ids[:CANDIDATES_MAX] if knows_ids else _bounded(gateway, ids, ALIKE_READ_MAX)
    orders = _read_orders(gateway, search, foreign)
    own = _own_among(search, orders)
    alike = [] if own else _alike_among(search, orders)
    if alike:
        names = ", ".join(sorted(order.venue_order_id for order in alike))
        cause = Message("among what the venue lists, this may be it: {ids}", {"ids": names})
        raise OutcomeUnknown(venue=gateway.venue, cause=cause)
    return own


def _list_newest(gateway: VenueGateway, search: Search) -> list[VenueFill]:
    """Return what has executed lately and may be ours if our clock was ahead."""
    fills = gateway.fetch_fills(search.request.symbol)
    return [fill for fill in fills if fill.executed_at_ms >= search.doubted_since_ms]


def _list_foreign(search: Search, fills: Iterable[VenueFill]) -> list[str]:
    """Return the orders behind executions that may be ours and no others of ours, newest first."""
    newest = sorted(fills, key=lambda fill: fill.executed_at_ms, reverse=True)
    ids = dict.fromkeys(fill.venue_order_id for fill in newest if _may_belong(search, fill))
    others = search.others_among(ids.keys())
    return [one for one in ids if one not in others]


def _read_orders(gateway: VenueGateway, search: Search, ids: Iterable[str]) -> list[VenueOrder]:
    symbol = search.request.symbol
    return [gateway.fetch_order(symbol=symbol, venue_order_id=one) for one in ids]


def _read_forgotten(gateway: VenueGateway, search: Search) -> tuple[VenueFill, ...]:
    """Return what is listed of an order that is not shown itself any more."""
    found = {
        (fill.venue_trade_id, fill.side): fill
        for since_ms in (search.since_ms, None)
        for fill in read_fills(gateway, search.request.symbol, search.venue_order_id, since_ms)
    }
    return tuple(found.values())


def _bounded(gateway: VenueGateway, ids: Sequence[str], count_max: int) -> Sequence[str]:
    if len(ids) > count_max:
        raise OutcomeUnknown(
            venue=gateway.venue,
            cause=Message(
                "{count} orders that are not ours executed in the meantime", {"count": len(ids)}
            ),
        )
    return ids


def _choose(search: Search, orders: Iterable[VenueOrder]) -> VenueOrder | None:
    """Return ours: by client id, else the only one without any that looks exactly like it."""
    orders = list(orders)
    own = _own_among(search, orders)
    if own is not None:
        return own
    alike = _alike_among(search, orders)
    return alike[0] if len(alike) == 1 else None


def _own_among(search: Search, orders: Iterable[VenueOrder]) -> VenueOrder | None:
    request = search.request
    own = [order for order in orders if order.client_order_id == request.client_order_id]
    # where ids come again, there may be another one beside ours
    return next((order for order in own if is_alike(order, request)), own[0] if own else None)


def _alike_among(search: Search, orders: Iterable[VenueOrder]) -> list[VenueOrder]:
    """Return those without an id that look exactly like ours, and are no others of ours."""
    request = search.request
    alike = [
        order
        for order in orders
        if order.client_order_id is None
        and (order.symbol, order.side) == (request.symbol, request.side)
        and (order.quantity, order.price) == (request.quantity, request.price)
    ]
    others = search.others_among([order.venue_order_id for order in alike])
    return [order for order in alike if order.venue_order_id not in others]


def _may_belong(search: Search, fill: VenueFill) -> bool:
    request = search.request
    if fill.side is not request.side:
        return False
    if request.price is None:
        return True
    is_buy = request.side is Side.BUY
    return fill.price <= request.price if is_buy else fill.price >= request.price
