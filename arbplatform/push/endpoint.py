"""``/ws/``: one connection, from its greeting to its end."""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any, Final

from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation.trans_real import parse_accept_lang_header

from arbplatform.core.errors import ArbError
from arbplatform.push.credentials import Identity, identify_by_session, identify_by_token
from arbplatform.push.errors import (
    ClosingError,
    LoginMissing,
    MalformedMessage,
    SocketTokenInvalid,
    StaffTopic,
    TooManyConnections,
    TooManyMessages,
    TooManyTopics,
    UnknownMarket,
    UntoldTopic,
)
from arbplatform.push.hub import Hub
from arbplatform.push.origin import Receive, Scope, Send, header
from arbplatform.push.outbox import Outbox
from arbplatform.push.protocol import Command, answer, parse_command, refusal
from arbplatform.push.topics import Topic, parse_topic

logger = logging.getLogger(__name__)

LOGIN_S: Final = 5.0
"""How long a connection without a session may take to log in [s]."""
STRANGERS_MAX: Final = 200
"""Connections of one process that may wait for somebody to log in: nobody knows whose they are."""
CLOSE_S: Final = 1.0
"""How long the last words to a client may take [s]."""
TOPICS_MAX: Final = 1_000
MARKETS_MAX: Final = 500
"""Topics of one connection that name a market: each may make an engine subscribe at a venue."""
MESSAGES_PER_S: Final = 20
PROTOCOL: Final = "arb.v1"
TOKEN_PROTOCOL: Final = "token."  # noqa: S105  the word before one
TOKEN_HEADER: Final = "token "  # noqa: S105  the word before one
REFUSED: Final = 4400
"""What a connection is closed with whose first message was wrong."""

MarketPair = tuple[str, str]
FindUnknown = Callable[[Collection[MarketPair]], Collection[MarketPair]]
"""Returns those markets (venue, symbol) that do not exist; may ask the database."""
FindUntold = Callable[[Collection[Topic]], Collection[Topic]]
"""Returns those topics about trades that no stream of their venue tells; may ask the database."""


class Endpoint:
    """The ASGI application behind ``/ws/``.

    Args:
        hub: all clients of the process.
        find_unknown: tells which markets do not exist.
        find_untold: tells which topics no stream of their venue tells.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        find_unknown: FindUnknown = lambda _markets: (),
        find_untold: FindUntold = lambda _topics: (),
    ) -> None:
        self._hub = hub
        self._find_untold = find_untold
        self._find_unknown = find_unknown
        self._strangers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until either side ends it."""
        await receive()  # websocket.connect
        offered = scope.get("subprotocols") or []
        chosen = PROTOCOL if PROTOCOL in offered else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        with translation.override(_language(scope)):
            try:
                identity = await self._identify(scope, offered, receive)
                if identity is not None:
                    await self._serve(identity, receive, send)
            except ArbError as error:
                await _say_goodbye(error, send)

    async def _identify(
        self, scope: Scope, offered: list[str], receive: Receive
    ) -> Identity | None:
        """Return who a client is; ``None``: it has gone.

        Raises:
            LoginMissing, SocketTokenInvalid: nobody.
            MalformedMessage: its first message cannot be read.
            TooManyConnections: too many wait for somebody to log in.
        """
        token = _given_token(scope, offered)
        if token is not None:
            return await _identify_by_token(token)
        identity = identify_by_session(scope.get("user"), scope.get("session"))
        if identity is not None:
            return identity
        if self._strangers >= STRANGERS_MAX:
            raise TooManyConnections(
                "{limit} connections wait for a login already. Bring yours with the handshake, or "
                "try again later.",
                limit=STRANGERS_MAX,
            )
        self._strangers += 1
        try:
            return await _hear_login(receive)
        finally:
            self._strangers -= 1

    async def _serve(self, identity: Identity, receive: Receive, send: Send) -> None:
        connection = Connection(identity, send)
        self._hub.add(connection)
        pump = asyncio.create_task(connection.pump())
        listener = asyncio.create_task(self._listen(connection, receive))
        try:
            connection.outbox.put(_welcome(identity))
            self._hub.greet(connection)
            running: set[asyncio.Future[Any]] = {pump, listener, connection.end}
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.remove(connection)
            pump.cancel()
            listener.cancel()
            await asyncio.gather(pump, listener, return_exceptions=True)
        if connection.end in done:
            raise connection.end.result()
        if listener in done:
            listener.result()

    async def _listen(self, connection: "Connection", receive: Receive) -> None:
        """Answer what a client says, until it goes.

        Raises:
            ArbError: the connection is to be closed.
        """
        pace = Pace(MESSAGES_PER_S)
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            pace.count(asyncio.get_running_loop().time())
            name = None
            try:
                command = parse_command(_text(event))
                name = command.id
                await self._carry_out(connection, command)
            except ArbError as error:
                if isinstance(error, ClosingError):
                    raise
                connection.outbox.put(refusal(error, name))

    async def _carry_out(self, connection: "Connection", command: Command) -> None:
        if command.op == "ping":
            connection.outbox.put(answer({"op": "ping"}, command.id))
            return
        if command.op == "login":
            connection.outbox.put(_welcome(connection.identity, command.id))
            return
        topics = [parse_topic(name) for name in command.topics]
        if command.op == "subscribe":
            await self._check(connection, topics)
            self._hub.subscribe(connection, topics)
            await self._hub.settled()
        else:
            self._hub.unsubscribe(connection, topics)
        names = sorted(topic.name for topic in self._hub.topics_of(connection))
        connection.outbox.put(answer({"op": command.op, "topics": names}, command.id))
        if command.op == "subscribe":
            self._hub.catch_up(connection, topics)

    async def _check(self, connection: "Connection", topics: list[Topic]) -> None:
        for topic in topics:
            if topic.rule.is_staff_only and not connection.identity.is_staff:
                raise StaffTopic(topic=topic.name)
        together = self._hub.topics_of(connection).union(topics)
        markets = {topic.stream for topic in together if topic.venue}
        if len(together) > TOPICS_MAX or len(markets) > MARKETS_MAX:
            raise TooManyTopics(limit=TOPICS_MAX, markets=MARKETS_MAX)
        new = {(topic.venue, topic.symbol) for topic in topics if topic.venue}
        if new:
            unknown = await database_sync_to_async(self._find_unknown)(new)
            for venue, symbol in sorted(unknown):
                raise UnknownMarket(venue=venue, symbol=symbol)
        tapes = {topic for topic in topics if topic.rule.is_tape}
        if tapes:
            for topic in await database_sync_to_async(self._find_untold)(tapes):
                raise UntoldTopic(venue=topic.venue, topic=topic.name)


class Connection:
    """One client as the hub sees it.

    Args:
        identity: who it is.
        send: takes messages to it; waits while it does not read.
        now_s: tells the time [s]; the loop's by default.
    """

    def __init__(
        self, identity: Identity, send: Send, *, now_s: Callable[[], float] | None = None
    ) -> None:
        self.identity = identity
        self.outbox = Outbox()
        self.end: asyncio.Future[ArbError] = asyncio.get_running_loop().create_future()
        self._send = send
        self._now_s = now_s or asyncio.get_running_loop().time
        self._sending_since_s: float | None = None

    def blocked_s(self) -> float:
        """Return for how long one message could not be sent [s]."""
        since_s = self._sending_since_s
        return 0.0 if since_s is None else self._now_s() - since_s

    def cut(self, error: ArbError) -> None:
        """End the connection, saying why."""
        if not self.end.done():
            self.end.set_result(error)

    async def pump(self) -> None:
        """Send what is put into the outbox, for ever."""
        send, outbox, now_s = self._send, self.outbox, self._now_s
        while True:
            for frame in await outbox.take():
                # of each frame: who reads a full outbox slowly reads all the same
                self._sending_since_s = now_s()
                await send({"type": "websocket.send", "text": frame})
            self._sending_since_s = None


class Pace:
    """How fast a client talks.

    Args:
        per_s: messages in one second.
    """

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second = 0
        self._number = 0

    def count(self, now_s: float) -> None:
        """Count one message.

        Raises:
            TooManyMessages: there were too many in this second.
        """
        if int(now_s) != self._second:
            self._second, self._number = int(now_s), 0
        self._number += 1
        if self._number > self._per_s:
            raise TooManyMessages(limit=self._per_s)


async def _hear_login(receive: Receive) -> Identity | None:
    """Return who logs in with the first message; ``None``: the client has gone.

    Raises:
        LoginMissing, SocketTokenInvalid: nobody.
        MalformedMessage: the message cannot be read.
    """
    try:
        event = await asyncio.wait_for(receive(), LOGIN_S)
    except TimeoutError:
        raise LoginMissing(seconds=int(LOGIN_S)) from None
    if event["type"] == "websocket.disconnect":
        return None
    command = parse_command(_text(event))
    if command.op != "login":
        raise LoginMissing(seconds=int(LOGIN_S))
    return await _identify_by_token(command.token)


async def _identify_by_token(token: str) -> Identity:
    identity: Identity = await database_sync_to_async(identify_by_token)(token)
    return identity


def _given_token(scope: Scope, offered: list[str]) -> str | None:
    """Return the token that came with the handshake, in a header that no log keeps."""
    said = header(scope, b"authorization")
    if said:
        if not said.lower().startswith(TOKEN_HEADER):
            raise SocketTokenInvalid
        return said[len(TOKEN_HEADER) :].strip()
    given = [each for each in offered if each.startswith(TOKEN_PROTOCOL)]
    return given[0].removeprefix(TOKEN_PROTOCOL) if given else None


def _welcome(identity: Identity, name: str | int | None = None) -> str:
    data = {"op": "login", "user_id": identity.user_id, "is_staff": identity.is_staff}
    return answer(data, name)


def _text(event: dict[str, Any]) -> str:
    text = event.get("text")
    if not isinstance(text, str):
        raise MalformedMessage(cause=gettext("it is no text"))
    return text


def _language(scope: Scope) -> str:
    """Return the language that a client reads: its cookie's, else its header's, else ours."""
    chosen = (scope.get("cookies") or {}).get(settings.LANGUAGE_COOKIE_NAME, "")
    asked = [code for code, _weight in parse_accept_lang_header(header(scope, b"accept-language"))]
    for code in (chosen, *asked):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)


async def _say_goodbye(error: ArbError, send: Send) -> None:
    code = error.close_code if isinstance(error, ClosingError) else REFUSED
    try:
        async with asyncio.timeout(CLOSE_S):
            await send({"type": "websocket.send", "text": refusal(error)})
            await send({"type": "websocket.close", "code": code, "reason": str(error.code)})
    except (TimeoutError, OSError):
        logger.info("A client that was cut off does not listen any more.")
