"""What engines' own calls to venues meet, passed to whoever keeps the state of venues.

A worker keeps the states, and its own calls may be answered where those of an engine, which come
from another address or ask for something else, are not. So engines tell of the venues that look
ill to them, through Redis and once a second, apart from all decisions; nearly always there is
nothing to tell. Web and scanner tell it likewise, to be shown: it counts for nobody's state.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from threading import Thread
from typing import Any, Final

import orjson
from redis.exceptions import RedisError

from arbplatform.core.clock import SYSTEM_CLOCK, Clock, to_ms
from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json
from arbplatform.persistence.sentences import keep_document
from markets.domain.health import Pulse, VenueState
from markets.feed.store import origin_of
from markets.gateway.factory import list_pulses
from markets.models import Venue
from markets.services.feeds import is_alone, redis_client

logger = logging.getLogger(__name__)

KEPT_MS: Final = 10_000
"""What was not told again for so long is gone [ms]."""
WRITERS_MAX: Final = 100
"""Engines that are heard, at most; those that said something last come first."""
WRITERS_KEY: Final = "arb:pulse:writers"
BYSTANDERS_KEY: Final = "arb:pulse:bystanders"
"""Processes whose calls count for the state of no venue: web and scanner."""
SHARE_EVERY_S: Final = 1.0


class PulseSharing:
    """Tells others of the venues that look ill to this process. Used by one thread at a time.

    Args:
        writer: name of this process.
        is_bystander: what it meets is shown only, and counts for nobody's state.
        clock: tells the time.
    """

    def __init__(
        self, writer: str, *, is_bystander: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._writer = writer
        self._writers_key = BYSTANDERS_KEY if is_bystander else WRITERS_KEY
        self._clock = clock
        self._has_told = False

    def share(self) -> None:
        """Tell of them, or that there is none any more. Never raises."""
        now_ms = self._clock.now_ms()
        ill = {
            spec.code: _to_json(pulse) | {"origin": origin_of(spec)}
            for spec, pulse in list_pulses()
            if pulse.tells_of_illness(now_ms)
        }
        if is_alone() or not (ill or self._has_told):
            return
        try:
            self._write(ill, now_ms)
        except (RedisError, OSError) as error:
            logger.warning("How venues answer this process could not be told: %s", error)

    def _write(self, ill: Mapping[str, Any], now_ms: int) -> None:
        pipe = redis_client().pipeline(transaction=False)
        if ill:
            pipe.set(_key(self._writer), orjson.dumps(ill), px=KEPT_MS)
            pipe.zadd(self._writers_key, {self._writer: now_ms})
            pipe.zremrangebyscore(self._writers_key, "-inf", now_ms - KEPT_MS)
        else:
            pipe.delete(_key(self._writer))
            pipe.zrem(self._writers_key, self._writer)
        pipe.execute()
        self._has_told = bool(ill)


def read_shared_pulses(venue: Venue) -> list[Pulse]:
    """Return what engines met at a venue since its state last changed, or what changed it.

    Nothing where nobody can tell. Asks no database.

    Args:
        venue: as it was read a moment ago.
    """
    since_ms = 0 if venue.state_since is None else to_ms(venue.state_since)
    return [
        pulse
        for _name, pulse in _read_all(venue, WRITERS_KEY)
        if pulse.failed_at_ms > since_ms or pulse.notice == venue.state
    ]


def list_bystanders(venue: Venue) -> list[tuple[str, Message]]:
    """Return to which of web and scanner a venue looks ill, by name, and what each of them met."""
    told = _read_all(venue, BYSTANDERS_KEY)
    return [(name, pulse.cause) for name, pulse in told if isinstance(pulse.cause, Message)]


def share_beside(part: str) -> Thread:
    """Have a thread tell, as long as this process lives, which venues look ill to it.

    Args:
        part: what the process is, ``web`` or ``scanner``.
    """
    name = f"{part}@{socket.gethostname()}:{os.getpid()}"
    sharing = PulseSharing(name, is_bystander=True)

    def run() -> None:
        while True:
            try:
                sharing.share()
            except Exception:
                logger.exception("How venues answer this process could not be told")
            time.sleep(SHARE_EVERY_S)

    thread = Thread(target=run, name="pulses", daemon=True)
    thread.start()
    return thread


def _read_all(venue: Venue, writers_key: str) -> list[tuple[str, Pulse]]:
    if is_alone():
        return []
    client = redis_client()
    try:
        found = client.zrevrange(writers_key, 0, WRITERS_MAX - 1)
        names = [name.decode() for name in found]
        texts = client.mget([_key(name) for name in names]) if names else []
    except (RedisError, OSError) as error:
        logger.warning("How %s answers others cannot be read: %s", venue.code, error)
        return []
    told = zip(names, texts, strict=True)
    return [(name, pulse) for name, text in told if text for pulse in _read(text, venue)]


def _read(text: bytes, venue: Venue) -> Iterator[Pulse]:
    """Yield what one engine met at a venue, if it called it where it is now."""
    try:
        row = orjson.loads(text).get(venue.code)
        if row and row["origin"] == origin_of(venue.to_spec()):
            yield _from_json(row)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning("What an engine of another version met cannot be read: %r", error)


def _to_json(pulse: Pulse) -> dict[str, Any]:
    cause = pulse.cause
    if not isinstance(cause, Message):
        cause = Message("{cause}", {"cause": str(cause)})
    return {
        "failures": pulse.failures,
        "refusals": pulse.refusals,
        "notice": pulse.notice,
        "noticed_at_ms": pulse.noticed_at_ms,
        "failed_at_ms": pulse.failed_at_ms,
        "cause": keep_document(cause),
    }


def _from_json(row: Mapping[str, Any]) -> Pulse:
    return Pulse(
        failures=int(row["failures"]),
        refusals=int(row["refusals"]),
        notice=VenueState(row["notice"]) if row["notice"] else None,
        noticed_at_ms=int(row["noticed_at_ms"]),
        failed_at_ms=int(row["failed_at_ms"]),
        cause=message_from_json(row["cause"]),
    )


def _key(writer: str) -> str:
    return f"arb:pulse:{writer}"
