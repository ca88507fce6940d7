"""All clients of one process: who wants what, one subscription for all of them, and their health.

A frame comes in once, ready to be sent, and is put into the outbox of each client that wants its
topic. Nothing here waits for a client.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error as AnyDatabaseError
from redis.exceptions import RedisError

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError
from arbplatform.push.credentials import Identity, select_valid
from arbplatform.push.errors import LoginEnded, TooManyConnections, TooSlow
from arbplatform.push.outbox import Outbox
from arbplatform.push.protocol import HEARTBEAT, heartbeat
from arbplatform.push.sources import Announce, Deliver, Source, make_source
from arbplatform.push.topics import Delivery, Topic

logger = logging.getLogger(__name__)

BEAT_S: Final = 5.0
"""How often clients hear a sign of life, and are looked at [s]."""
INTEREST_S: Final = 10.0
"""How often it is said which markets clients watch [s]."""
SLOW_S: Final = 10.0
"""A client to which one message could not be sent for so long is cut off [s]."""

AGAIN_S: Final = 1.0
"""How long until work that broke off by a mistake of ours begins again [s]."""
SETTLE_S: Final = 2.0
"""How long an answer waits for Redis to confirm a subscription [s]."""

RegisterInterest = Callable[[Collection[Topic]], None]
"""Told every few seconds which topics of markets clients watch; may block and fail."""
MakeSource = Callable[[Deliver, Announce], Source]


class Client(Protocol):
    """What the hub needs of a connection."""

    identity: Identity
    outbox: Outbox

    def blocked_s(self) -> float:
        """Return for how long one message could not be sent [s]."""
        ...

    def cut(self, error: ArbError) -> None:
        """End the connection, saying why."""
        ...


class Hub:
    """All clients of one process.

    It does something only while there are clients.

    Args:
        register_interest: told which topics of markets are watched.
        open_source: makes where messages come from.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        register_interest: RegisterInterest = lambda _markets: None,
        open_source: MakeSource = make_source,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._register_interest = register_interest
        self._open_source = open_source
        self._clock = clock
        self._clients: dict[Client, set[Topic]] = {}
        self._people: Counter[int] = Counter()
        self._readers: dict[Topic, set[Client]] = defaultdict(set)
        self._by_channel: dict[str, Topic] = {}
        self._latest: dict[Topic, str] = {}
        self._source: Source | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._watched = asyncio.Event()
        self._generation = 0
        self._is_live = False

    @property
    def client_count(self) -> int:
        """How many clients there are."""
        return len(self._clients)

    def topics_of(self, client: Client) -> set[Topic]:
        """Return what a client wants."""
        return self._clients.get(client, set())

    def add(self, client: Client) -> None:
        """Take a client in.

        Raises:
            TooManyConnections: the process or the person has as many as they may.
        """
        person = client.identity.user_id
        for number, limit in (
            (len(self._clients), settings.PUSH_CLIENTS_MAX),
            (self._people[person], settings.PUSH_CLIENTS_PER_USER_MAX),
        ):
            if number >= limit:
                raise TooManyConnections(limit=limit)
        self._clients[client] = set()
        self._people[person] += 1
        if not self._tasks:
            self._start()

    def remove(self, client: Client) -> None:
        """Let a client go; does nothing if it is not there."""
        if client not in self._clients:
            return
        self.unsubscribe(client, tuple(self._clients[client]))
        del self._clients[client]
        person = client.identity.user_id
        self._people[person] -= 1
        if not self._people[person]:
            del self._people[person]
        if not self._clients:
            self._stop()

    def subscribe(self, client: Client, topics: Iterable[Topic]) -> None:
        """Let a client have topics from now on."""
        new = [topic for topic in topics if topic not in self._clients[client]]
        for topic in new:
            self._clients[client].add(topic)
            self._readers[topic].add(client)
            self._by_channel[topic.channel] = topic
        self._tell_source()
        if any(topic.rule.has_market for topic in new):
            self._watched.set()

    def catch_up(self, client: Client, topics: Iterable[Topic]) -> None:
        """Let a client have the latest state of those topics that have one."""
        for topic in topics:
            if topic in self._latest:
                client.outbox.put_newest(topic.name, self._latest[topic])

    async def settled(self) -> None:
        """Wait until whatever is published from now on reaches its clients, for a moment at most.

        Without Redis it does not; clients hear that by the signs of life.
        """
        if self._source is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._source.settled(), SETTLE_S)

    def unsubscribe(self, client: Client, topics: Iterable[Topic]) -> None:
        """Let a client not have topics any more."""
        for topic in topics:
            if topic not in self._clients[client]:
                continue
            self._clients[client].discard(topic)
            client.outbox.forget(topic.name)
            readers = self._readers[topic]
            readers.discard(client)
            if not readers:
                del self._readers[topic], self._by_channel[topic.channel]
                self._latest.pop(topic, None)
        self._tell_source()

    def deliver(self, channel: str, frame: str) -> None:
        """Put a frame into the outbox of everybody who wants it."""
        topic = self._by_channel.get(channel)
        if topic is None:
            return
        readers = self._readers[topic]
        if topic.rule.delivery is Delivery.NEWEST:
            self._latest[topic] = frame
            name = topic.name
            for client in readers:
                client.outbox.put_newest(name, frame)
        else:
            for client in readers:
                client.outbox.put(frame)

    def announce(self, is_live: bool) -> None:
        """Tell everybody at once whether messages come in, when that has changed."""
        if is_live != self._is_live:
            self._is_live = is_live
            self.beat()

    def greet(self, client: Client) -> None:
        """Give one client a sign of life."""
        frame = heartbeat(
            at_ms=self._clock.now_ms(), is_live=self._is_live, dropped=client.outbox.dropped
        )
        client.outbox.put_newest(HEARTBEAT, frame)

    def beat(self) -> None:
        """Give everybody a sign of life; cut off who does not read."""
        healthy = heartbeat(at_ms=self._clock.now_ms(), is_live=self._is_live, dropped=0)
        for client in tuple(self._clients):
            if client.blocked_s() > SLOW_S:
                client.cut(TooSlow(seconds=int(SLOW_S)))
            elif client.outbox.dropped:
                self.greet(client)
            else:
                client.outbox.put_newest(HEARTBEAT, healthy)

    async def check_credentials(self) -> None:
        """Cut off everybody whose session or token has ended."""
        credentials = {client.identity.credential for client in self._clients}
        try:
            valid = await database_sync_to_async(select_valid)(credentials, clock=self._clock)
        except AnyDatabaseError as error:
            logger.warning("Logins of clients cannot be looked at now: %s", error)
            return
        for client in tuple(self._clients):
            credential = client.identity.credential
            if credential in credentials and credential not in valid:
                client.cut(LoginEnded())

    def _start(self) -> None:
        self._generation += 1
        announce = partial(self._announce_of, self._generation)
        self._source = self._open_source(self.deliver, announce)
        self._tasks = [
            asyncio.create_task(_go_on(work))
            for work in (self._source.run, self._keep_beating, self._keep_registering)
        ]

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._source = None
        self._is_live = False

    def _announce_of(self, generation: int, is_live: bool) -> None:
        if generation == self._generation:  # the last word of a source before this one is late
            self.announce(is_live)

    def _tell_source(self) -> None:
        if self._source is not None:
            self._source.want(self._by_channel.keys())

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self.beat()
            await self.check_credentials()

    async def _keep_registering(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watched.wait(), INTEREST_S)
            self._watched.clear()
            watched = {topic for topic in self._readers if topic.rule.has_market}
            if not watched:
                continue
            try:
                await asyncio.to_thread(self._register_interest, watched)
            except (OSError, RedisError) as error:
                logger.warning("Nobody hears which markets clients watch: %s", error)


async def _go_on(work: Callable[[], Awaitable[None]]) -> None:
    """Do what is never finished; nobody would notice if it broke off while clients stay."""
    while True:
        try:
            await work()
        except Exception:  # whatever it was: clients would hear nothing any more, in silence
            logger.exception("Work for the clients of /ws/ broke off and begins again.")
        await asyncio.sleep(AGAIN_S)
