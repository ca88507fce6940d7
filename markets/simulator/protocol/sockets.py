"""WebSocket endpoints: market streams, user data, and requests over a socket."""

import asyncio

from aiohttp import web

from markets.simulator.venue import Venue
from markets.simulator.world import World


class Sockets:
    """All open WebSockets of a simulation."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(
        self, venue: Venue, path: str, query: str, request: web.BaseRequest
    ) -> web.StreamResponse:
        """Serve one WebSocket until it closes."""
        raise NotImplementedError

    async def publish(self) -> None:
        """Send what changed to who wants to know, for ever."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Close all sockets."""
