"""What is known of engine processes: which live, and what each of them holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.core.clock import Clock
from arbplatform.core.errors import Unavailable
from arbplatform.persistence.clock import DATABASE_CLOCK
from strategies.models import EngineProcess
from strategies.selectors.engines import list_engines, list_held
from strategies.services.engine_speeds import EngineSpeed, read_speeds
from strategies.services.leases import is_live

ENGINES_MAX: Final = 200
"""Engines that are told of, the newest ones [rows]."""


class EngineStatus(models.TextChoices):
    """Whether an engine lives."""

    ALIVE = "alive", _("alive")
    ENDING = "ending", _("ending")
    ENDED = "ended", _("ended")
    LOST = "lost", _("lost")


@dataclass(frozen=True, slots=True)
class EngineReport:
    """One engine.

    Attributes:
        engine: what it has told of itself.
        status: whether it lives. Lost is one that gives no sign of life and did not say that it
            ends: what it held is taken over.
        strategies: ids of those that it holds.
        speed: how fast it is; ``None`` when it says nothing, or Redis is away.
    """

    engine: EngineProcess
    status: EngineStatus
    strategies: Sequence[int]
    speed: EngineSpeed | None = None


def report_engines(*, clock: Clock = DATABASE_CLOCK) -> list[EngineReport]:
    """Return the engines of the last days: first those that live, then the others, newest first."""
    now = clock.now()
    held = list_held(now=now)
    speeds = _read_speeds()
    reports = [
        EngineReport(
            engine=engine,
            status=status_of(engine, is_alive=is_live(engine, now)),
            strategies=held.get(engine.name, ()),
            speed=speeds.get(engine.name),
        )
        for engine in list_engines()[:ENGINES_MAX]
    ]
    living = (EngineStatus.ALIVE, EngineStatus.ENDING)
    return sorted(reports, key=lambda report: report.status not in living)


def _read_speeds() -> dict[str, EngineSpeed]:
    try:
        return {speed.stats.name: speed for speed in read_speeds()}
    except Unavailable:
        return {}


def status_of(engine: EngineProcess, *, is_alive: bool) -> EngineStatus:
    """Return whether an engine lives.

    Args:
        engine: which one.
        is_alive: whether its last sign of life is young enough.
    """
    if engine.stopped_at is not None:
        return EngineStatus.ENDED
    if not is_alive:
        return EngineStatus.LOST
    return EngineStatus.ALIVE if engine.draining_at is None else EngineStatus.ENDING
