"""Recording sessions of live feeds."""

import asyncio
import signal
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from arbplatform.core.errors import Unavailable
from markets.domain.feeds import FeedStatus
from markets.feed.hub import FeedHub
from markets.feed.recording import Recorder
from markets.gateway.base import VenueSpec

TELL_S = 0.2
"""How often the progress is told [s]."""


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """What a recording has come to.

    Attributes:
        elapsed_s: since it began [s].
        recorded: entries that were taken.
        dropped: entries that were lost, because the disk was too slow or failed.
        written_bytes: on the disk [bytes, compressed].
        feeds: the state of every feed.
    """

    elapsed_s: float
    recorded: int
    dropped: int
    written_bytes: int
    feeds: tuple[FeedStatus, ...]


def record_feeds(
    *,
    wanted: Mapping[VenueSpec, Collection[str]],
    directory: Path,
    seconds: float,
    tell: Callable[[RecordingReport], None],
) -> RecordingReport:
    """Follow markets and write down what their venues say, until the time is over.

    SIGINT and SIGTERM end it earlier; what was heard until then is kept.

    Args:
        wanted: symbols by venue.
        directory: of the session; one that is there is continued.
        seconds: how long [s].
        tell: is told the progress a few times a second.

    Raises:
        Unavailable: the directory cannot be written, or no longer.
    """
    try:
        recorder = Recorder(directory)
    except OSError as error:
        raise _not_written(directory, error) from None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(_record(recorder, wanted, seconds, tell))
    if recorder.failure is not None:
        raise _not_written(directory, recorder.failure) from None
    return report


async def _record(
    recorder: Recorder,
    wanted: Mapping[VenueSpec, Collection[str]],
    seconds: float,
    tell: Callable[[RecordingReport], None],
) -> RecordingReport:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(RuntimeError, ValueError):  # not in the main thread
            loop.add_signal_handler(number, stop.set)
    began = loop.time()
    hub = FeedHub(listener=recorder, tape=recorder)

    def report() -> RecordingReport:
        return RecordingReport(
            min(loop.time() - began, seconds),
            recorder.recorded,
            recorder.dropped,
            recorder.written_bytes,
            tuple(hub.statuses()),
        )

    recorder.start()
    hub.want(wanted)
    try:
        while loop.time() - began < seconds and recorder.failure is None and not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(TELL_S, seconds))
            tell(report())
        last = report()
    finally:
        await hub.close()
        await asyncio.to_thread(recorder.stop)
    return RecordingReport(
        last.elapsed_s, recorder.recorded, recorder.dropped, recorder.written_bytes, last.feeds
    )


def _not_written(directory: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "The session cannot be written to {path}: {cause}. Free some space, or choose another "
        "directory.",
        path=str(directory),
        cause=error.strerror or str(error),
    )
