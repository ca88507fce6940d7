"""Requests over a WebSocket: the same endpoints under other names, and user data streams."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from markets.simulator.protocol import codes
from markets.simulator.protocol.connection import Connection
from markets.simulator.protocol.endpoints import ENDPOINTS, Endpoint, Security
from markets.simulator.protocol.params import Call, Params
from markets.simulator.protocol.signing import check_signature, check_time, find_key
from markets.simulator.protocol.user_events import UserStreams
from markets.simulator.venue import ApiKey, Venue
from markets.simulator.world import World

OK = 200
REQUESTS_BY_NAME: dict[str, tuple[str, str]] = {
    "ping": ("GET", "api/v3/ping"),
    "time": ("GET", "api/v3/time"),
    "exchangeInfo": ("GET", "api/v3/exchangeInfo"),
    "depth": ("GET", "api/v3/depth"),
    "trades.recent": ("GET", "api/v3/trades"),
    "trades.historical": ("GET", "api/v3/historicalTrades"),
    "trades.aggregate": ("GET", "api/v3/aggTrades"),
    "klines": ("GET", "api/v3/klines"),
    "avgPrice": ("GET", "api/v3/avgPrice"),
    "ticker.24hr": ("GET", "api/v3/ticker/24hr"),
    "ticker.price": ("GET", "api/v3/ticker/price"),
    "ticker.book": ("GET", "api/v3/ticker/bookTicker"),
    "order.place": ("POST", "api/v3/order"),
    "order.test": ("POST", "api/v3/order/test"),
    "order.status": ("GET", "api/v3/order"),
    "order.cancel": ("DELETE", "api/v3/order"),
    "openOrders.status": ("GET", "api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "api/v3/openOrders"),
    "allOrders": ("GET", "api/v3/allOrders"),
    "myTrades": ("GET", "api/v3/myTrades"),
    "account.status": ("GET", "api/v3/account"),
    "account.commission": ("GET", "api/v3/account/commission"),
    "userDataStream.start": ("POST", "api/v3/userDataStream"),
    "userDataStream.ping": ("PUT", "api/v3/userDataStream"),
    "userDataStream.stop": ("DELETE", "api/v3/userDataStream"),
}
_NOT_SIGNED = frozenset({"apiKey", "signature", "returnRateLimits"})


class Desk(NamedTuple):
    """Where a socket's requests are answered.

    Attributes:
        world, venue: what is asked.
        users: who hears of accounts there.
        connection: who asks.
    """

    world: World
    venue: Venue
    users: UserStreams
    connection: Connection


def answer_request(desk: Desk, request: Any) -> dict[str, Any]:
    """Return the answer to one request."""
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return refused(None, codes.illegal("method", "a JSON object with id, method and params"))
    number = request.get("id")
    sent = request.get("params") or {}
    try:
        if not isinstance(sent, dict):
            raise codes.illegal("params", "a JSON object")
        params = {str(name): _to_text(value) for name, value in sent.items()}
        result = _answer(desk, request["method"], params)
    except codes.WireError as error:
        return refused(number, error)
    return {"id": number, "status": OK, "result": result, "rateLimits": []}


def refused(number: Any, error: codes.WireError) -> dict[str, Any]:
    """Return the answer to a request that was refused."""
    return {
        "id": number,
        "status": error.status,
        "error": {"code": error.code, "msg": error.text},
        "rateLimits": [],
    }


def _answer(desk: Desk, name: str, params: Params) -> Any:
    special = _SPECIAL.get(name)
    if special is not None:
        return special(desk, params)
    endpoint = ENDPOINTS.get(REQUESTS_BY_NAME.get(name, ("", "")))
    if endpoint is None:
        raise codes.unknown_path(name)
    key = _authenticate(desk, endpoint, params)
    kept = {field: value for field, value in params.items() if field not in _NOT_SIGNED}
    return endpoint.answer(Call(desk.venue, kept, key, desk.world))


def _authenticate(desk: Desk, endpoint: Endpoint, params: Params) -> ApiKey | None:
    match endpoint.security:
        case Security.NONE:
            return None
        case Security.KEY:
            return find_key(desk.venue, params.get("apiKey"), endpoint.permission)
    if "signature" not in params and desk.connection.key is not None:
        check_time(params, desk.venue.stated_ms())
        if endpoint.permission not in desk.connection.key.permissions:
            raise codes.KEY_REJECTED
        return desk.connection.key
    return _signed_key(desk, params, endpoint.permission)


def _signed_key(desk: Desk, params: Params, permission: str) -> ApiKey:
    """Return the key that signed the parameters, in the order of their names."""
    key = find_key(desk.venue, params.get("apiKey"), permission)
    check_time(params, desk.venue.stated_ms())
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
    check_signature(key.secret, payload, params.get("signature", ""))
    return key


def _subscribe_signed(desk: Desk, params: Params) -> dict[str, Any]:
    """Let the socket hear of the account whose key signed the request."""
    return _subscribe(desk, _signed_key(desk, params, "read"))


def _subscribe_session(desk: Desk, params: Params) -> dict[str, Any]:
    """Let the socket hear of the account that it logged on to."""
    if desk.connection.key is None:
        raise codes.KEY_REJECTED
    return _subscribe(desk, desk.connection.key)


def _subscribe(desk: Desk, key: ApiKey) -> dict[str, Any]:
    desk.users.subscribe(key.account.label, desk.connection, 0)
    return {"subscriptionId": 0}


def _unsubscribe(desk: Desk, params: Params) -> dict[str, Any]:
    desk.users.unsubscribe(desk.connection)
    return {}


def _log_on(desk: Desk, params: Params) -> dict[str, Any]:
    """Let later requests of the socket do without a signature."""
    desk.connection.key = _signed_key(desk, params, "read")
    return _session(desk, params)


def _log_out(desk: Desk, params: Params) -> dict[str, Any]:
    desk.connection.key = None
    return _session(desk, params)


def _session(desk: Desk, params: Params) -> dict[str, Any]:
    now_ms = desk.venue.clock.now_ms()
    is_known = desk.connection.key is not None
    return {
        "apiKey": params.get("apiKey") if is_known else None,
        "authorizedSince": now_ms if is_known else None,
        "connectedSince": now_ms,
        "returnRateLimits": False,
        "serverTime": now_ms,
        "userDataStream": False,
    }


_SPECIAL: dict[str, Callable[[Desk, Params], Any]] = {
    "userDataStream.subscribe.signature": _subscribe_signed,
    "userDataStream.subscribe": _subscribe_session,
    "userDataStream.unsubscribe": _unsubscribe,
    "session.logon": _log_on,
    "session.status": _session,
    "session.logout": _log_out,
}


def _to_text(value: Any) -> str:
    """Return a JSON value as the text that was signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, separators=(",", ":"))
