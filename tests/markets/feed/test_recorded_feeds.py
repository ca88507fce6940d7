"""Feeds of simulated venues recorded, played back and shown again by another simulated venue."""

import asyncio
import os
import signal
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from arbplatform.core.clock import FixedClock
from arbplatform.core.errors import InvalidInput
from markets.domain.feeds import FeedState
from markets.feed.frames import open_session
from markets.feed.playback import play_session
from markets.feed.recording import Recorder
from markets.feed.sessions import EntryKind, is_session, read_session, write_session
from markets.management.commands import record_feed
from markets.models import Venue
from markets.services.markets import sync_markets
from markets.services.recordings import record_feeds
from markets.simulator.config import parse_config
from markets.simulator.world import World
from tests.markets.feed.stage import SYMBOL, followed, move
from tests.markets.simulator.worlds import two_venues


def world_showing(session, *, symbol=SYMBOL, with_opener=True, **more):
    config = two_venues()
    replay = {"path": str(session), "exchange": "alpha", "symbol": symbol, "speed": 0, **more}
    config["venues"][1]["replay"] = replay
    opener = open_session if with_opener else None
    return World(parse_config(config), clock=FixedClock(0), open_session=opener)


def bids_of(world, symbol=SYMBOL):
    listing = world.venues["beta"].engine.listings[symbol]
    rules = listing.rules
    return [(price * rules.tick, lots * rules.lot) for price, lots in listing.book.bids.depth(9)]


@pytest.fixture
async def session(simulator, alpha, tmp_path):
    """What was recorded while two bids came, with what a listener was told."""
    recorder = Recorder(tmp_path / "session")
    recorder.start()
    async with followed(alpha, tape=recorder) as told:
        await told.until_state("healthy")
        for price in ("50001", "50002.5"):
            move(simulator, price)
            await told.until_bid(float(price))
    await asyncio.to_thread(recorder.stop)
    return tmp_path / "session", told


async def test_a_playback_changes_books_as_the_live_feed_did(session):
    path, told = session

    played = [
        (book.venue, book.symbol, book.best_bid, book.best_ask) for _, book in play_session(path)
    ]

    assert played == told.books
    kinds = [entry.kind for entry in read_session(path)]
    assert kinds[0] is EntryKind.HEAD
    assert {EntryKind.LOST, EntryKind.SNAPSHOT, EntryKind.FRAME} < set(kinds)


async def test_a_simulated_venue_shows_a_recorded_session(session):
    path, _ = session
    world = world_showing(path, levels=2)
    world.start()
    replay = world.replays["beta"]

    replay.advance(1)
    assert bids_of(world) == [(Decimal(50000), Decimal(1)), (Decimal("49999.5"), Decimal(2))]

    while replay.advance(10):
        pass
    assert bids_of(world)[0] == (Decimal("50002.5"), Decimal(1))
    assert replay.is_over
    assert replay.skipped == 0


async def test_only_the_wanted_symbol_of_a_session_is_shown(session):
    path, _ = session
    world = world_showing(path, symbol="ETH/BTC")
    world.start()

    world.replays["beta"].advance(2)

    assert bids_of(world, "ETH/BTC") == []
    assert world.replays["beta"].position == 2


def test_a_session_needs_somebody_who_can_read_it(tmp_path):
    with pytest.raises(InvalidInput, match=r"by `manage\.py simulate`"):
        world_showing(tmp_path, with_opener=False)


def test_a_directory_without_a_session_is_refused(tmp_path):
    write_session(tmp_path, [])

    with pytest.raises(InvalidInput, match="There is no session in"):
        world_showing(tmp_path).start()


@pytest.fixture
def recorded_venue(db, alpha):
    venue = Venue.objects.create(
        code="alpha",
        name="Alpha",
        ccxt_id="binance",
        rest_origin=alpha.rest_origin,
        ws_origin=alpha.ws_origin,
    )
    sync_markets(venue_id=venue.pk)
    return venue


@pytest.fixture
def end_when(monkeypatch):
    """Return a function that has the recording of a command end when its feeds are in such states.

    It ends as by somebody who looks at its progress.
    """

    def arrange(*states):
        def record_watched(*, tell, **wanted):
            is_ending = False

            def watch(report):
                nonlocal is_ending
                tell(report)
                if not is_ending and sorted(feed.state for feed in report.feeds) == sorted(states):
                    is_ending = True
                    os.kill(os.getpid(), signal.SIGINT)

            return record_feeds(tell=watch, **wanted)

        monkeypatch.setattr(record_feed, "record_feeds", record_watched)

    return arrange


def record(*arguments):
    said, progress = StringIO(), StringIO()
    call_command("record_feed", *arguments, stdout=said, stderr=progress)
    return said.getvalue()


def test_the_command_records_a_session(recorded_venue, tmp_path, end_when):
    end_when(FeedState.HEALTHY, FeedState.STALE)

    said = record(
        *("--venue", "alpha", "--symbol", SYMBOL, "--symbol", "ETH/BTC"),
        *("--seconds", "60", "--dir", str(tmp_path / "one")),
    )

    assert "1 of 2 feeds healthy in" in said
    assert "alpha ETH/BTC: stale" in said
    assert "dropped" not in said
    # the two snapshots are read at the same time: either may come first
    shown = {(book.symbol, book.best_bid) for _, book in play_session(tmp_path / "one")}
    assert (SYMBOL, 50000.0) in shown


def test_a_signal_ends_a_recording_early_and_keeps_what_was_heard(alpha, tmp_path):
    told = []

    def interrupt(report):
        if any(feed.state is FeedState.HEALTHY for feed in report.feeds):
            os.kill(os.getpid(), signal.SIGINT)
        told.append(report)

    report = record_feeds(
        wanted={alpha: [SYMBOL]}, directory=tmp_path, seconds=3_600, tell=interrupt
    )

    assert report.elapsed_s < 3_600
    assert report.recorded >= told[-1].recorded > 0
    assert len(list(play_session(tmp_path))) == 1


def test_without_a_directory_the_session_is_named_after_its_begin(
    recorded_venue, tmp_path, settings
):
    settings.RECORDINGS_DIR = tmp_path

    said = record("--venue", "alpha", "--symbol", SYMBOL, "--seconds", "1")

    [made] = tmp_path.iterdir()
    assert is_session(made)
    assert str(made) in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--venue", "nowhere", "--symbol", SYMBOL, "--seconds", "1"), "nowhere"),
        (("--venue", "alpha", "--symbol", "DOGE/USDT", "--seconds", "1"), "DOGE/USDT"),
        (("--venue", "alpha", "--symbol", SYMBOL, "--seconds", "0"), "--seconds must be above 0"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_is_written(
    recorded_venue, tmp_path, arguments, sentence
):
    with pytest.raises(CommandError, match=sentence):
        record(*arguments, "--dir", str(tmp_path / "one"))

    assert not (tmp_path / "one").exists()


def test_a_directory_that_cannot_be_written_is_told(recorded_venue, tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("")

    with pytest.raises(CommandError, match="cannot be written to"):
        record(*("--venue", "alpha", "--symbol", SYMBOL, "--seconds", "1", "--dir", str(occupied)))


def test_a_disk_that_is_full_ends_the_recording_with_a_sentence(
    recorded_venue, tmp_path, monkeypatch
):
    def fail(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(CommandError, match="No space left on device"):
        record(*("--venue", "alpha", "--symbol", SYMBOL, "--seconds", "20", "--dir", str(tmp_path)))
