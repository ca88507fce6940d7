"""Recorded books as quotes."""

import json
import lzma
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from arbplatform.core.errors import InvalidInput
from markets.domain.orders import Side, TimeInForce
from markets.simulator.demo import replay_config
from markets.simulator.exchange.orders import Ticket
from markets.simulator.replay import read_frames
from tests.markets.simulator.worlds import new_world, two_venues

KEYS = {"ex1": ("key-1", "secret-1"), "ex2": ("key-2", "secret-2")}
RECORDING = (
    Path(settings.BASE_DIR) / "../shared/data/orderbooks/measurevolume/ORDER_BOOK_h00-h09.jsonl.xz"
)


def frame(at_s, exchange, bids, asks):
    return {"timestamp": at_s, "exchange": exchange, "bids": bids, "asks": asks}


FRAMES = [
    frame(1.0, "EX1", [["49000", "1"]], [["49100.00", "0.5"], ["49200", "2"]]),
    frame(2.5, "EX2", [[49300.00001, 0.25]], [[49400.5, 1]]),
    frame(3.0, "EX1", [["49000", "1"]], [["49100.00", "0.5"], ["49200", "3"]]),
    frame(4.0, "EX1", [["49000", "1"]], [["49100.00", "0.4"]]),
    frame(5.0, "EX1", [["49500", "1"]], [["49100", "0.4"]]),
    frame(6.0, "EX1", [["49000", "1"]], [["49100", "0.4"]]),
]


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "books.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in FRAMES))
    return path


@pytest.fixture
def make_world(recording, clock):
    def make(**more):
        return new_world(replay_config(recording, keys=KEYS, **more), clock)

    return make


def asks(world, venue="ex1"):
    listing = world.venues[venue].engine.listings["BTC/BRL"]
    rules = listing.rules
    return [(price * rules.tick, lots * rules.lot) for price, lots in listing.book.asks.depth(10)]


def bids(world, venue):
    listing = world.venues[venue].engine.listings["BTC/BRL"]
    return [
        (price * listing.rules.tick, lots * listing.rules.lot)
        for price, lots in listing.book.bids.depth(10)
    ]


def buy(world, quantity, price):
    venue = world.venues["ex1"]
    return venue.place(
        venue.engine.accounts["demo"],
        venue.engine.listings["BTC/BRL"],
        Ticket(Side.BUY, Decimal(quantity), Decimal(price), time_in_force=TimeInForce.IOC),
    ).order


def test_books_are_shown_exactly_as_recorded_and_venues_keep_step(make_world):
    world = make_world()
    replay = world.replays["ex1"]
    assert replay is world.replays["ex2"]
    assert asks(world) == []

    assert replay.advance(2) == 2

    assert asks(world) == [(Decimal("49100.00"), Decimal("0.5")), (Decimal(49200), Decimal(2))]
    assert bids(world, "ex2") == [(Decimal("49300.00001"), Decimal("0.25"))]
    assert (replay.at_s, replay.position) == (2.5, 2)


def test_what_is_taken_stays_taken_until_the_recorded_level_changes(make_world):
    world = make_world()
    replay = world.replays["ex1"]
    replay.advance(1)

    order = buy(world, "0.6", "49200")
    assert order.executed * Decimal("0.00000001") == Decimal("0.6")
    assert asks(world) == [(Decimal(49200), Decimal("1.9"))]

    replay.advance(2)  # the first level is recorded unchanged, the second one grew to 3
    assert asks(world) == [(Decimal(49200), Decimal(3))]

    replay.advance(1)  # now the first level is recorded anew
    assert asks(world) == [(Decimal(49100), Decimal("0.4"))]


def test_a_part_that_is_taken_stays_taken_as_well(make_world):
    world = make_world()
    world.replays["ex1"].advance(1)
    buy(world, "0.2", "49100")

    world.replays["ex1"].advance(2)

    assert asks(world)[0] == (Decimal(49100), Decimal("0.3"))


def test_a_crossed_recording_is_passed_over(make_world):
    world = make_world()
    replay = world.replays["ex1"]

    replay.advance(5)

    assert replay.skipped == 1
    assert bids(world, "ex1") == [(Decimal(49000), Decimal(1))]


def test_a_replay_ends_with_its_file_or_its_count(make_world):
    whole = make_world().replays["ex1"]
    part = make_world(start=1, count=2).replays["ex1"]

    assert (whole.advance(100), whole.is_over, whole.advance(1)) == (6, True, 0)
    assert (part.advance(100), part.is_over, part.at_s) == (2, True, 3.0)


def test_a_start_beyond_the_end_is_told(make_world):
    with pytest.raises(InvalidInput, match="has no frame 7"):
        make_world(start=7)


def test_levels_beyond_the_configured_number_are_left_out(make_world):
    world = make_world(levels=1)
    world.replays["ex1"].advance(1)

    assert len(asks(world)) == 1


def test_what_is_off_the_grid_is_rounded_to_be_worse(recording, clock):
    config = two_venues()
    venue = config["venues"][0]
    venue["markets"][0]["symbol"] = "BTC/USDT"
    venue["replay"] = {"path": str(recording), "exchange": "EX1", "symbol": "BTC/USDT", "speed": 0}
    rows = [frame(1, "EX1", [["100.19", "1.00019"]], [["100.21", "0.5"], ["100.29", "0.5"]])]
    recording.write_text("".join(json.dumps(row) + "\n" for row in rows))
    world = new_world(config, clock)

    world.replays["alpha"].advance(1)

    book = world.venues["alpha"].engine.listings["BTC/USDT"].book
    assert book.bids.depth(5) == [(1001, 10_001)]  # 100.1 and 1.0001
    assert book.asks.depth(5) == [(1003, 10_000)]  # both at 100.3


def test_compressed_recordings_are_read_too(tmp_path):
    path = tmp_path / "books.jsonl.xz"
    path.write_bytes(lzma.compress(json.dumps(FRAMES[0]).encode() + b"\n\n"))

    [found] = read_frames(path)

    assert (found.at_s, found.exchange, found.asks[0]) == (1.0, "EX1", ["49100.00", "0.5"])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"timestamp": 1}\n', "Line 1 of the recording"),
        (b'{"timestamp": 1, "exchange": "X", "bids": [], "asks": []}\nnope\n', "Line 2"),
    ],
)
def test_a_damaged_recording_is_told_with_its_line(tmp_path, content, text):
    path = tmp_path / "books.jsonl"
    path.write_bytes(content)

    with pytest.raises(InvalidInput, match=text):
        list(read_frames(path))


@pytest.mark.parametrize("name", ["absent.jsonl", "broken.jsonl.xz"])
def test_a_recording_that_cannot_be_read_is_told(tmp_path, name):
    (tmp_path / "broken.jsonl.xz").write_bytes(b"not xz at all")

    with pytest.raises(InvalidInput, match="cannot be read"):
        list(read_frames(tmp_path / name))


def test_the_real_recording_shows_the_known_edges(clock):
    if not RECORDING.exists():
        pytest.skip("the shared recording of order books is not here")
    world = new_world(replay_config(RECORDING, keys=KEYS, start=7_300, count=300), clock)
    replay = world.replays["ex1"]
    seen = gross = net = 0
    while replay.advance(10):
        buy_at, sell_at = asks(world), bids(world, "ex2")
        if buy_at and sell_at:
            seen += 1
            gross += sell_at[0][0] > buy_at[0][0]
            net += sell_at[0][0] * Decimal("0.999") > buy_at[0][0] / Decimal("0.999")
            assert bids(world, "ex1")[0][0] < asks(world, "ex2")[0][0]

    assert replay.skipped == 0
    assert seen == 30
    assert 0 < net <= gross < seen
