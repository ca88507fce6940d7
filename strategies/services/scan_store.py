"""The newest result of the scanner process, passed through Redis to whoever shows it.

Nothing depends on it: it is gone five seconds after the last word, and without it a scan is made
over REST.
"""

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson
from django.conf import settings
from redis.exceptions import RedisError

from arbplatform.background.queues import connect
from arbplatform.background.redis_lease import RedisLease
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import to_decimal, to_plain
from arbplatform.core.errors import ArbError
from arbplatform.core.sentences import message_from_json
from arbplatform.persistence.sentences import keep_document
from markets.domain.orders import Side
from strategies.domain.edge import Edge
from strategies.domain.evidence import intent_from_json, intent_to_json
from strategies.domain.scan import Kind, Nomination, Step
from strategies.domain.view import MarketKey
from strategies.services.sightings import Failure, Scan, Sighting, Source

logger = logging.getLogger(__name__)

KEY: Final = "arb:opportunities"
KEPT_MS: Final = 5_000
"""A result that was not renewed for so long is not shown any more [ms]."""

LEASE_MS: Final = 10_000
"""A scanner that says nothing for so long gives way to another one [ms]."""
_LEASE_KEY: Final = "arb:scanner"

_here: list[bytes] = []
"""Where the broker is in memory there is only this process."""


class ScannerLease:
    """The right to scan, of one process among several: the venues are to be asked by one."""

    def __init__(self) -> None:
        self._lease = RedisLease(_LEASE_KEY, secrets.token_hex(16), LEASE_MS)

    def hold(self) -> bool:
        """Take or renew the lease; return whether it is ours. Without Redis it is nobody's."""
        if _is_in_memory():
            return True
        try:
            return self._lease.hold(_client())
        except (RedisError, OSError) as error:
            logger.warning("The scanner rests, Redis is away: %s", error)
            return False

    def leave(self) -> None:
        """Give the lease back, so that another scanner need not wait for its end."""
        if _is_in_memory():
            return
        try:
            self._lease.leave(_client())
        except (RedisError, OSError) as error:
            logger.info("The lease of the scanner ends by itself: %s", error)


def write_scan(scan: Scan) -> bool:
    """Let everybody read a scan; return whether Redis took it. Never raises."""
    text = orjson.dumps(scan_to_json(scan))
    if _is_in_memory():
        _here[:] = [text]
        return True
    try:
        _client().set(KEY, text, px=KEPT_MS)
    except (RedisError, OSError) as error:
        logger.warning("What the scanner sees could not be published: %s", error)
        return False
    return True


def read_scan(*, clock: Clock = SYSTEM_CLOCK) -> Scan | None:
    """Return the newest result of a scanner process; ``None`` when none runs.

    Args:
        clock: tells the time.
    """
    text = _read()
    if text is None:
        return None
    try:
        scan = scan_from_json(orjson.loads(text))
    except (ArbError, AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning("What a scanner of another version sees cannot be read: %r", error)
        return None
    age_ms = clock.now_ms() - round(scan.scanned_at.timestamp() * 1_000)
    return scan if abs(age_ms) <= KEPT_MS else None


def forget_stored_scan() -> None:
    """Forget what this process stored for itself."""
    _here.clear()


def scan_to_json(scan: Scan) -> dict[str, Any]:
    """Return a scan as JSON values."""
    return {
        "source": scan.source.value,
        "scanned_at": scan.scanned_at.isoformat(),
        "took_ms": scan.took_ms,
        "venue_count": scan.venue_count,
        "markets": scan.markets,
        "pairs": scan.pairs,
        "cycles": scan.cycles,
        "nominated": scan.nominated,
        "sightings": [_sighting_to_json(item) for item in scan.sightings],
        "errors": {
            venue: {"code": failure.code, "message": keep_document(failure.message)}
            for venue, failure in scan.errors.items()
        },
        "feeds": {venue: source.value for venue, source in scan.feeds.items()},
    }


def scan_from_json(item: Mapping[str, Any]) -> Scan:
    """Return the scan that ``scan_to_json`` was given."""
    counts = ("took_ms", "venue_count", "markets", "pairs", "cycles", "nominated")
    return Scan(
        source=Source(item["source"]),
        scanned_at=datetime.fromisoformat(item["scanned_at"]),
        sightings=tuple(_sighting_from_json(part) for part in item["sightings"]),
        errors={
            venue: Failure(part["code"], message_from_json(part["message"]))
            for venue, part in item["errors"].items()
        },
        feeds={venue: Source(source) for venue, source in item["feeds"].items()},
        **{name: int(item[name]) for name in counts},
    )


def _sighting_to_json(item: Sighting) -> dict[str, Any]:
    nomination = item.nomination
    return {
        "kind": nomination.kind.value,
        "subject": nomination.subject,
        "steps": [[*step.key, step.side.value] for step in nomination.steps],
        "edge": [str(part) for part in nomination.edge],
        "intent": None if item.intent is None else intent_to_json(item.intent),
        "refusal": None if item.refusal is None else keep_document(item.refusal),
        "profit": None if item.profit is None else to_plain(item.profit),
        "age_ms": item.age_ms,
        "book_at_ms": item.book_at_ms,
        "standing_ms": item.standing_ms,
    }


def _sighting_from_json(item: Mapping[str, Any]) -> Sighting:
    gross, net = (to_decimal(part) for part in item["edge"])
    steps = (Step(MarketKey(venue, symbol), Side(side)) for venue, symbol, side in item["steps"])
    return Sighting(
        nomination=Nomination(Kind(item["kind"]), item["subject"], tuple(steps), Edge(gross, net)),
        intent=None if item["intent"] is None else intent_from_json(item["intent"]),
        refusal=None if item["refusal"] is None else message_from_json(item["refusal"]),
        profit=None if item["profit"] is None else to_decimal(item["profit"]),
        age_ms=item["age_ms"],
        book_at_ms=item["book_at_ms"],
        standing_ms=item["standing_ms"],
    )


def _read() -> bytes | None:
    if _is_in_memory():
        return _here[0] if _here else None
    try:
        found: bytes | None = _client().get(KEY)
    except (RedisError, OSError) as error:
        logger.info("What the scanner sees cannot be read: %s", error)
        return None
    return found


def _is_in_memory() -> bool:
    return settings.REDIS_URL.startswith("memory:")


@lru_cache(maxsize=1)
def _client() -> Any:
    return connect()
