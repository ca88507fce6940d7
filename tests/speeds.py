"""An engine that has said something about itself."""

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.histograms import Histogram
from arbplatform.core.stages import Stage
from strategies.domain.engine_stats import EngineStats
from strategies.services import engine_stats
from strategies.services.engine_stats import publish_stats

DURATIONS = {
    Stage.BOOK: (2.0, 3.0, 4.0),
    Stage.DECISION: (20.0, 80.0),
    Stage.ACK: (700.0, 1_500_000.0),
}


def histogram_of(*durations: float) -> Histogram:
    histogram = Histogram()
    for us in durations:
        histogram.record(us)
    return histogram


def make_stats(name: str = "lives") -> EngineStats:
    return EngineStats(
        name=name,
        machine="here",
        pid=7,
        at_ms=SYSTEM_CLOCK.now_ms(),
        stages={stage: histogram_of(*us) for stage, us in DURATIONS.items()},
        recent={Stage.BOOK: histogram_of(2.0, 3.0, 4.0)},
        queues={"decisions": 3},
        drops={"decisions": 2},
        conflated=17,
        feeds={"healthy": 40, "stale": 2},
        strategies=(4, 9),
        rss_bytes=200 * 1_048_576,
    )


@pytest.fixture
def no_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_stats, "_here", {})


@pytest.fixture
def engine(no_engines: None) -> EngineStats:
    stats = make_stats()
    publish_stats(stats)
    return stats
