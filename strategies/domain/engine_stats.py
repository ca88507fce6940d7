"""What an engine says about itself once a second: speed, queues, feeds and what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from arbplatform.core.errors import Message
from arbplatform.core.histograms import Histogram
from arbplatform.core.stages import Stage, Stages

STAGE_TITLES: Final[Mapping[Stage, Message]] = {
    Stage.SOCKET: Message("venue → received"),
    Stage.BOOK: Message("received → book changed"),
    Stage.DECISION: Message("book changed → intent"),
    Stage.COMMIT: Message("intent → rows durable"),
    Stage.SEND: Message("rows durable → request sent"),
    Stage.ACK: Message("request sent → answer"),
    Stage.FILL: Message("request sent → fill booked"),
}
"""What each stage measures, for people."""

STRATEGIES_MAX: Final = 10_000
"""Held strategies that are named; more of them are left out [ids]."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """The state of one engine at one moment. All counts only grow while it lives.

    Attributes:
        name: of the engine, unique among all that live.
        machine: that it runs on.
        pid: of its process.
        at_ms: when this was read [ms since epoch].
        stages: how long each stage took since it began.
        recent: the same in the last minute.
        queues: how many wait in each queue.
        drops: how many each queue has dropped.
        conflated: updates of books that a newer one overtook before they were looked at.
        feeds: how many feeds are in each state, by ``FeedState`` value.
        strategies: ids of those that it holds.
        rss_bytes: memory that it takes [bytes].
    """

    name: str
    machine: str
    pid: int
    at_ms: int
    stages: Stages = field(default_factory=dict)
    recent: Stages = field(default_factory=dict)
    queues: Mapping[str, int] = field(default_factory=dict)
    drops: Mapping[str, int] = field(default_factory=dict)
    conflated: int = 0
    feeds: Mapping[str, int] = field(default_factory=dict)
    strategies: tuple[int, ...] = ()
    rss_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can carry."""
        return {
            "name": self.name,
            "machine": self.machine,
            "pid": self.pid,
            "at_ms": self.at_ms,
            "stages": _write(self.stages),
            "recent": _write(self.recent),
            "queues": dict(self.queues),
            "drops": dict(self.drops),
            "conflated": self.conflated,
            "feeds": dict(self.feeds),
            "strategies": list(self.strategies[:STRATEGIES_MAX]),
            "rss_bytes": self.rss_bytes,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EngineStats":
        """Return the stats that ``to_dict`` has written.

        Raises:
            KeyError, TypeError, ValueError, IndexError: these are no such values.
        """
        return cls(
            name=str(values["name"]),
            machine=str(values["machine"]),
            pid=int(values["pid"]),
            at_ms=int(values["at_ms"]),
            stages=_read(values["stages"]),
            recent=_read(values["recent"]),
            queues=_counts(values["queues"]),
            drops=_counts(values["drops"]),
            conflated=int(values["conflated"]),
            feeds=_counts(values["feeds"]),
            strategies=tuple(int(each) for each in values["strategies"]),
            rss_bytes=int(values["rss_bytes"]),
        )


def _write(stages: Stages) -> dict[str, Any]:
    return {stage.value: histogram.to_dict() for stage, histogram in stages.items()}


def _read(values: Mapping[str, Any]) -> Stages:
    """Return histograms by stage; a stage that only a newer engine knows is left out."""
    known = {stage.value: stage for stage in Stage}
    return {
        known[name]: Histogram.from_dict(histogram)
        for name, histogram in values.items()
        if name in known
    }


def _counts(values: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(number) for name, number in values.items()}
