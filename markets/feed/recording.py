"""Recording what venues say, beside the loop that listens: it never waits for a disk."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from arbplatform.core.clock import wall_ns
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.live_book import DEPTH_MAX, LiveBook
from markets.feed.playback import BookText, VenueHead, text_of
from markets.feed.sessions import Entry, EntryKind, SessionWriter
from markets.gateway.base import VenueSpec
from markets.gateway.wire.messages import BookMessage

logger = logging.getLogger(__name__)

QUEUE_MAX: Final = 200_000
"""Entries that wait for the disk at most; later ones are dropped and counted."""
QUEUE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Their size at most [bytes]."""
PAUSE_S: Final = 0.1
"""How often the thread looks for entries [s]."""
WHOLE_LEVELS: Final = 50
"""Levels of each side that are kept of a book which is recorded whole."""
FLUSH_S: Final = 1.0
"""A killed recorder loses no more than about this [s]."""


class Recorder:
    """Writes a session from a thread of its own; a tape for feeds, and a listener beside it.

    Messages are kept as they came where we know the venue's protocol; of other venues the whole
    book is kept at each change. Whatever goes wrong with the disk ends the recording, never the
    trading: ``failure`` says so.

    Args:
        directory: of the session.
        now_ns: tells the time [ns since epoch].
        queue_max: entries that wait at most.
        queue_bytes_max: their size at most [bytes].
        writer: writes the session; made from ``directory`` if not given.

    Raises:
        OSError: the directory cannot be written.

    Attributes:
        recorded: entries that were taken.
        dropped: entries that found the queue full, or came after a failure.
        failure: why the recording has ended early; ``None``: it has not.
    """

    def __init__(
        self,
        directory: Path,
        *,
        now_ns: Callable[[], int] = wall_ns,
        queue_max: int = QUEUE_MAX,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        writer: SessionWriter | None = None,
    ) -> None:
        self.recorded = 0
        self.dropped = 0
        self.failure: OSError | None = None
        self._now_ns = now_ns
        self._queue_max = queue_max
        self._queue_bytes_max = queue_bytes_max
        self._queue: deque[Entry] = deque()
        # each counted by one thread only
        self._put_bytes = self._drained_bytes = 0
        self._headed: dict[str, bool] = {}
        self._writer = writer or SessionWriter(directory)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def written_bytes(self) -> int:
        """Size of what lies on the disk [bytes, compressed]."""
        return self._writer.written_bytes

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def venue(self, spec: VenueSpec, books: Mapping[str, LiveBook]) -> None:
        """Note how a venue is to be read, before anything else of it and whenever that changes."""
        head = VenueHead(
            spec.ccxt_id,
            symbols={key: book.symbol for key, book in books.items()},
            depth_max=max((book.bids.depth_max for book in books.values()), default=DEPTH_MAX),
            ticks={book.symbol: book.tick for book in books.values() if book.tick},
        )
        self._headed[spec.code] = True
        self._put(EntryKind.HEAD, spec.code, head.to_json())

    def frame(self, venue: str, payload: str | bytes) -> None:
        """Note a message of the stream."""
        raw = payload.encode() if isinstance(payload, str) else payload
        self._put(EntryKind.FRAME, venue, raw)

    def snapshot(self, venue: str, symbol: str, message: BookMessage) -> None:
        """Note a book that came by REST."""
        text = BookText(
            symbol,
            list(message.bids),
            list(message.asks),
            message.last,
            message.venue_time_ms,
            message.limit,
        )
        self._put(EntryKind.SNAPSHOT, venue, text.to_json())

    def lost(self, venue: str, symbols: Sequence[str]) -> None:
        """Note that changes of these books were missed."""
        self._put(EntryKind.LOST, venue, orjson.dumps(list(symbols)))

    def book_changed(self, book: LiveBook) -> None:
        """Note the whole book, if it is one of a venue whose messages cannot be read back."""
        if self._headed.get(book.venue):
            return
        if book.venue not in self._headed:
            self._headed[book.venue] = False
            self._put(EntryKind.HEAD, book.venue, VenueHead("", {}).to_json())
        self._put(EntryKind.BOOK, book.venue, text_of(book, WHOLE_LEVELS).to_json())

    def feed_changed(self, status: FeedStatus) -> None:
        """Note that changes were missed, where the messages do not show it themselves."""
        if self._headed.get(status.venue) is False and status.state is not FeedState.HEALTHY:
            self.lost(status.venue, [status.symbol])

    def _put(self, kind: EntryKind, venue: str, payload: bytes) -> None:
        waiting_bytes = self._put_bytes - self._drained_bytes + len(payload)
        is_full = len(self._queue) >= self._queue_max or waiting_bytes > self._queue_bytes_max
        if self.failure is not None or is_full:
            self.dropped += 1
            return
        self.recorded += 1
        self._put_bytes += len(payload)
        self._queue.append(Entry(self._now_ns(), kind, venue, payload))

    def _run(self) -> None:
        idle_s = 0.0
        try:
            while not self._stopped.wait(PAUSE_S):
                self._drain()
                idle_s += PAUSE_S
                if idle_s >= FLUSH_S:
                    self._writer.flush()
                    idle_s = 0.0
            self._drain()
            self._writer.close()
        except OSError as error:
            self.failure = error
            self._queue.clear()
            logger.exception("The recording in %s has ended", self._writer.directory)

    def _drain(self) -> None:
        for _ in range(len(self._queue)):
            entry = self._queue.popleft()
            self._writer.add(entry)
            self._drained_bytes += len(entry.payload)
