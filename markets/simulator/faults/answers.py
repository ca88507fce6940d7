"""Spoils answers: what the client sees, and whether its request was carried out."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from markets.simulator.faults.config import CODES, DEFAULT_CODE, FaultConfig
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import Armed

PAGE = b"<html><body><h1>We will be back soon</h1></body></html>"
BAD_JSON = b'{"symbol":"BTCUSDT","orderId":12,"status":NaN,}'
MAINTENANCE_CODE, MAINTENANCE_TEXT = -1000, "System is under maintenance."
BAN_S = 120
"""How long a ban says that it lasts, when nobody told."""
_BAN_CODE = -1003
_BAN_TEXT = (
    "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for "
    "live updates to avoid bans."
)
_JSON = "application/json"
_CUT_SHORT = 2
_CARRIED_OUT = frozenset(
    {
        FaultKind.DROP_ANSWER,
        FaultKind.LATE_ANSWER,
        FaultKind.HTML,
        FaultKind.TRUNCATE,
        FaultKind.BAD_JSON,
        FaultKind.EMPTY,
        FaultKind.EMPTY_LIST,
        FaultKind.LOST_ROW,
        FaultKind.DOUBLE_ROWS,
    }
)
CUTTING = frozenset({FaultKind.DROP_REQUEST, FaultKind.DROP_ANSWER})

SLOWING = frozenset({FaultKind.RATE_LIMIT, FaultKind.BAN})
REFUSING = frozenset({FaultKind.REFUSE, FaultKind.MAINTENANCE})
CHANGING_ROWS = frozenset({FaultKind.EMPTY_LIST, FaultKind.LOST_ROW, FaultKind.DOUBLE_ROWS})


def is_carried_out(fault: FaultConfig) -> bool:
    """Return whether a request that the fault strikes is carried out all the same."""
    return fault.kind in _CARRIED_OUT if fault.is_carried_out is None else fault.is_carried_out


async def spoil(
    armed: Armed,
    request: web.BaseRequest,
    answer: Callable[[], web.Response],
    now_ms: int,
) -> web.Response:
    """Carry out a request, or not, and answer it as the fault says.

    Args:
        armed: the fault.
        request: where its connection is.
        answer: carries it out.
        now_ms: [ms since epoch].
    """
    fault = armed.config
    if fault.kind is FaultKind.LATE_REQUEST:
        await asyncio.sleep(fault.delay_ms / 1000)
        return answer()
    response = answer() if is_carried_out(fault) else None
    if fault.kind in CUTTING:
        return _cut(request)
    if fault.kind is FaultKind.LATE_ANSWER and response is not None:
        await asyncio.sleep(fault.delay_ms / 1000)
        return response
    if fault.kind in SLOWING:
        return _slow_down(armed, now_ms)
    return _MAKERS[fault.kind](fault, _body_of(response))


def error_of(fault: FaultConfig) -> tuple[int, int, str]:
    """Return status, code and words of the error that a fault answers."""
    if fault.kind is FaultKind.MAINTENANCE:
        return 503, MAINTENANCE_CODE, MAINTENANCE_TEXT
    code = DEFAULT_CODE if fault.code is None else fault.code
    status, text = CODES.get(code, (400, "Refused."))
    return fault.status or status, code, fault.text or text


def _refuse(fault: FaultConfig, _: bytes) -> web.Response:
    status, code, text = error_of(fault)
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    return _json({"code": code, "msg": text}, status, headers)


def slowing(armed: Armed, now_ms: int) -> tuple[int, int, str, int]:
    """Return status, code, words and time to wait [s] of a rate limit or a ban."""
    fault = armed.config
    left_ms = armed.left_ms(now_ms)
    if fault.kind is FaultKind.RATE_LIMIT:
        seconds = 1 if fault.retry_after_s is None else fault.retry_after_s
        return 429, _BAN_CODE, fault.text or CODES[_BAN_CODE][1], seconds
    if fault.retry_after_s is None and left_ms is not None:
        wait_ms = left_ms
    else:
        wait_ms = 1000 * (BAN_S if fault.retry_after_s is None else fault.retry_after_s)
    text = _BAN_TEXT.format(until=now_ms + wait_ms)
    return 418, _BAN_CODE, text, -(-wait_ms // 1000)


def _slow_down(armed: Armed, now_ms: int) -> web.Response:
    status, code, text, seconds = slowing(armed, now_ms)
    return _json({"code": code, "msg": text}, status, {"Retry-After": str(seconds)})


def _page(fault: FaultConfig, _: bytes) -> web.Response:
    return web.Response(
        body=PAGE, status=fault.status or 200, headers={"Content-Type": "text/html"}
    )


def _truncate(_: FaultConfig, body: bytes) -> web.Response:
    return _raw(body[: len(body) // _CUT_SHORT])


def _bad_json(fault: FaultConfig, _: bytes) -> web.Response:
    return _raw(BAD_JSON, fault.status or 200)


def _empty(fault: FaultConfig, _: bytes) -> web.Response:
    return _raw(b"", fault.status or 200)


def _other_rows(fault: FaultConfig, body: bytes) -> web.Response:
    return _json(change_rows(fault.kind, orjson.loads(body)))


_ROW_CHANGES: dict[FaultKind, Callable[[list[Any]], list[Any]]] = {
    FaultKind.EMPTY_LIST: lambda _: [],
    FaultKind.LOST_ROW: lambda rows: rows[:-1],
    FaultKind.DOUBLE_ROWS: lambda rows: [row for row in rows for _ in range(2)],
}


_MAKERS: dict[FaultKind, Callable[[FaultConfig, bytes], web.Response]] = {
    FaultKind.REFUSE: _refuse,
    FaultKind.MAINTENANCE: _refuse,
    FaultKind.HTML: _page,
    FaultKind.TRUNCATE: _truncate,
    FaultKind.BAD_JSON: _bad_json,
    FaultKind.EMPTY: _empty,
    **dict.fromkeys(_ROW_CHANGES, _other_rows),
}


def change_rows(kind: FaultKind, value: Any) -> Any:
    """Change a list, or the list of balances or rows inside an answer; leave others alone."""
    change = _ROW_CHANGES[kind]
    if isinstance(value, list):
        return change(value)
    if isinstance(value, dict):
        lists = [name for name in ("balances", "rows") if isinstance(value.get(name), list)]
        return value | {name: change(value[name]) for name in lists}
    return value


def _body_of(response: web.Response | None) -> bytes:
    return response.body if response is not None and isinstance(response.body, bytes) else b""


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return _raw(orjson.dumps(value), status, headers)


def _raw(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    sent = {"Content-Type": _JSON} | (headers or {})
    return web.Response(body=body, status=status, headers=sent)


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
