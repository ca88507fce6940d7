"""The calls around one order: check, send, find."""

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import ccxt

from arbplatform.core.decimals import to_decimal
from arbplatform.core.errors import Message
from markets.domain.orders import OrderKind, OrderRequest, TimeInForce
from markets.errors import NotSupportedByVenue, OrderAbsent, VenueRejected
from markets.gateway.client import Client
from markets.gateway.error_map import Effect
from markets.gateway.histories import read_pages
from markets.gateway.quirks import Quirks
from markets.gateway.session import Session

logger = logging.getLogger(__name__)

_QUANTITY, _PRICE = Message("quantity"), Message("price")

_TIME_IN_FORCE: Mapping[TimeInForce, Mapping[str, Any]] = {
    TimeInForce.GTC: {},
    TimeInForce.IOC: {"timeInForce": "IOC"},
    TimeInForce.FOK: {"timeInForce": "FOK"},
    TimeInForce.POST_ONLY: {"postOnly": True},
}

_SEARCHES = (
    ("fetchOpenOrders", "fetch_open_orders"),
    ("fetchClosedOrders", "fetch_closed_orders"),
    ("fetchCanceledOrders", "fetch_canceled_orders"),
    ("fetchOrders", "fetch_orders"),
)


def check_order(client: Client, request: OrderRequest, venue: str) -> None:
    """Refuse, before anything is sent, what the class would round or silently ignore.

    Raises:
        VenueRejected: quantity or price is off the market's grid.
        NotSupportedByVenue: the venue has no such time in force.
    """
    # ccxt rounds half up, past our limit if need be: only numbers that stay as they are may go.
    _check_grid(client.amount_to_precision, request.symbol, request.quantity, _QUANTITY, venue)
    if request.price is not None:
        _check_grid(client.price_to_precision, request.symbol, request.price, _PRICE, venue)
    if request.kind is OrderKind.LIMIT and not _can(client, request.time_in_force):
        cause = Message("time in force {name}", {"name": request.time_in_force.value})
        raise NotSupportedByVenue(venue=venue, cause=cause)


def create_order(client: Client, request: OrderRequest, quirks: Quirks) -> Any:
    """Send the order and return ccxt's answer."""
    client.is_order_next = True
    client.send_before_ms, client.let_go = request.send_before_ms, request.let_go
    params: dict[str, Any] = {quirks.client_id_param: request.client_order_id}
    if request.kind is OrderKind.LIMIT:
        params.update(_TIME_IN_FORCE[request.time_in_force])
    return client.create_order(
        request.symbol,
        request.kind.value,
        request.side.value,
        wire_number(request.quantity),
        None if request.price is None else wire_number(request.price),
        params,
    )


def find_order(
    session: Session,
    client: Client,
    symbol: str,
    venue_order_id: str | None,
    client_order_id: str | None,
) -> Any:
    """Search the lists of orders for one; for venues that cannot be asked for it.

    Raises:
        OrderAbsent: it is in none of the lists.
        NotSupportedByVenue: there are no lists, or they do not show our ids.
    """
    searches = [method for ability, method in _SEARCHES if client.has.get(ability)]
    params = {name: client_order_id for name in session.quirks.lookup_params if client_order_id}
    rows: list[Any] = []
    for method in searches:
        rows = session.rows(client, method, symbol, None, None, params)
        for row in rows:
            if venue_order_id and row.get("id") == venue_order_id:
                return row
            if client_order_id and own_id(row, session.quirks) == client_order_id:
                return row
    if not searches or (
        client_order_id and rows and not any(row.get("clientOrderId") for row in rows)
    ):
        cause = Message("look-up of orders by our own id")
        raise NotSupportedByVenue(venue=session.venue, cause=cause)
    raise OrderAbsent(venue=session.venue, cause=venue_order_id or client_order_id)


def list_orders(session: Session, symbol: str, since_ms: int) -> list[Any]:
    """Return ccxt's orders of a market that were made since then, oldest first.

    Raises:
        NotSupportedByVenue: it lists no orders that have ended.
    """
    with session.call(Effect.LOOKUP, symbol) as client:
        methods = _methods_of_orders(client)
    if not methods:
        cause = Message("a list of orders that have ended")
        raise NotSupportedByVenue(venue=session.venue, cause=cause)
    rows: dict[str, Any] = {}
    for method in methods:
        for row in read_pages(session, method, symbol, since_ms):
            rows[str(row.get("id"))] = row
    return sorted(rows.values(), key=lambda row: row.get("timestamp") or 0)


def _methods_of_orders(client: Client) -> list[str]:
    if client.has.get("fetchOrders"):
        return ["fetch_orders"]
    if client.has.get("fetchCanceledAndClosedOrders") is True:
        return ["fetch_canceled_and_closed_orders"]
    return [method for ability, method in _SEARCHES[1:3] if client.has.get(ability)]


def own_id(row: Mapping[str, Any], quirks: Quirks) -> str | None:
    """Return our id on an order, without what the venue put in front of it."""
    value = row.get("clientOrderId")
    return str(value).removeprefix(quirks.client_id_prefix) if value else None


def wire_number(value: Decimal) -> float | Decimal:
    """Return a number as ccxt takes it: a float where that says exactly the same."""
    number = float(value)
    return number if to_decimal(number) == value else value


def _can(client: Client, time_in_force: TimeInForce) -> bool:
    """Return whether the class offers a time in force; what it does not say, it may offer."""
    features = (client.features or {}).get("spot") or {}
    stated = (features.get("createOrder") or {}).get("timeInForce") or {}
    name = "PO" if time_in_force is TimeInForce.POST_ONLY else time_in_force.value.upper()
    return stated.get(name) is not False


def _check_grid(to_precision: Any, symbol: str, value: Decimal, what: Message, venue: str) -> None:
    try:
        text = to_precision(symbol, value)
    except ccxt.InvalidOrder:
        text = "0"
    if to_decimal(text) != value:
        raise VenueRejected(
            "{venue} takes the {what} of {symbol} only on its grid; {value} is not. Nothing was "
            "sent. Synchronise the markets and let the order be sized again.",
            venue=venue,
            what=what,
            symbol=symbol,
            value=value,
        )
