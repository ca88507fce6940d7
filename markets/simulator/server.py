"""The simulation behind one HTTP and WebSocket address.

``/`` lists the venues, ``/healthz`` says that the server is ready, ``/statement/CODE?label=`` shows
exact balances for audits, ``/control/…`` steps a replay, and ``/CODE/…`` is a venue: below it all
addresses are those of the exchange whose protocol is spoken.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import orjson
from aiohttp import web

from markets.simulator.control import answer_control
from markets.simulator.faults.acts import strike
from markets.simulator.faults.answers import spoil
from markets.simulator.faults.kinds import ANSWERS
from markets.simulator.faults.requests import RequestTarget, read_texts
from markets.simulator.protocol import codes
from markets.simulator.protocol.endpoints import ENDPOINTS, Endpoint, Security
from markets.simulator.protocol.params import Call, Params, parse_query
from markets.simulator.protocol.signing import (
    check_signature,
    check_time,
    find_key,
    split_signature,
)
from markets.simulator.storage.journal import JournalFailed
from markets.simulator.venue import ApiKey, Venue
from markets.simulator.world import World

logger = logging.getLogger(__name__)

_JSON_HEADERS: Final = {"Content-Type": "application/json;charset=UTF-8"}
_OK = 200
_ENDPOINT_BY_METHOD: dict[str, dict[str, Endpoint]] = {}
for (_method, _path), _endpoint in ENDPOINTS.items():
    _ENDPOINT_BY_METHOD.setdefault(_method, {})[_path] = _endpoint


def json_response(value: Any, status: int = _OK) -> web.Response:
    """Return ``value`` as a JSON answer."""
    return web.Response(body=orjson.dumps(value), status=status, headers=_JSON_HEADERS)


SocketHandler = Callable[[Venue, str, str, web.BaseRequest], Awaitable[web.StreamResponse]]


class RequestHandler:
    """Answers every request of the server.

    Args:
        world: what is simulated.
        sockets: answers requests for a WebSocket: venue, path below it, request.
    """

    def __init__(self, world: World, sockets: SocketHandler) -> None:
        self._world = world
        self._sockets = sockets

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to one request."""
        raw_path, _, query = request.raw_path.partition("?")
        first, _, rest = raw_path.lstrip("/").partition("/")
        venue = self._world.venues.get(first)
        if venue is None:
            return await answer_control(self._world, request, raw_path, query)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._sockets(venue, rest, query, request)
        if venue.config.latency_ms:
            await asyncio.sleep(venue.config.latency_ms / 1000)
        body = ""
        if request.can_read_body:
            body = (await request.read()).decode("utf-8", "replace")
        question = partial(self._answer, venue, request, rest, query, body)
        if not venue.faults.is_armed:
            return question()
        key = request.headers.get("X-MBX-APIKEY")
        target = RequestTarget(venue, (request.method, rest), partial(read_texts, query, body), key)
        strike(self._world, venue, target)
        fault = venue.faults.pick(ANSWERS, target)
        if fault is None:
            return question()
        return await spoil(fault, request, question, venue.clock.now_ms())

    def _answer(
        self, venue: Venue, request: web.BaseRequest, path: str, query: str, body: str
    ) -> web.Response:
        try:
            value = answer(
                self._world,
                venue,
                method=request.method,
                path=path,
                query=query,
                body=body,
                api_key=request.headers.get("X-MBX-APIKEY"),
            )
        except codes.WireError as error:
            return _refusal(error)
        except JournalFailed:
            return _refusal(codes.EXECUTION_UNKNOWN)
        except Exception:
            # A bug of the simulator must look like a failure of the venue, not like an answer.
            logger.exception(
                "the simulator failed to answer %s /%s/%s", request.method, venue.code, path
            )
            return _refusal(codes.UNKNOWN_ERROR)
        return json_response(value)


def _refusal(error: codes.WireError) -> web.Response:
    return json_response({"code": error.code, "msg": error.text}, error.status)


def answer(
    world: World,
    venue: Venue,
    *,
    method: str,
    path: str,
    query: str,
    body: str,
    api_key: str | None,
) -> Any:
    """Return the JSON value that answers a request.

    Raises:
        WireError: refused.
    """
    endpoint = _ENDPOINT_BY_METHOD.get(method, {}).get(path)
    if endpoint is None:
        raise codes.unknown_path(unquote(path))
    params: Params = {}
    if endpoint.security is Security.SIGNED:
        key = find_key(venue, api_key, endpoint.permission)
        _check_signed(venue, key, query, body, params)
    else:
        parse_query(query, params)
        parse_query(body, params)
        key = None
        if endpoint.security is Security.KEY:
            key = find_key(venue, api_key, endpoint.permission)
    return endpoint.answer(Call(venue, params, key, world))


def _check_signed(venue: Venue, key: ApiKey, query: str, body: str, params: Params) -> None:
    """Read the parameters of a signed request and refuse it if signature or time are wrong."""
    signed_query, signature = split_signature(query)
    signed_body, body_signature = split_signature(body)
    parse_query(signed_query, params)
    parse_query(signed_body, params)
    check_time(params, venue.stated_ms())
    check_signature(key.secret, signed_query + signed_body, signature or body_signature)
