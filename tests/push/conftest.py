"""The platform's own web server with its sockets, a real Redis, and clients."""

import asyncio
import threading
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import pytest
import uvicorn
import websockets
from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import Client as Browser
from knox.models import AuthToken

from arbplatform.push import hub
from arbplatform.push.application import push_application
from arbplatform.push.hub import Hub
from markets.selectors import find_unknown_markets
from markets.services.feeds import find_untold
from tests.processes import redis_server

__all__ = ["redis_server"]

PATIENCE_S = 30.0


class Server:
    """A web server in a thread of its own.

    Attributes:
        hub: its clients.
        interest: which topics of markets it said that clients watch.
        port: of 127.0.0.1.
    """

    def __init__(self):
        self.interest: list[object] = []
        self.hub: Any = None
        self._server: Any = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)

    def _run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self.hub = Hub(register_interest=self.interest.append)
        sockets = push_application(
            register_interest=self.interest.append,
            find_unknown=find_unknown_markets,
            find_untold=find_untold,
            hub=self.hub,
        )
        config = uvicorn.Config(
            ProtocolTypeRouter({"websocket": sockets}),
            port=0,
            lifespan="off",
            log_level="error",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110  uvicorn offers no event
            await asyncio.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self._ready.set()
        await serving

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/ws/"

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, function, *arguments):
        """Call something of the hub on its loop and return the result."""

        async def run():
            result = function(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE_S)

    def close(self):
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def broker(settings, redis_server, monkeypatch):
    """A real Redis that everything of this process uses, and that may take long to answer."""
    settings.REDIS_URL = redis_server.url
    monkeypatch.setattr(hub, "SETTLE_S", PATIENCE_S)
    return redis_server


@pytest.fixture
def server(transactional_db, broker, monkeypatch):
    # its threads must not keep the test's database in use
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    running = Server()
    yield running
    running.close()


async def in_thread(function):
    """Use the database beside the loop."""

    def run():
        try:
            return function()
        finally:
            connection.close()

    return await asyncio.to_thread(run)


@pytest.fixture
def token(transactional_db):
    """A token of a person who may only read."""
    reader = get_user_model().objects.create_user("reader")
    return AuthToken.objects.create(user=reader)[1]


@pytest.fixture
def browser(transactional_db):
    """The cookies of a person who is logged in to the console."""
    person = get_user_model().objects.create_superuser("root")
    client = Browser()
    client.force_login(person)
    return client


def cookie_of(browser):
    name = settings.SESSION_COOKIE_NAME
    return {"Cookie": f"{name}={browser.cookies[name].value}"}


class Socket:
    """One client, waiting no longer than it must."""

    def __init__(self, connection):
        self.connection = connection

    async def say(self, **message):
        await self.connection.send(orjson.dumps(message).decode())

    async def hear(self, **wanted):
        """Return the next message whose fields are as wanted; skip all others."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = orjson.loads(await self.connection.recv())
                if all(message.get(name) == value for name, value in wanted.items()):
                    return message

    async def ask(self, **message):
        """Say something and return its answer."""
        await self.say(id=1, **message)
        return await self.hear(id=1)

    async def closed(self):
        """Return code and reason of the end."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(websockets.ConnectionClosed):
                while True:
                    await self.connection.recv()
        return self.connection.close_code, self.connection.close_reason


@asynccontextmanager
async def connect(server, *, token=None, headers=None, origin=None, url=None, **options):
    extra = dict(headers or {})
    if token is not None:
        extra["Authorization"] = f"Token {token}"
    async with websockets.connect(
        url or server.url,
        additional_headers=extra,
        origin=origin,
        compression=None,
        proxy=None,
        **options,
    ) as connection:
        yield Socket(connection)
