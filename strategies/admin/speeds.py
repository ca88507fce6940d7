"""How fast engines are, above their list."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arbplatform.core.errors import Unavailable
from arbplatform.core.histograms import Summary, say_duration
from arbplatform.wording import render
from markets.services.feeds import FeedStateChoice
from strategies.domain.engine_stats import STAGE_TITLES
from strategies.services.engine_speeds import EngineSpeed, StageSpeed, read_speeds

BYTES_PER_MIB: Final = 1_048_576
DASH: Final = "–"
QUEUE_TITLES: Final[Mapping[str, Any]] = {
    "decisions": gettext_lazy("decisions"),
    "deciding": gettext_lazy("deciding"),
    "helpers": gettext_lazy("helpers"),
    "superseded": gettext_lazy("superseded"),
}
"""Names of queues, for people; one that is not here is shown as the engine calls it."""


def describe_speeds() -> dict[str, Any]:
    """Return what the page shows of every engine's speed."""
    try:
        return {"speeds": [_describe(speed) for speed in read_speeds()]}
    except Unavailable as error:
        return {"speeds": [], "speeds_error": render(error.message)}


def _describe(speed: EngineSpeed) -> dict[str, Any]:
    stats = speed.stats
    return {
        "name": stats.name,
        "said": _("said {age} ms ago").format(age=speed.age_ms),
        "stages": [_describe_stage(each) for each in speed.stages],
        "facts": (
            (_("Strategies held"), len(stats.strategies)),
            (_("Feeds"), _list(stats.feeds, dict(FeedStateChoice.choices))),
            (_("Waiting"), _list(stats.queues, QUEUE_TITLES)),
            (_("Dropped"), _list(stats.drops, QUEUE_TITLES)),
            (_("Conflated"), stats.conflated),
            (_("Memory"), f"{stats.rss_bytes // BYTES_PER_MIB} MiB"),
        ),
    }


def _describe_stage(speed: StageSpeed) -> dict[str, Any]:
    total = _durations(speed.total)
    recent = [DASH] * len(total) if speed.recent is None else _durations(speed.recent)
    count = 0 if speed.recent is None else speed.recent.count
    median, _p95, *tail = total
    return {
        "name": speed.stage.value,
        "title": render(STAGE_TITLES[speed.stage]),
        "cells": [count, *recent, speed.total.count, median, *tail],
    }


def _durations(summary: Summary) -> list[str]:
    durations_us = (summary.p50_us, summary.p95_us, summary.p99_us, summary.max_us)
    return [say_duration(us) for us in durations_us]


def _list(counts: Mapping[str, int], titles: Mapping[str, Any]) -> str:
    return ", ".join(f"{titles.get(name, name)} {n}" for name, n in counts.items()) or DASH
