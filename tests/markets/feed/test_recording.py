"""The recorder beside the loop: it never waits, and never takes anybody down."""

import logging
import threading
from itertools import count

import pytest

from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.live_book import LiveBook
from markets.feed import recording
from markets.feed.playback import BookText, play_session
from markets.feed.recording import Recorder
from markets.feed.sessions import EntryKind, SessionWriter, read_session
from markets.gateway.base import VenueSpec
from markets.gateway.wire.messages import BookKind, BookMessage

ALPHA = VenueSpec("alpha", "binance")


class FullDisk(SessionWriter):
    def flush(self):
        raise OSError(28, "No space left on device")


class Watched(SessionWriter):
    """Tells when a block was closed."""

    def __init__(self, directory):
        super().__init__(directory)
        self.flushed = threading.Event()

    def flush(self):
        super().flush()
        if self.written_bytes:
            self.flushed.set()


@pytest.fixture
def recorder(tmp_path):
    numbers = count(1)
    return Recorder(tmp_path / "session", now_ns=lambda: next(numbers), queue_max=5)


def test_what_was_said_can_be_played_back(recorder, tmp_path):
    book = LiveBook("alpha", "BTC/USDT", depth_max=7, tick=0.5)
    message = BookMessage(
        "BTC/USDT", BookKind.SNAPSHOT, None, 1, [("10", "1")], [("11", "1")], 3, limit=1000
    )
    recorder.start()
    recorder.venue(ALPHA, {"BTCUSDT": book})
    recorder.snapshot("alpha", "BTC/USDT", message)
    recorder.frame(
        "alpha", '{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":2,"u":2,"b":[["10.5","2"]],"a":[]}'
    )
    recorder.lost("alpha", ["BTC/USDT"])
    recorder.stop()

    assert (recorder.recorded, recorder.dropped, recorder.failure) == (4, 0, None)
    assert recorder.written_bytes == sum(
        part.stat().st_size for part in (tmp_path / "session").iterdir()
    )
    played = [
        (at, book.best_bid, book.bids.depth_max, book.tick)
        for at, book in play_session(tmp_path / "session")
    ]
    assert played == [(2, 10.0, 7, 0.5), (3, 10.5, 7, 0.5)]


def test_books_of_venues_whose_messages_cannot_be_read_back_are_recorded_whole(recorder, tmp_path):
    book = LiveBook("gamma", "BTC/USD")
    book.replace([["10", "1"], ["9", "1"]], [["11", "1"]], received_at_ms=1)

    recorder.book_changed(book)
    recorder.book_changed(book)
    recorder.feed_changed(FeedStatus("gamma", "BTC/USD", FeedState.HEALTHY, None, 1))
    recorder.feed_changed(FeedStatus("gamma", "BTC/USD", FeedState.DOWN, None, 2))
    recorder.start()
    recorder.stop()
    recorder.stop()

    entries = list(read_session(tmp_path / "session"))
    kinds = [EntryKind.HEAD, EntryKind.BOOK, EntryKind.BOOK, EntryKind.LOST]
    assert [entry.kind for entry in entries] == kinds
    assert BookText.from_json(entries[1].payload).bids == [["10", "1"], ["9", "1"]]
    assert [book.best_ask for _, book in play_session(tmp_path / "session")] == [11.0, 11.0]


def test_a_book_whose_messages_are_recorded_is_not_recorded_again(recorder, tmp_path):
    book = LiveBook("alpha", "BTC/USDT")
    recorder.venue(ALPHA, {"BTCUSDT": book})

    recorder.book_changed(book)
    recorder.feed_changed(FeedStatus("alpha", "BTC/USDT", FeedState.DOWN, None, 2))

    assert recorder.recorded == 1


def test_entries_that_find_the_queue_full_are_dropped_and_counted(recorder, tmp_path):
    for _ in range(8):
        recorder.frame("alpha", b"{}")
    recorder.start()
    recorder.stop()

    assert (recorder.recorded, recorder.dropped) == (5, 3)
    assert len(list(read_session(tmp_path / "session"))) == 5


def test_entries_that_wait_are_bounded_by_their_size_too(tmp_path):
    recorder = Recorder(tmp_path / "session", queue_bytes_max=10)
    recorder.frame("alpha", "123456")
    recorder.frame("alpha", "12345")
    recorder.frame("alpha", "1234")

    recorder.start()
    recorder.stop()
    recorder.frame("alpha", "1234567890")

    assert (recorder.recorded, recorder.dropped) == (3, 1)


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path, caplog):
    recorder = Recorder(tmp_path, writer=FullDisk(tmp_path, block_bytes=1))
    recorder.frame("alpha", b"{}")
    recorder.start()
    with caplog.at_level(logging.ERROR):
        recorder.stop()

    assert isinstance(recorder.failure, OSError)
    assert "has ended" in caplog.text
    recorder.frame("alpha", b"{}")
    assert (recorder.recorded, recorder.dropped) == (1, 1)


def test_entries_reach_the_disk_while_the_recording_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "PAUSE_S", 0.001)
    monkeypatch.setattr(recording, "FLUSH_S", 0.001)
    writer = Watched(tmp_path)
    recorder = Recorder(tmp_path, writer=writer)
    recorder.start()

    recorder.frame("alpha", b"{}")

    assert writer.flushed.wait(10)
    assert len(list(read_session(tmp_path))) == 1
    recorder.stop()
