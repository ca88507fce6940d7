"""The stages between a venue's event and the booked fill, and how long each of them takes."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock, Thread, current_thread, local
from typing import Final

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.histograms import Histogram

WINDOW_MS: Final = 60_000
"""What counts as recent [ms]."""
_STEP_MS: Final = 10_000


class Stage(StrEnum):
    """A part of the way from a venue's event to a booked fill, in the order of the way."""

    SOCKET = "socket"
    """From the venue's own time to when it was received, where the offset of its clock is known."""
    BOOK = "book"
    """From a message received to the book changed."""
    DECISION = "decision"
    """From a book changed to an intent."""
    COMMIT = "commit"
    """From an intent to its rows durable."""
    SEND = "send"
    """From durable rows to the request handed to the socket."""
    ACK = "ack"
    """From a request sent to its answer."""
    FILL = "fill"
    """From a request sent to its fill booked."""


Stages = Mapping[Stage, Histogram]
"""Histograms by stage; a stage that never happened is left out."""

_Shard = dict[Stage, Histogram]


@dataclass(frozen=True, slots=True)
class StageFigures:
    """How long the stages took.

    Attributes:
        total: since the process began.
        recent: in the last ``WINDOW_MS``, to within a few seconds.
    """

    total: Stages
    recent: Stages


class StageRecorder:
    """Counts how long stages take, from any thread and without a lock on the way.

    Args:
        clock: where the time comes from that says what is recent.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._local = local()
        self._lock = Lock()
        self._shards: list[tuple[Thread, _Shard]] = []
        self._ended: _Shard = {}
        self._marks: deque[tuple[float, Stages]] = deque(
            [(clock.monotonic_ms(), {})], maxlen=WINDOW_MS // _STEP_MS + 1
        )

    def record(self, stage: Stage, us: float) -> None:
        """Count one duration.

        Args:
            stage: what took so long.
            us: how long [µs].
        """
        try:
            shard: _Shard = self._local.shard
        except AttributeError:
            shard = self._open_shard()
        shard[stage].record(us)

    def read(self) -> StageFigures:
        """Return how long the stages took, since the beginning and recently."""
        with self._lock:
            total = self._add_up()
            now_ms = self._clock.monotonic_ms()
            while len(self._marks) > 1 and self._marks[1][0] <= now_ms - WINDOW_MS:
                self._marks.popleft()
            before = self._marks[0][1]
            recent = {
                stage: histogram.since(before[stage]) if stage in before else histogram
                for stage, histogram in total.items()
            }
            if now_ms - self._marks[-1][0] >= _STEP_MS:
                self._marks.append((now_ms, total))
        return StageFigures(total, {stage: each for stage, each in recent.items() if each.count})

    def _open_shard(self) -> _Shard:
        shard = {stage: Histogram() for stage in Stage}
        with self._lock:
            self._shards.append((current_thread(), shard))
        self._local.shard = shard
        return shard

    def _add_up(self) -> Stages:
        for thread, shard in self._shards:
            if not thread.is_alive():
                merge_into(self._ended, shard)
        self._shards = [(thread, shard) for thread, shard in self._shards if thread.is_alive()]
        total: _Shard = {}
        for shard in (self._ended, *(shard for _thread, shard in self._shards)):
            merge_into(total, shard)
        return {stage: total[stage] for stage in Stage if stage in total and total[stage].count}


def merge_into(total: dict[Stage, Histogram], more: Stages) -> None:
    """Count what ``more`` has counted in ``total`` as well."""
    for stage, histogram in more.items():
        if stage in total:
            total[stage].merge(histogram)
        else:
            total[stage] = histogram.copy()
