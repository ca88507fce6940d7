"""Requests over a WebSocket that go wrong: the same faults as over HTTP, in a socket's manner."""

import asyncio
from functools import partial
from typing import Any

import orjson

from markets.simulator.faults.acts import strike
from markets.simulator.faults.answers import (
    BAD_JSON,
    CHANGING_ROWS,
    CUTTING,
    PAGE,
    REFUSING,
    SLOWING,
    change_rows,
    error_of,
    is_carried_out,
    slowing,
)
from markets.simulator.faults.config import FaultConfig
from markets.simulator.faults.kinds import ANSWERS, FaultKind
from markets.simulator.faults.plan import Armed
from markets.simulator.faults.requests import RequestTarget
from markets.simulator.protocol.codes import WireError
from markets.simulator.protocol.params import Params
from markets.simulator.protocol.socket_requests import (
    REQUESTS_BY_NAME,
    Desk,
    answer_request,
    refused,
)


async def answer_amid_faults(desk: Desk, request: Any) -> None:
    """Answer one request, unless a fault wants it otherwise."""
    venue = desk.venue
    sent = request if isinstance(request, dict) else {}
    target = _target_of(desk, sent)
    strike(desk.world, venue, target)
    armed = venue.faults.pick(ANSWERS, target)
    if armed is None:
        desk.connection.send(answer_request(desk, request))
        return
    fault = armed.config
    if fault.kind is FaultKind.LATE_REQUEST:
        await asyncio.sleep(fault.delay_ms / 1000)
    is_done = is_carried_out(fault) or fault.kind is FaultKind.LATE_REQUEST
    answer = answer_request(desk, request) if is_done else {}
    if fault.kind is FaultKind.LATE_ANSWER:
        await asyncio.sleep(fault.delay_ms / 1000)
    if fault.kind in CUTTING:
        desk.connection.cut()
    elif fault.kind in REFUSING | SLOWING:
        desk.connection.send(refused(sent.get("id"), _error_of(armed, venue.clock.now_ms())))
    elif fault.kind in CHANGING_ROWS:
        desk.connection.send(answer | {"result": change_rows(fault.kind, answer.get("result"))})
    else:
        desk.connection.send_ready(_spoilt(fault, orjson.dumps(answer)))


def _target_of(desk: Desk, sent: dict[str, Any]) -> RequestTarget:
    params = sent.get("params")
    read = (
        {str(name): str(value) for name, value in params.items()}
        if isinstance(params, dict)
        else {}
    )
    address = REQUESTS_BY_NAME.get(str(sent.get("method")), ("", str(sent.get("method"))))
    key = read.get("apiKey") or _session_key(desk)
    return RequestTarget(desk.venue, address, partial(Params, read), key)


def _session_key(desk: Desk) -> str | None:
    """Return the API key of the account that the socket logged on to."""
    key = desk.connection.key
    return next((name for name, known in desk.venue.keys.items() if known is key), None)


def _error_of(armed: Armed, now_ms: int) -> WireError:
    if armed.config.kind in SLOWING:
        status, code, text, _ = slowing(armed, now_ms)
    else:
        status, code, text = error_of(armed.config)
    return WireError(code, text, status)


def _spoilt(fault: FaultConfig, message: bytes) -> bytes:
    """Return what is sent instead of a message."""
    match fault.kind:
        case FaultKind.HTML:
            return PAGE
        case FaultKind.BAD_JSON:
            return BAD_JSON
        case FaultKind.EMPTY:
            return b""
        case FaultKind.TRUNCATE:
            return message[: len(message) // 2]
    return message
