"""How each part of the platform is, for the API, the console and whoever watches."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from arbplatform.background.diskwatch import DiskLevel, level_of, measure
from arbplatform.background.heartbeat import BEAT, SCANNER, WORKER, read_age_ms
from arbplatform.background.queues import DEPTH_MAX, read_depths
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.notices.selectors import count_channels
from arbplatform.persistence.clock import DATABASE_CLOCK
from ledger.services.spooling import orders_spool
from markets.selectors import list_ill_venues
from strategies.selectors.engines import (
    count_live_engines,
    count_streams,
    count_unheld_streams,
    find_last_sign_of_life,
)
from strategies.services.leases import LEASE

logger = logging.getLogger(__name__)

HEARTBEAT_AGE_MS_MAX: Final = 30_000
"""Processes show themselves every few seconds; after this long they count as gone."""

TITLES: Final[Mapping[str, Promise]] = {
    "database": _("Database"),
    "redis": _("Redis"),
    "worker": _("Worker"),
    "beat": _("Scheduler"),
    "engines": _("Engines"),
    "scanner": _("Scanner"),
    "venues": _("Venues"),
    "queues": _("Queues"),
    "disk": _("Disk"),
    "spool": _("Spool of orders"),
    "notices": _("Notices"),
}
"""Names of parts, for people."""

PROBE_KEY: Final = "health:probe"
PROBE_KEPT_S: Final = 10


@dataclass(frozen=True, slots=True)
class PartHealth:
    """How one part is.

    Attributes:
        is_ok: whether it works.
        detail: what is wrong, for a person.
        age_ms: time since its last sign of life [ms], where it leaves signs.
        figures: what was measured, by name; empty where nothing is.
    """

    is_ok: bool
    detail: str = ""
    age_ms: int | None = None
    figures: Mapping[str, int] | None = None


def check_parts() -> dict[str, PartHealth]:
    """Return how every part is, by its name; never raises."""
    return {name: _guarded(name, check) for name, check in _CHECKS.items()}


def _guarded(name: str, check: Callable[[], PartHealth]) -> PartHealth:
    try:
        return check()
    except (DatabaseError, RedisError, OSError) as error:
        logger.warning("The health check of %s failed: %s", name, error)
        return PartHealth(is_ok=False, detail=type(error).__name__)


def _check_database() -> PartHealth:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return PartHealth(is_ok=True)


def _check_redis() -> PartHealth:
    cache.set(PROBE_KEY, 1, timeout=PROBE_KEPT_S)
    is_ok = cache.get(PROBE_KEY) == 1
    return PartHealth(is_ok, "" if is_ok else gettext("It does not keep what it is given."))


def _check_worker() -> PartHealth:
    return _check_heartbeat(WORKER)


def _check_beat() -> PartHealth:
    return _check_heartbeat(BEAT)


def _check_heartbeat(part: str) -> PartHealth:
    age_ms = read_age_ms(part)
    if age_ms is None:
        return PartHealth(is_ok=False, detail=gettext("It has never shown itself."))
    is_ok = age_ms <= HEARTBEAT_AGE_MS_MAX
    return PartHealth(is_ok, "" if is_ok else gettext("It has not shown itself lately."), age_ms)


def _check_engines() -> PartHealth:
    """Tell whether somebody runs the strategies on streams; a moment without is a takeover."""
    now = DATABASE_CLOCK.now()
    seen_at = find_last_sign_of_life()
    age_ms = None if seen_at is None else (now - seen_at) // timedelta(milliseconds=1)
    figures = {
        "engines": count_live_engines(now=now, lease=LEASE),
        "running": count_streams(),
        "waiting": count_unheld_streams(now=now),
    }
    is_gone = age_ms is None or age_ms > HEARTBEAT_AGE_MS_MAX
    is_ok = not (figures["waiting"] and is_gone)
    detail = "" if is_ok else gettext("No engine runs the strategies that are driven by streams.")
    return PartHealth(is_ok, detail, age_ms, figures)


def _check_scanner() -> PartHealth:
    """Tell whether a scanner that runs gives signs of life. That none runs is no failure."""
    if read_age_ms(SCANNER) is None:
        detail = gettext("None runs: the venues are asked when somebody looks at opportunities.")
        return PartHealth(is_ok=True, detail=detail)
    return _check_heartbeat(SCANNER)


def _check_venues() -> PartHealth:
    """Tell which venues are ill. The platform itself works all the same: that is no failure."""
    ill = [f"{venue.code}: {venue.get_state_display()}" for venue in list_ill_venues()]
    return PartHealth(is_ok=True, detail="; ".join(ill))


def _check_queues() -> PartHealth:
    depths = read_depths()
    is_ok = sum(depths.values()) <= DEPTH_MAX
    detail = "" if is_ok else gettext("More messages wait than the worker can keep up with.")
    return PartHealth(is_ok, detail, figures=depths)


def _check_disk() -> PartHealth:
    used = measure(settings.DATA_DIR)
    level = level_of(used)
    detail = "" if level is DiskLevel.FINE else gettext("It fills up: make room.")
    return PartHealth(level < DiskLevel.URGENT, detail, figures={"used_percent": used})


def _check_spool() -> PartHealth:
    waiting, rejected = orders_spool().count_files()
    detail = ""
    if rejected:
        detail = gettext("Outcomes could not be booked: see the files .rejected in the spool.")
    elif waiting:
        detail = gettext("Outcomes of orders wait to be booked.")
    return PartHealth(not detail, detail, figures={"waiting": waiting, "rejected": rejected})


def _check_notices() -> PartHealth:
    figures = count_channels(SYSTEM_CLOCK.now())
    is_ok = not figures["failing"]
    detail = "" if is_ok else gettext("A channel to people does not work.")
    return PartHealth(is_ok, detail, figures=figures)


_CHECKS: Mapping[str, Callable[[], PartHealth]] = {
    "database": _check_database,
    "redis": _check_redis,
    "worker": _check_worker,
    "beat": _check_beat,
    "engines": _check_engines,
    "scanner": _check_scanner,
    "venues": _check_venues,
    "queues": _check_queues,
    "disk": _check_disk,
    "spool": _check_spool,
    "notices": _check_notices,
}
