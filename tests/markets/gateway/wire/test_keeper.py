"""The life of a book: snapshots, differences, losses and how it heals, venue by venue."""

from decimal import Decimal
from itertools import permutations
from zlib import crc32

import pytest

from markets.domain.live_book import LiveBook
from markets.gateway.wire import keeper as keeper_module
from markets.gateway.wire.checksums import interleaved_crc32, kraken_crc32
from markets.gateway.wire.gate import GATE_BY_REST, GATE_FULL
from markets.gateway.wire.keeper import OLD_MAX, BookKeeper, Verdict
from markets.gateway.wire.messages import BookKind, BookMessage, Step
from markets.gateway.wire.protocols import wire_book_for
from markets.gateway.wire.sequences import continues, covers, is_uncounted, rises

BINANCE = wire_book_for("binance", is_spot=True)
OKX = wire_book_for("okx", is_spot=True)
BYBIT = wire_book_for("bybit", is_spot=True)
BITGET = wire_book_for("bitget", is_spot=True)
KRAKEN = wire_book_for("kraken", is_spot=True)


def make_keeper(wire):
    return BookKeeper(wire, LiveBook("v", "A/B"))


def snapshot(last, bids=(("10", "1"),), asks=(("11", "1"),), **more):
    return BookMessage("AB", BookKind.SNAPSHOT, None, last, list(bids), list(asks), **more)


def delta(previous, last, size=None, **more):
    """Return a difference after which the best bid has the quantity ``last``."""
    bids = [("10", str(last if size is None else size))]
    return BookMessage("AB", BookKind.DELTA, previous, last, bids, [], **more)


def take(keeper, *messages):
    return [keeper.take(message, received_at_ms=n) for n, message in enumerate(messages, 1)]


def adopt(keeper, message):
    return keeper.adopt(message, received_at_ms=100)


APPLIED, IGNORED, WAITING = Verdict.APPLIED, Verdict.IGNORED, Verdict.WAITING
GAP, BROKEN, MISMATCH = Verdict.GAP, Verdict.BROKEN, Verdict.MISMATCH


def test_differences_wait_for_the_snapshot_and_what_it_knows_already_is_left_out():
    keeper = make_keeper(BINANCE)

    assert str(keeper.reason) == "There has been no snapshot of the book yet."
    assert take(keeper, delta(0, 5), delta(5, 8), delta(8, 12)) == [WAITING] * 3
    assert adopt(keeper, snapshot(6)) is APPLIED
    assert (keeper.is_current, keeper.reason) == (True, None)
    assert keeper.book.best_bid_quantity == 12.0
    assert keeper.book.sequence == 12
    assert take(keeper, delta(12, 13)) == [APPLIED]


def test_a_snapshot_older_than_the_differences_is_not_taken_and_a_newer_one_is():
    keeper = make_keeper(BINANCE)
    take(keeper, delta(5, 8), delta(8, 12))

    assert adopt(keeper, snapshot(4)) is WAITING
    assert not keeper.is_current
    assert keeper.book.version == 0
    assert str(keeper.reason) == (
        "The snapshot ends at number 4, before the messages that were received."
    )
    assert adopt(keeper, snapshot(20)) is APPLIED
    assert keeper.book.best_bid_quantity == 1.0
    assert take(keeper, delta(18, 20), delta(20, 21)) == [IGNORED, APPLIED]


def test_a_lost_message_closes_the_gate_until_a_snapshot_comes():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))

    assert take(keeper, delta(5, 6), delta(7, 8), delta(8, 9)) == [APPLIED, GAP, WAITING]
    assert not keeper.is_current
    assert str(keeper.reason) == ("A message is missing: after number 6 came what changes 7.")
    assert adopt(keeper, snapshot(6)) is WAITING
    assert adopt(keeper, snapshot(7)) is APPLIED
    assert (keeper.is_current, keeper.book.best_bid_quantity) == (True, 9.0)


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("wire", [BINANCE, BYBIT, GATE_BY_REST, GATE_FULL, OKX])
def test_overtaken_messages_are_put_in_order_and_the_gate_opens_again(wire, order):
    keeper = make_keeper(wire)
    messages = [delta(n, n + 1) for n in range(5, 9)]
    if wire.read_snapshot is None:
        take(keeper, snapshot(5))
    else:
        adopt(keeper, snapshot(5))

    verdicts = take(keeper, *(messages[n] for n in order))

    assert verdicts[-1] is APPLIED
    assert (GAP in verdicts) is (list(order) != sorted(order))
    assert (keeper.is_current, keeper.book.best_bid_quantity) == (True, 9.0)
    assert keeper.reason is None


def test_messages_overtaken_before_the_snapshot_are_put_in_order_too():
    keeper = make_keeper(BINANCE)
    take(keeper, delta(7, 8), delta(5, 7))

    assert adopt(keeper, snapshot(6)) is APPLIED
    assert keeper.book.best_bid_quantity == 8.0


def test_a_message_that_comes_twice_is_ignored():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))

    assert take(keeper, delta(5, 6), delta(5, 6, size=99)) == [APPLIED, IGNORED]
    assert keeper.book.best_bid_quantity == 6.0


def test_a_snapshot_of_the_stream_replaces_the_book_even_when_numbers_begin_again():
    keeper = make_keeper(BYBIT)
    take(keeper, snapshot(700), delta(700, 701))

    assert take(keeper, snapshot(1, bids=[("9", "3")]), delta(1, 2, size=4)) == [APPLIED] * 2
    assert keeper.book.to_book(5).bids == ((10, 4), (9, 3))


def test_a_lost_message_of_a_venue_with_snapshots_in_its_stream_heals_by_the_next_one():
    keeper = make_keeper(BYBIT)

    assert take(keeper, delta(3, 4)) == [WAITING]
    assert take(keeper, snapshot(5), delta(6, 7), delta(7, 8)) == [APPLIED, GAP, WAITING]
    assert take(keeper, snapshot(9), delta(9, 10)) == [APPLIED, APPLIED]
    assert keeper.is_current


def test_okx_may_say_that_nothing_changed_and_may_count_backwards_after_maintenance():
    keeper = make_keeper(OKX)
    take(keeper, snapshot(15))
    silent = BookMessage("AB", BookKind.DELTA, 15, 15, [], [])

    assert keeper.take(silent, received_at_ms=60) is APPLIED
    assert (keeper.book.received_at_ms, keeper.book.version) == (60, 1)
    assert take(keeper, delta(15, 3), delta(3, 5)) == [APPLIED, APPLIED]
    assert take(keeper, delta(15, 16)) == [GAP]


def test_what_is_applied_to_a_wrong_book_fails_the_checksum_and_the_book_is_thrown_away():
    keeper = make_keeper(OKX)
    true = LiveBook("v", "A/B")
    true.replace([("10", "2")], [("11", "1")], received_at_ms=1)
    checksum = interleaved_crc32(true)
    take(keeper, snapshot(1))

    assert take(keeper, delta(1, 2, checksum=checksum)) == [APPLIED]
    assert take(keeper, delta(2, 3, checksum=checksum)) == [MISMATCH]
    assert (keeper.is_current, keeper.book.best_bid) == (False, 0.0)
    assert take(keeper, delta(3, 4)) == [WAITING]
    assert take(keeper, snapshot(4)) == [APPLIED]


def test_a_message_without_levels_does_not_confirm_a_book_that_lacks_another():
    true = LiveBook("v", "A/B")
    true.replace([("10", "2")], [("11", "1")], received_at_ms=1)
    keeper = make_keeper(KRAKEN)
    take(keeper, snapshot(None))

    empty = BookMessage("AB", BookKind.DELTA, None, None, [], [], 9, kraken_crc32(true))

    assert take(keeper, empty) == [MISMATCH]
    assert not keeper.is_current


@pytest.mark.parametrize(
    ("bids", "asks", "text"),
    [
        ([("10", "1")], [("11", "1"), ("12", "2")], "10:1:11:1:12:2"),
        ([("9", "1.0"), ("8", "2")], [("10", "1")], "9:1.0:10:1:8:2"),
    ],
)
def test_a_checksum_goes_on_with_the_longer_side(bids, asks, text):
    book = LiveBook("v", "A/B")
    book.replace(bids, asks, received_at_ms=1)

    unsigned = crc32(text.encode()).to_bytes(4, "big")
    assert interleaved_crc32(book) == int.from_bytes(unsigned, "big", signed=True)


@pytest.mark.parametrize(
    ("bid", "fault"), [("11.5", "crossed"), ("11", "locked"), ("x", "malformed")]
)
def test_a_book_that_cannot_be_true_is_thrown_away(bid, fault):
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))
    broken = BookMessage("AB", BookKind.DELTA, 5, 6, [(bid, "1")], [])

    assert take(keeper, broken) == [BROKEN]
    assert (keeper.is_current, keeper.book.best_ask) == (False, 0.0)
    assert str(keeper.reason) == f"The book is {fault}."
    assert take(keeper, delta(6, 7)) == [WAITING]
    assert adopt(keeper, snapshot(6)) is APPLIED
    assert keeper.book.best_bid_quantity == 7.0


def test_an_unsorted_snapshot_is_thrown_away_and_an_empty_book_is_not():
    keeper = make_keeper(BYBIT)

    assert take(keeper, snapshot(1, bids=[("9", "1"), ("10", "1")])) == [BROKEN]
    assert take(keeper, snapshot(2, bids=[], asks=[])) == [APPLIED]
    assert keeper.is_current


def test_a_broken_message_behind_a_snapshot_or_a_gap_stops_there():
    broken = BookMessage("AB", BookKind.DELTA, 6, 7, [("12", "1")], [])
    waiting = make_keeper(BINANCE)
    take(waiting, delta(5, 6), broken, delta(7, 8))
    behind_gap = make_keeper(BINANCE)
    adopt(behind_gap, snapshot(5))
    take(behind_gap, broken, delta(7, 8))

    assert adopt(waiting, snapshot(5)) is BROKEN
    assert take(behind_gap, delta(5, 6)) == [BROKEN]
    assert not waiting.is_current
    assert not behind_gap.is_current


def test_a_broken_message_that_closes_a_gap_is_no_healing():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))

    broken = BookMessage("AB", BookKind.DELTA, 5, 6, [("12", "1")], [])
    assert take(keeper, delta(6, 7), broken) == [GAP, BROKEN]
    assert not keeper.is_current


def test_a_current_book_can_be_refreshed_by_a_snapshot_that_is_some_messages_old():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))
    keeper.refresh()
    take(keeper, delta(5, 6), delta(6, 7), delta(7, 8))

    deep = snapshot(6, bids=[("10", "6"), ("9", "5")])
    assert adopt(keeper, deep) is APPLIED
    assert keeper.is_current
    assert keeper.book.to_book(5).bids == ((10, 8), (9, 5))
    assert adopt(keeper, snapshot(9)) is IGNORED
    assert take(keeper, delta(8, 9)) == [APPLIED]


def test_a_refreshing_snapshot_from_before_the_request_changes_nothing():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))
    keeper.refresh()
    take(keeper, delta(5, 6))

    assert adopt(keeper, snapshot(3)) is IGNORED
    assert (keeper.is_current, keeper.book.best_bid_quantity) == (True, 6.0)


def test_a_book_that_is_not_current_is_not_refreshed():
    keeper = make_keeper(BINANCE)

    keeper.refresh()

    assert adopt(keeper, snapshot(5)) is APPLIED
    assert adopt(keeper, snapshot(6)) is IGNORED


def test_after_a_lost_connection_nothing_is_known():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))

    keeper.reset()

    assert (keeper.is_current, keeper.book.best_bid) == (False, 0.0)
    assert take(keeper, delta(5, 6)) == [WAITING]


def test_only_so_many_messages_wait(monkeypatch):
    monkeypatch.setattr(keeper_module, "HELD_MAX", 2)
    keeper = make_keeper(BINANCE)
    take(keeper, *(delta(n, n + 1) for n in range(5, 9)))

    assert adopt(keeper, snapshot(6)) is WAITING
    assert adopt(keeper, snapshot(7)) is APPLIED
    assert keeper.book.best_bid_quantity == 9.0


def test_few_large_messages_wait_where_many_small_ones_would(monkeypatch):
    monkeypatch.setattr(keeper_module, "HELD_LEVELS_MAX", 3)
    keeper = make_keeper(BINANCE)
    take(keeper, *(delta(n, n + 1) for n in range(5, 9)))
    large = BookMessage("AB", BookKind.DELTA, 9, 10, [("9", "1")] * 4, [])

    assert adopt(keeper, snapshot(5)) is WAITING
    take(keeper, large)
    assert adopt(keeper, snapshot(8)) is WAITING
    assert adopt(keeper, snapshot(9)) is APPLIED


def test_what_a_snapshot_knew_may_be_repeated_but_not_for_ever():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(900))
    old = [delta(n, n + 1) for n in range(OLD_MAX)]

    assert take(keeper, *old[:-1], delta(900, 901), *old[:-1]) == [
        *[IGNORED] * (OLD_MAX - 1),
        APPLIED,
        *[IGNORED] * (OLD_MAX - 1),
    ]
    assert keeper.is_current
    assert take(keeper, old[-1]) == [GAP]
    assert not keeper.is_current
    assert str(keeper.reason) == (
        "50 messages in a row ended before number 901: the venue counts anew."
    )
    assert adopt(keeper, snapshot(OLD_MAX - 1)) is APPLIED
    assert keeper.book.best_bid_quantity == float(OLD_MAX)


@pytest.mark.parametrize("wire", [BITGET, KRAKEN, OKX])
def test_a_difference_that_nothing_verifies_closes_the_gate(wire):
    keeper = make_keeper(wire)
    take(keeper, snapshot(5))

    assert take(keeper, delta(None, 6)) == [GAP]
    assert not keeper.is_current


def test_a_message_of_bitget_behind_a_newer_one_closes_the_gate_until_a_snapshot():
    keeper = make_keeper(BITGET)
    book = LiveBook("v", "A/B")
    book.replace([("10", "9")], [("11", "1")], received_at_ms=1)
    ninth = delta(None, 9, checksum=interleaved_crc32(book))

    assert take(keeper, snapshot(5), ninth, ninth) == [APPLIED, APPLIED, IGNORED]
    assert take(keeper, delta(None, 7), delta(None, 12)) == [GAP, WAITING]
    assert take(keeper, snapshot(20)) == [APPLIED]
    assert take(keeper, delta(20, 25), delta(24, 26)) == [APPLIED, GAP]


@pytest.mark.parametrize(
    ("rule", "state", "previous", "last", "step"),
    [
        (covers, None, 1, 2, Step.GAP),
        (covers, 5, None, 6, Step.GAP),
        (covers, 5, 5, 6, Step.NEXT),
        (covers, 5, 3, 6, Step.NEXT),
        (covers, 5, 3, 5, Step.OLD),
        (covers, 5, 6, 7, Step.GAP),
        (continues, None, 1, 2, Step.GAP),
        (continues, 5, None, None, Step.GAP),
        (continues, 5, 5, 4, Step.NEXT),
        (continues, 5, 4, 5, Step.OLD),
        (continues, 5, 3, 4, Step.GAP),
        (rises, None, None, 3, Step.GAP),
        (is_uncounted, None, None, None, Step.GAP),
    ],
)
def test_rules_of_sequence(rule, state, previous, last, step):
    assert rule(state, delta(previous, last, size=1)) is step


@pytest.mark.parametrize(
    ("rule", "state", "last", "step"),
    [
        (rises, None, 3, Step.NEXT),
        (rises, 5, None, Step.NEXT),
        (rises, 5, 5, Step.OLD),
        (rises, 5, 4, Step.GAP),
        (continues, 5, None, Step.NEXT),
        (is_uncounted, None, None, Step.NEXT),
    ],
)
def test_rules_of_sequence_that_rest_on_a_checksum(rule, state, last, step):
    assert rule(state, delta(None, last, size=1, checksum=1)) is step


def cut_keeper():
    """Return a keeper whose snapshot by REST, number 5, ended at one level of each side."""
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5, limit=1))
    return keeper


def change(previous, *, bids=(), asks=()):
    return BookMessage("AB", BookKind.DELTA, previous, previous + 1, list(bids), list(asks))


GONE = change(5, asks=[("11", "0"), ("13", "3")])


def test_a_price_that_leaves_the_levels_of_the_snapshot_closes_the_gate():
    keeper = cut_keeper()

    assert take(keeper, GONE, change(6, asks=[("14", "4")])) == [BROKEN, WAITING]
    assert not keeper.is_current
    assert str(keeper.reason) == (
        "The price has left the levels that the snapshot of the book told of."
    )


def test_a_snapshot_some_messages_old_brings_the_levels_back_that_were_out_of_sight():
    keeper = cut_keeper()
    take(keeper, GONE, change(6, bids=[("10.5", "2")]), change(7, asks=[("14", "4")]))

    assert adopt(keeper, snapshot(4, asks=[("12", "1")])) is WAITING
    assert adopt(keeper, snapshot(6, asks=[("12", "1"), ("13", "3")], limit=5)) is APPLIED
    assert keeper.is_current
    exact = keeper.book.to_book(5)
    assert exact.asks == ((12, 1), (13, 3), (14, 4))
    assert exact.best_bid == (Decimal("10.5"), 2)


def test_messages_alone_bring_the_best_levels_back_when_they_prove_them():
    keeper = cut_keeper()
    keeper.book.tick = 1.0

    # bids up to 12.5 prove that no ask lies below, and nothing lies between it and 13
    assert take(keeper, GONE, change(6, bids=[("12.5", "2")])) == [BROKEN, APPLIED]
    assert keeper.is_current
    assert keeper.book.to_book(5).asks == ((13, 3),)
    assert take(keeper, change(7, bids=[("12.5", "0")])) == [APPLIED]


def test_a_sign_of_life_brings_no_levels_back_and_keeps_no_snapshot_out():
    keeper = cut_keeper()

    assert take(keeper, GONE, change(6)) == [BROKEN, WAITING]
    assert not keeper.is_current
    assert adopt(keeper, snapshot(6, asks=[("13", "3")], limit=1)) is APPLIED
    assert take(keeper, change(7)) == [APPLIED]


def test_a_gap_while_the_levels_are_out_of_sight_heals_only_with_both():
    keeper = cut_keeper()
    keeper.book.tick = 1.0
    missing = change(6, bids=[("12.5", "2")])

    assert take(keeper, GONE, change(7, asks=[("14", "1")]), missing) == [BROKEN, WAITING, APPLIED]
    assert keeper.book.to_book(5).asks == ((13, 3),)


def test_a_snapshot_whose_levels_have_all_gone_meanwhile_is_no_help():
    keeper = make_keeper(BINANCE)
    take(keeper, GONE)

    assert adopt(keeper, snapshot(5, limit=1)) is WAITING
    assert not keeper.is_current
    assert adopt(keeper, snapshot(6, asks=[("13", "3")], limit=1)) is APPLIED


def test_a_gap_of_which_only_a_part_closes_stays_closed():
    keeper = make_keeper(BYBIT)
    take(keeper, snapshot(5))

    late = [delta(9, 10), delta(7, 8), delta(5, 6)]
    assert take(keeper, *late) == [GAP, WAITING, WAITING]
    assert take(keeper, delta(6, 7), delta(8, 9)) == [WAITING, APPLIED]
    assert keeper.book.best_bid_quantity == 10.0


def test_a_broken_message_behind_a_closed_gap_throws_the_book_away():
    keeper = make_keeper(BINANCE)
    adopt(keeper, snapshot(5))

    assert take(keeper, change(6, bids=[("12", "1")]), delta(5, 6)) == [GAP, BROKEN]
    assert keeper.book.best_bid == 0.0
