"""The way of messages into Redis: a queue that costs microseconds, and a thread that empties it.

Who publishes never waits and never fails: without Redis, or when more comes than it takes, messages
are dropped and counted. They tell people what the database knows anyway.
"""

import atexit
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from threading import Event, Lock, Thread
from typing import Any, Final

import orjson
import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import Message
from arbplatform.push.errors import UnknownTopic
from arbplatform.push.topics import Delivery, Topic, parse_topic
from arbplatform.wording import in_each_language

logger = logging.getLogger(__name__)

QUEUE_MAX: Final = 10_000
"""Messages that wait at most; then the oldest makes way."""
GATHER_S: Final = 0.005
"""How long what is published at about the same time is gathered into one round trip [s]."""
BATCH_MAX: Final = 1_000
"""Messages in one round trip."""
PAUSE_S: Final = 1.0
"""How long Redis is left alone after it has failed [s]."""
TIMEOUT_S: Final = 2.0
LAST_WORDS_S: Final = 0.5
"""How long a process that ends waits for what it has published [s]."""

Payload = Mapping[str, Any]
"""Plain values: text, numbers, ``Decimal``, moments, lists and mappings; and sentences, which the
publisher's thread tells in every language. It must not change after it was published."""
_AS_API: Final = orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS
"""How moments are written, and that a sentence is told instead of taken apart."""
Carrier = Callable[[list[tuple[str, bytes]]], None]
"""Takes channels with ready frames to where clients are."""


@dataclass(frozen=True, slots=True)
class PushFigures:
    """What became of messages since the process began.

    Attributes:
        published: how many were carried.
        conflated: how many a newer one has replaced before they were carried.
        dropped: how many were lost: Redis was away or slow, or they could not be written as JSON.
        waiting: how many wait.
    """

    published: int
    conflated: int
    dropped: int
    waiting: int


class Publisher:
    """The queue of one process.

    Args:
        carrier: takes batches away; may raise ``RedisError`` or ``OSError``.
        clock: tells when a message was published.
        queue_max: messages that wait at most.
    """

    def __init__(
        self, carrier: Carrier, *, clock: Clock = SYSTEM_CLOCK, queue_max: int = QUEUE_MAX
    ) -> None:
        self._carrier = carrier
        self._clock = clock
        self._queue_max = queue_max
        self._queue: deque[tuple[Topic, int, Payload]] = deque()
        self._newest: dict[Topic, tuple[int, Payload]] = {}
        self._lock = Lock()
        self._wake = Event()
        self._closing = Event()
        self._thread: Thread | None = None
        self._published = self._conflated = self._dropped = 0

    def publish(self, topic: str, payload: Payload) -> None:
        """Let every client that wants ``topic`` have ``payload`` soon. Never raises, never waits.

        Args:
            topic: see ``arbplatform.push.topics``.
            payload: what happened.
        """
        self.publish_many([(topic, payload)])

    def publish_many(self, messages: Iterable[tuple[str, Payload]]) -> None:
        """Publish several messages at once, in their order."""
        at_ms = self._clock.now_ms()
        with self._lock:
            for name, payload in messages:
                self._put(name, at_ms, payload)
            if self._thread is None and not self._closing.is_set():
                self._thread = Thread(target=self._work, name="push", daemon=True)
                self._thread.start()
        if not self._wake.is_set():
            self._wake.set()

    @property
    def figures(self) -> PushFigures:
        """What became of messages until now."""
        with self._lock:
            waiting = len(self._queue) + len(self._newest)
            return PushFigures(self._published, self._conflated, self._dropped, waiting)

    def carry(self) -> int:
        """Take away what waits, at most ``BATCH_MAX`` messages; return how many it were.

        Raises:
            RedisError, OSError: they could not be carried, and are counted as dropped.
        """
        batch = self._take()
        frames = [frame for item in batch if (frame := _frame(*item)) is not None]
        lost = len(batch)
        try:
            if frames:
                self._carrier(frames)
            lost -= len(frames)
        finally:
            with self._lock:
                self._dropped += lost
                self._published += len(batch) - lost
        return len(batch)

    def close(self, timeout_s: float = LAST_WORDS_S) -> None:
        """Carry what waits, and end.

        Args:
            timeout_s: how long that may take [s].
        """
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _put(self, name: str, at_ms: int, payload: Payload) -> None:
        try:
            topic = parse_topic(name)
        except UnknownTopic:
            logger.exception("A message to an unknown topic is dropped.")
            self._dropped += 1
            return
        if topic.rule.delivery is Delivery.NEWEST:
            if topic in self._newest:
                self._conflated += 1
            elif len(self._newest) >= self._queue_max:
                self._dropped += 1
                return
            self._newest[topic] = (at_ms, payload)
            return
        if len(self._queue) >= self._queue_max:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append((topic, at_ms, payload))

    def _take(self) -> list[tuple[Topic, int, Payload]]:
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            while self._newest and len(batch) < BATCH_MAX:
                topic = next(iter(self._newest))
                batch.append((topic, *self._newest.pop(topic)))
            return batch

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._closing.wait(GATHER_S)
            self._wake.clear()
            try:
                while self.carry():
                    pass
            except (RedisError, OSError) as error:
                logger.warning("Messages for clients are dropped, Redis is away: %s", error)
                self._closing.wait(PAUSE_S)
            if self._closing.is_set():
                return


def publish(topic: str, payload: Payload) -> None:
    """Let every client that wants ``topic`` have ``payload`` soon. Never raises, never waits.

    What depends on a transaction is published by ``publish_on_commit``.

    Args:
        topic: see ``arbplatform.push.topics``.
        payload: plain values that do not change any more.
    """
    _publisher().publish(topic, payload)


def publish_many(messages: Iterable[tuple[str, Payload]]) -> None:
    """Publish several messages at once, in their order; for loops that must be quick."""
    _publisher().publish_many(messages)


def publish_on_commit(topic: str, payload: Payload) -> None:
    """Publish once the present transaction has committed; never if it is rolled back."""
    transaction.on_commit(lambda: publish(topic, payload), robust=True)


def read_figures() -> PushFigures:
    """Return what became of this process's messages."""
    return _publisher().figures


def listen_here(listener: Carrier) -> Callable[[], None]:
    """Take what is published in this process where the broker is in memory.

    Args:
        listener: gets channels with frames, in the publisher's thread.

    Returns:
        What ends it.
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def carry_to_redis(frames: list[tuple[str, bytes]]) -> None:
    """Publish frames through Redis in one round trip, or here where the broker is in memory.

    Raises:
        RedisError, OSError: it does not answer.
    """
    url = settings.REDIS_URL
    if url.startswith("memory:"):
        for listener in tuple(_listeners):
            listener(frames)
        return
    pipe = _connected(url).pipeline(transaction=False)
    for channel, frame in frames:
        pipe.publish(channel, frame)
    pipe.execute()


def _frame(topic: Topic, at_ms: int, payload: Payload) -> tuple[str, bytes] | None:
    message = {"topic": topic.name, "at_ms": at_ms, "data": payload}
    try:
        return topic.channel, orjson.dumps(message, default=_plain, option=_AS_API)
    except (TypeError, ValueError):
        logger.exception("A message to %s cannot be written as JSON and is dropped.", topic.name)
        return None


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return to_plain(value)
    if isinstance(value, Message):
        return in_each_language(value)  # all clients of a topic get the same copy
    raise TypeError(f"{type(value).__name__} is no plain value")


@lru_cache(maxsize=2)
def _connected(url: str) -> Any:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


_listeners: list[Carrier] = []


@lru_cache(maxsize=1)
def _publisher() -> Publisher:
    made = Publisher(carry_to_redis)
    atexit.register(made.close)
    return made


# a thread does not survive a fork: the child begins with a queue of its own
os.register_at_fork(after_in_child=_publisher.cache_clear)
