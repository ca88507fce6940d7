"""How fast engines are, as console, command line and API show it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.histograms import Summary
from arbplatform.core.stages import Stage
from strategies.domain.engine_stats import EngineStats
from strategies.services.engine_stats import list_stats


@dataclass(frozen=True, slots=True)
class StageSpeed:
    """How long one stage of one engine takes.

    Attributes:
        stage: which one.
        recent: in the last minute; ``None`` when it did not happen in it.
        total: since the engine began.
    """

    stage: Stage
    recent: Summary | None
    total: Summary


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """How fast one engine is, and what it carries.

    Attributes:
        stats: what it said last.
        age_ms: how long ago that was [ms].
        stages: in the order of the way; those that never happened are left out.
    """

    stats: EngineStats
    age_ms: int
    stages: tuple[StageSpeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        stats = self.stats
        return {
            "name": stats.name,
            "machine": stats.machine,
            "pid": stats.pid,
            "at_ms": stats.at_ms,
            "age_ms": self.age_ms,
            "stages": {each.stage.value: _plain(each) for each in self.stages},
            "queues": dict(stats.queues),
            "drops": dict(stats.drops),
            "conflated": stats.conflated,
            "feeds": dict(stats.feeds),
            "strategies": list(stats.strategies),
            "memory_bytes": stats.rss_bytes,
        }


def read_speeds(*, clock: Clock = SYSTEM_CLOCK) -> list[EngineSpeed]:
    """Return how fast every engine is, by name.

    Raises:
        Unavailable: Redis does not answer.
    """
    now_ms = clock.now_ms()
    return [
        EngineSpeed(stats, max(0, now_ms - stats.at_ms), _stages_of(stats))
        for stats in list_stats(clock=clock)
    ]


def _stages_of(stats: EngineStats) -> tuple[StageSpeed, ...]:
    return tuple(
        StageSpeed(
            stage,
            stats.recent[stage].summary() if stage in stats.recent else None,
            stats.stages[stage].summary(),
        )
        for stage in Stage
        if stage in stats.stages
    )


def _plain(speed: StageSpeed) -> Mapping[str, Any]:
    return {
        "recent": None if speed.recent is None else _rounded(speed.recent),
        "total": _rounded(speed.total),
    }


def _rounded(summary: Summary) -> dict[str, Any]:
    return {
        name: round(value, 2) if isinstance(value, float) else value
        for name, value in asdict(summary).items()
    }
