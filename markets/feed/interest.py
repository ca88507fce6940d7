"""Which markets somebody watches now, kept in Redis until nobody renews it."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any, Final

from redis.exceptions import RedisError

from arbplatform.background.redis_lease import RedisLease
from arbplatform.push.errors import UnknownTopic
from arbplatform.push.topics import Topic, parse_topic

KEY: Final = "arb:interest"
TOPICS_KEY: Final = "arb:interest:topics"
TTL_MS: Final = 30_000
"""So long is a market followed after somebody has said last that it is watched [ms]."""
MARKETS_MAX: Final = 1_000
"""Markets that are followed for watchers, at most; those that were named last come first."""
FEEDER_KEY: Final = "arb:feeder"
FEEDER_TTL_MS: Final = 6_000
"""A feeder that says nothing for so long is replaced [ms]."""
_SEPARATOR: Final = "|"

MarketPair = tuple[str, str]
"""Code of a venue and a symbol."""


def register(client: Any, pairs: Collection[MarketPair], *, now_ms: int) -> None:
    """Note that markets are watched, for the next ``TTL_MS``.

    Args:
        client: of Redis.
        pairs: venue and symbol of each.
        now_ms: the present moment [ms since epoch].

    Raises:
        RedisError, OSError: it does not answer.
    """
    _renew(client, KEY, map(_SEPARATOR.join, pairs), now_ms)


def current(client: Any, *, now_ms: int) -> list[MarketPair]:
    """Return the markets that are watched.

    Args:
        client: of Redis.
        now_ms: the present moment [ms since epoch].

    Raises:
        RedisError, OSError: it does not answer.
    """
    split = (name.partition(_SEPARATOR) for name in _wanted(client, KEY, now_ms))
    return [(venue, symbol) for venue, _, symbol in split if symbol]


def register_topics(client: Any, topics: Collection[Topic], *, now_ms: int) -> None:
    """Note that somebody wants to hear what is traded, for the next ``TTL_MS``.

    Args:
        client: of Redis.
        topics: about trades and bars.
        now_ms: the present moment [ms since epoch].

    Raises:
        RedisError, OSError: it does not answer.
    """
    _renew(client, TOPICS_KEY, (topic.name for topic in topics), now_ms)


def current_topics(client: Any, *, now_ms: int) -> list[Topic]:
    """Return what somebody wants to hear of trades and bars.

    Args:
        client: of Redis.
        now_ms: the present moment [ms since epoch].

    Raises:
        RedisError, OSError: it does not answer.
    """
    found = []
    for name in _wanted(client, TOPICS_KEY, now_ms):
        with suppress(UnknownTopic):  # of a server of another version
            found.append(parse_topic(name))
    return [topic for topic in found if topic.rule.is_tape]


def _renew(client: Any, key: str, names: Iterable[str], now_ms: int) -> None:
    until_ms = dict.fromkeys(names, now_ms + TTL_MS)
    if not until_ms:
        return
    pipe = client.pipeline(transaction=False)
    pipe.zadd(key, until_ms)
    pipe.zremrangebyscore(key, "-inf", now_ms)
    pipe.execute()


def _wanted(client: Any, key: str, now_ms: int) -> list[str]:
    """Return names, the newest first; what cannot be read is nobody's and hides no other."""
    names = client.zrevrangebyscore(key, "+inf", now_ms, start=0, num=MARKETS_MAX)
    return [name.decode(errors="replace") for name in names]


def take_feeder(client: Any, name: str) -> bool:
    """Become, or stay, the one engine that follows what is only watched; return whether it is.

    Args:
        client: of Redis.
        name: of the engine.

    Raises:
        RedisError, OSError: it does not answer.
    """
    return RedisLease(FEEDER_KEY, name, FEEDER_TTL_MS).hold(client)


def leave_feeder(client: Any, name: str) -> None:
    """Let another engine follow what is only watched, at once.

    Args:
        client: of Redis.
        name: of the engine.
    """
    with suppress(RedisError, OSError):  # it ends by itself
        RedisLease(FEEDER_KEY, name, FEEDER_TTL_MS).leave(client)
