"""What the simulation itself answers: its list of venues, health, statements, control."""

import ipaddress
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from arbplatform.core.errors import InvalidInput
from markets.domain.funds import Wallet
from markets.simulator.exchange.units import format_units
from markets.simulator.faults.acts import perform
from markets.simulator.faults.check import check_fault
from markets.simulator.faults.config import parse_fault
from markets.simulator.protocol.params import Params, parse_query
from markets.simulator.venue import Venue
from markets.simulator.world import World

_OK = 200
_BAD_REQUEST = 400
_FORBIDDEN = 403
_NOT_FOUND = 404
_FRAMES_MAX = 100_000


async def answer_control(
    world: World, request: web.BaseRequest, path: str, query: str
) -> web.Response:
    """Return the answer to a request that is for no venue."""
    params: Params = {}
    parse_query(query, params)
    parts = [part for part in path.split("/") if part]
    match (request.method, parts):
        case ("GET", []):
            return _json({"venues": [_describe(venue) for venue in world.venues.values()]})
        case ("GET", ["healthz"]):
            return _json({"status": "ok"})
        case ("GET", ["statement", code]) if code in world.venues:
            answer = _statement
        case ("POST", ["control", code, "replay", "advance"]) if code in world.venues:
            answer = _advance
        case (_, ["control", code, "faults", *rest]) if code in world.venues:
            body = await request.read()
            return _guard(request, lambda: _faults(request.method, world, code, rest, body))
        case _:
            return _nothing_at(path)
    return _guard(request, lambda: answer(world, code, params))


def _guard(request: web.BaseRequest, answer: Callable[[], web.Response]) -> web.Response:
    if not _is_local(request.remote):
        return _json({"error": "This is answered on the same machine only."}, _FORBIDDEN)
    if "Origin" in request.headers:
        # A page in the browser of whoever runs this may send requests too, from the same machine.
        return _json({"error": "This is not answered to web pages."}, _FORBIDDEN)
    return answer()


def _nothing_at(path: str) -> web.Response:
    return _json({"error": f"There is nothing at {path}. GET / lists the venues."}, _NOT_FOUND)


def statement(world: World, venue: Venue, label: str) -> dict[str, Any]:
    """Return what an account owns, exactly, by wallet and asset."""
    account = venue.engine.accounts[label]
    return {
        "venue": venue.code,
        "label": label,
        "at_ms": world.clock.now_ms(),
        "balances": {
            Wallet.SPOT.value: {
                asset: {"free": format_units(free), "held": format_units(account.held[asset])}
                for asset, free in account.free.items()
            },
            Wallet.FUNDING.value: {
                asset: {"free": format_units(free), "held": format_units(0)}
                for asset, free in account.funding.items()
            },
        },
    }


def _statement(world: World, code: str, params: Params) -> web.Response:
    venue = world.venues[code]
    label = params.get("label", "")
    labels = [account.label for account in venue.customers]
    if label not in labels:
        return _json({"error": f"Give ?label= one of: {', '.join(labels)}."}, _NOT_FOUND)
    return _json(statement(world, venue, label))


def _advance(world: World, code: str, params: Params) -> web.Response:
    frames = params.get("frames", "1")
    if not frames.isdecimal() or not 1 <= int(frames) <= _FRAMES_MAX:
        return _json({"error": f"frames must be 1 to {_FRAMES_MAX}."}, _BAD_REQUEST)
    replay = world.replays.get(code)
    if replay is None:
        return _json({"error": f"The venue {code} has no replay."}, _NOT_FOUND)
    return _json({"advanced": replay.advance(int(frames)), "position": replay.position})


def arm(world: World, venue: Venue, value: object) -> int:
    """Arm the fault of a JSON value and return its number.

    Raises:
        InvalidInput: it makes no sense, or not at this venue.
    """
    fault = parse_fault(value)
    check_fault(fault, venue.config)
    if fault.is_at_once:
        perform(world, venue, fault)
        return world.faults[venue.code].count_act(fault)
    number = world.faults[venue.code].add(fault)
    for listing in venue.listings.values():
        # A book that is to stand still stands still from now on, not from the first look at it.
        venue.shown_books.keep(listing)
    return number


def _faults(method: str, world: World, code: str, rest: list[str], body: bytes) -> web.Response:
    """List, arm and disarm the faults of a venue."""
    plan = world.faults[code]
    match (method, rest):
        case ("GET", []):
            shown = {"faults": plan.rows(), "ended": plan.ended_rows(), "struck": plan.struck}
            return _json(shown)
        case ("POST", []):
            return _arm_body(world, code, body)
        case ("DELETE", []):
            return _json({"armed": 0, "removed": plan.clear()})
        case ("DELETE", [number]) if number.isdecimal():
            if plan.remove(int(number)):
                return _json({"removed": 1})
            return _json({"error": f"No fault {number} is armed at {code}."}, _NOT_FOUND)
    return _nothing_at("/".join(["", "control", code, "faults", *rest]))


def _arm_body(world: World, code: str, body: bytes) -> web.Response:
    try:
        number = arm(world, world.venues[code], orjson.loads(body))
    except (InvalidInput, ValueError) as error:
        return _json({"error": str(error)}, _BAD_REQUEST)
    return _json({"armed": 1, "id": number})


def _describe(venue: Venue) -> dict[str, Any]:
    return {
        "code": venue.code,
        "name": venue.config.name or venue.code,
        "symbols": list(venue.engine.listings),
        "rest": f"/{venue.code}",
        "websocket": f"/{venue.code}",
    }


def _is_local(remote: str | None) -> bool:
    try:
        return ipaddress.ip_address(remote or "").is_loopback
    except ValueError:
        return False


def _json(value: Any, status: int = _OK) -> web.Response:
    return web.Response(
        body=orjson.dumps(value), status=status, headers={"Content-Type": "application/json"}
    )
