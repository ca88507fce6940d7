"""Sessions played back give the books that there were, for every kind of entry."""

from decimal import Decimal
from zlib import crc32

import orjson
import pytest

from arbplatform.core.errors import InvalidInput
from markets.domain.live_book import LiveBook
from markets.feed.playback import BookText, Playback, VenueHead, play_session, text_of
from markets.feed.sessions import Entry, EntryKind, write_session

MS = 1_000_000
BINANCE = VenueHead("binance", {"BTCUSDT": "BTC/USDT"}, depth_max=10, ticks={"BTC/USDT": 0.5})
KRAKEN = VenueHead("kraken", {"BTC/USD": "BTC/USD"}, depth_max=2)
UNKNOWN = VenueHead("bitstamp", {"btcusd": "BTC/USD"})


def head(venue, value):
    return Entry(0, EntryKind.HEAD, venue, value.to_json())


def snapshot(at, bids, asks, number=5, venue="alpha"):
    text = BookText("BTC/USDT", bids, asks, sequence=number, limit=1000)
    return Entry(at, EntryKind.SNAPSHOT, venue, text.to_json())


def delta(at, number, bids=(), asks=(), symbol_id="BTCUSDT"):
    event = {
        "e": "depthUpdate",
        "E": 1,
        "s": symbol_id,
        "U": number,
        "u": number,
        "b": list(bids),
        "a": list(asks),
    }
    return Entry(at, EntryKind.FRAME, "alpha", orjson.dumps(event))


START = [
    head("alpha", BINANCE),
    delta(1 * MS, 5, [["9", "9"]]),
    snapshot(2 * MS, [["10", "1"]], [["11", "1"]]),
]


def play(entries):
    """Return what changed: time, symbol, best bid and ask."""
    playback = Playback()
    changes = [
        (entry.received_ns, book.symbol, book.best_bid, book.best_ask)
        for entry in entries
        for book in playback.take(entry)
    ]
    return playback, changes


def test_differences_and_snapshots_make_the_book_that_there_was():
    playback, changes = play([*START, delta(3 * MS, 6, [["10.5", "2"]])])

    assert changes == [(2 * MS, "BTC/USDT", 10.0, 11.0), (3 * MS, "BTC/USDT", 10.5, 11.0)]
    book = playback.books["alpha", "BTC/USDT"]
    assert (book.received_at_ms, book.sequence, book.tick) == (3, 6, 0.5)
    assert book.to_book(1).bids == ((Decimal("10.5"), 2),)
    assert playback.refused == 0


def test_a_gap_and_a_lost_connection_close_the_book_until_a_snapshot():
    lost = Entry(5 * MS, EntryKind.LOST, "alpha", b'["BTC/USDT","ETH/USDT"]')
    again = snapshot(7 * MS, [["12", "1"]], [["13", "1"]], number=9)

    _, changes = play([*START, delta(3 * MS, 8), delta(4 * MS, 9), lost, delta(6 * MS, 10), again])

    assert [change[0] for change in changes] == [2 * MS, 7 * MS]


def test_a_venue_whose_clients_cut_the_book_is_cut_as_it_was():
    text = '{"channel":"book","type":"%s","data":[{"symbol":"BTC/USD","bids":[%s],"asks":[]%s}]}'
    checksum = f',"checksum":{crc32(b"135212510")}'
    levels = ",".join(f'{{"price":{n}.5,"qty":1.0}}' for n in (12, 11))
    frames = [
        Entry(1, EntryKind.FRAME, "kraken-main", (text % ("snapshot", levels, "")).encode()),
        Entry(
            2,
            EntryKind.FRAME,
            "kraken-main",
            (text % ("update", '{"price":13.5,"qty":2}', checksum)).encode(),
        ),
    ]

    playback, changes = play([head("kraken-main", KRAKEN), *frames])

    assert [change[2] for change in changes] == [12.5, 13.5]
    book = playback.books["kraken-main", "BTC/USD"]
    assert book.bids.top(9) == [("13.5", "2"), ("12.5", "1.0")]
    assert book.bids.is_refilled


def test_books_of_other_venues_are_recorded_whole():
    live = LiveBook("gamma", "BTC/USD")
    live.replace(
        [["10.0", "1"]], [["11", "2"], ["12", "3"]], received_at_ms=1, venue_time_ms=7, sequence=3
    )
    whole = Entry(4 * MS, EntryKind.BOOK, "gamma", text_of(live, 1).to_json())
    broken = Entry(
        5 * MS,
        EntryKind.BOOK,
        "gamma",
        BookText("BTC/USD", [["12", "1"]], [["11", "1"]]).to_json(),
    )
    lost = Entry(6 * MS, EntryKind.LOST, "gamma", b'["BTC/USD"]')

    playback, changes = play([head("gamma", UNKNOWN), whole, broken, lost])

    assert changes == [(4 * MS, "BTC/USD", 10.0, 11.0)]
    book = playback.books["gamma", "BTC/USD"]
    assert (book.best_bid, book.asks.top(9), book.venue_time_ms) == (0.0, [], None)


def test_what_cannot_be_read_is_counted_and_passed_over():
    odd = [
        delta(3 * MS, 6, symbol_id="ETHUSDT"),
        Entry(3 * MS, EntryKind.FRAME, "alpha", b"pong"),
        Entry(3 * MS, EntryKind.FRAME, "beta", b"{}"),
        Entry(3 * MS, EntryKind.HEAD, "gamma", b'{"x":1}'),
        Entry(3 * MS, EntryKind.SNAPSHOT, "alpha", b"[]"),
    ]

    playback, changes = play(
        [*START, *odd, head("d", UNKNOWN), Entry(3, EntryKind.FRAME, "d", b"{}")]
    )

    assert [change[0] for change in changes] == [2 * MS]
    assert playback.refused == 6


def test_a_session_is_played_from_its_files(tmp_path):
    write_session(tmp_path, [*START, delta(3 * MS, 6, [["10.5", "2"]])])

    assert [(at, book.best_bid) for at, book in play_session(tmp_path)] == [
        (2 * MS, 10.0),
        (3 * MS, 10.5),
    ]


def test_a_session_without_a_book_is_refused(tmp_path):
    write_session(tmp_path, START[:2])

    with pytest.raises(InvalidInput, match="holds no order book"):
        list(play_session(tmp_path))
