"""WebSocket endpoints: market streams, user data, and requests over a socket."""

import asyncio
import logging
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import WSMessage, WSMsgType, web

from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.orders import Order, Outcome
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.protocol.connection import Connection
from markets.simulator.protocol.params import Params, parse_query
from markets.simulator.protocol.socket_faults import answer_amid_faults
from markets.simulator.protocol.socket_requests import Desk, answer_request
from markets.simulator.protocol.stream_names import FAST_MS
from markets.simulator.protocol.streams import MarketStreams
from markets.simulator.protocol.user_events import (
    UserStreams,
    balance_event,
    events_of_end,
    events_of_outcome,
    position_event,
)
from markets.simulator.venue import Venue
from markets.simulator.world import World

logger = logging.getLogger(__name__)

CONNECTIONS_MAX = 2_000
STREAMS_MAX = 1_024
"""Streams of one connection."""
REQUEST_PATH = "ws-api/v3"
_UNAVAILABLE = 503
_NOT_FOUND = 404


class VenueSockets:
    """Hears of one venue's changes and tells its clients."""

    def __init__(self, venue: Venue) -> None:
        self.markets = MarketStreams(venue)
        self.users = UserStreams(venue.faults)
        self._venue = venue
        venue.listener = self

    def market_changed(self, listing: Listing, outcome: Outcome) -> None:
        """Tell who listens to the market."""
        self.markets.market_changed(listing, outcome.trades)

    def order_placed(self, order: Order, outcome: Outcome) -> None:
        """Tell the parties of a new order."""
        self.orders_filled(outcome)

    def orders_filled(self, outcome: Outcome) -> None:
        """Tell the parties of executions."""
        if self.users.is_heard:
            for account, event in events_of_outcome(outcome, self._venue.clock.now_ms()):
                self.users.send(account, event)

    def order_ended(self, order: Order) -> None:
        """Tell the owner of a cancelled order."""
        if self.users.is_heard:
            for account, event in events_of_end(order, self._venue.clock.now_ms()):
                self.users.send(account, event)

    def balance_changed(self, account: Account, asset: str, delta: int) -> None:
        """Tell the owner of a movement of funds."""
        if self.users.is_heard:
            now_ms = self._venue.clock.now_ms()
            self.users.send(account, balance_event(asset, delta, now_ms))
            self.users.send(account, position_event(account, [asset], now_ms))


class Sockets:
    """All open WebSockets of a simulation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._venues = {code: VenueSockets(venue) for code, venue in world.venues.items()}
        self._open: set[Connection] = set()

    async def __call__(
        self, venue: Venue, path: str, query: str, request: web.BaseRequest
    ) -> web.StreamResponse:
        """Serve one WebSocket until it closes."""
        if len(self._open) >= CONNECTIONS_MAX:
            return web.Response(status=_UNAVAILABLE, text="Too many open WebSockets.")
        first, _, rest = path.partition("/")
        if path != REQUEST_PATH and first not in {"ws", "stream"}:
            return web.Response(status=_NOT_FOUND, text=f"There is no WebSocket at /{path}.")
        if venue.faults.is_armed and venue.faults.state(FaultKind.MAINTENANCE):
            return web.Response(status=_UNAVAILABLE, text="System is under maintenance.")
        connection = Connection(is_combined=first == "stream")
        sockets = self._venues[venue.code]
        await connection.open(request)
        self._open.add(connection)
        try:
            if path == REQUEST_PATH:
                await self._serve_requests(venue, sockets, connection)
            else:
                for name in _names_in(rest, query):
                    self._listen(venue, sockets, connection, name)
                await self._serve_streams(venue, sockets, connection)
        finally:
            self._forget(sockets, connection)
            await connection.close()
        return connection.socket

    async def publish(self) -> None:
        """Send what is sent at a pace, for ever."""
        while True:
            await asyncio.sleep(FAST_MS / 1000)
            now_ms = self._world.clock.now_ms()
            for sockets in self._venues.values():
                sockets.markets.publish(now_ms)

    async def close(self) -> None:
        """Close all sockets."""
        await asyncio.gather(
            *(connection.close() for connection in list(self._open)), return_exceptions=True
        )

    async def _serve_requests(
        self, venue: Venue, sockets: VenueSockets, connection: Connection
    ) -> None:
        desk = Desk(self._world, venue, sockets.users, connection)
        async for message in connection.socket:
            if venue.config.latency_ms:
                await asyncio.sleep(venue.config.latency_ms / 1000)
            request = _read(message)
            if venue.faults.is_armed:
                await answer_amid_faults(desk, request)
            else:
                connection.send(answer_request(desk, request))

    async def _serve_streams(
        self, venue: Venue, sockets: VenueSockets, connection: Connection
    ) -> None:
        async for message in connection.socket:
            connection.send(self._answer_stream(venue, sockets, connection, _read(message)))

    def _answer_stream(
        self, venue: Venue, sockets: VenueSockets, connection: Connection, request: Any
    ) -> dict[str, Any]:
        """Carry out SUBSCRIBE and its kin."""
        if not isinstance(request, dict):
            return _stream_error(None, "Invalid JSON: expected an object")
        number, method = request.get("id"), request.get("method")
        names = request.get("params", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _stream_error(number, "Invalid request: params must be a list of stream names")
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": sorted(connection.streams), "id": number}
        if method == "SUBSCRIBE":
            problem = self._listen_to_all(venue, sockets, connection, names)
        elif method == "UNSUBSCRIBE":
            problem = ""
            for name in names:
                sockets.markets.unsubscribe(connection, name)
        else:
            problem = f"unknown method {method}"
        if problem:
            return _stream_error(number, f"Invalid request: {problem}")
        return {"result": None, "id": number}

    def _listen_to_all(
        self, venue: Venue, sockets: VenueSockets, connection: Connection, names: list[str]
    ) -> str:
        """Subscribe to streams; return what is wrong with the first that cannot be, or nothing."""
        if len(connection.streams) + len(names) > STREAMS_MAX:
            return f"more than {STREAMS_MAX} streams"
        for name in names:
            if not self._listen(venue, sockets, connection, name):
                return f"unknown stream {name}"
        return ""

    def _listen(
        self, venue: Venue, sockets: VenueSockets, connection: Connection, name: str
    ) -> bool:
        """Subscribe to a market stream, or to an account by its listen key."""
        label = self._world.listen_keys.owner_of(venue.code, name, venue.clock.now_ms())
        if label is not None:
            sockets.users.subscribe(label, connection, name)
            return True
        return sockets.markets.subscribe(connection, name)

    def _forget(self, sockets: VenueSockets, connection: Connection) -> None:
        self._open.discard(connection)
        sockets.users.unsubscribe(connection)
        for name in list(connection.streams):
            sockets.markets.unsubscribe(connection, name)


def _names_in(path: str, query: str) -> list[str]:
    """Return the streams that an address names; clients may number their sockets there too."""
    params: Params = {}
    parse_query(query, params)
    named = params.get("streams") or unquote(path)
    return [name for name in named.split("/") if name][:STREAMS_MAX]


def _read(message: WSMessage) -> Any:
    """Return the JSON value of a message, or ``None`` when it has none."""
    if message.type is not WSMsgType.TEXT:
        return None
    try:
        return orjson.loads(message.data)
    except ValueError:
        return None


def _stream_error(number: Any, text: str) -> dict[str, Any]:
    return {"error": {"code": 2, "msg": text}, "id": number}
