"""Live books beside a dictionary that knows everything: same levels, never one out of place."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.book import Book, Level, Look
from markets.domain.book_side import LEVELS_MAX
from markets.domain.live_book import BookFault, LiveBook

NOW_MS = 1_700_000_000_000


def make_book(bids=(), asks=(), *, limit=None, **options):
    book = LiveBook("alpha", "BTC/USDT", **options)
    book.replace(list(bids), list(asks), received_at_ms=NOW_MS, limit=limit)
    return book


def wire(levels):
    return [[f"{price}", f"{quantity}"] for price, quantity in levels]


class Truth:
    """All levels of a venue, as a dictionary for each side."""

    def __init__(self):
        self.bids = {}
        self.asks = {}

    def apply(self, bids, asks):
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in changes:
                side.pop(Decimal(price), None)
                if Decimal(quantity):
                    side[Decimal(price)] = Decimal(quantity)

    def trade(self, bids, asks):
        """Apply changes, and return which asks the bids have taken, as no venue's book crosses."""
        self.apply(bids, asks)
        taken = [price for price in self.asks if self.bids and price <= max(self.bids)]
        for price in taken:
            del self.asks[price]
        return wire((price, 0) for price in taken)

    def best(self, depth):
        bids = sorted(self.bids.items(), reverse=True)[:depth]
        return bids, sorted(self.asks.items())[:depth]


PRICES = st.integers(1, 60)
QUANTITIES = st.sampled_from(["0", "0.000", "0.5", "1", "2.50"])
SIDE = st.lists(st.tuples(PRICES.map(lambda n: f"{n}.10"), QUANTITIES), max_size=12).map(
    lambda levels: [[price, quantity] for price, quantity in levels]
)
DIFFS = st.lists(st.tuples(SIDE, SIDE), max_size=15)


def snapshot_of(truth, depth):
    bids, asks = truth.best(depth)
    return wire(bids), wire(asks)


def exact_levels(book, depth=10_000):
    exact = book.to_book(depth)
    return [tuple(level) for level in exact.bids], [tuple(level) for level in exact.asks]


@given(start=st.tuples(SIDE, SIDE), diffs=DIFFS, depth=st.integers(1, 70))
def test_a_book_that_knows_all_levels_equals_the_dictionary(start, diffs, depth):
    truth = Truth()
    truth.apply(*start)
    book = make_book(*snapshot_of(truth, None))
    for n, (bids, asks) in enumerate(diffs, 2):
        truth.apply(bids, asks)
        book.apply(bids, asks, received_at_ms=NOW_MS + n)

        assert exact_levels(book, depth) == truth.best(depth)
        assert book.version == n
        bid, ask = (tuple(map(float, side[0])) if side else (0.0, 0.0) for side in truth.best(1))
        assert (book.best_bid, book.best_bid_quantity) == bid
        assert (book.best_ask, book.best_ask_quantity) == ask


@given(
    start=st.tuples(SIDE, SIDE),
    diffs=DIFFS,
    limit=st.none() | st.integers(1, 10),
    depth_max=st.integers(1, 12),
    tick=st.sampled_from([0.0, 1.0]),
)
def test_a_cut_book_shows_the_first_levels_and_never_one_behind_a_hole(
    start, diffs, limit, depth_max, tick
):
    truth = Truth()
    truth.apply(*start)
    truth.trade([], [])
    book = make_book(*snapshot_of(truth, limit), limit=limit, depth_max=depth_max, tick=tick)
    for bids, asks in [([], []), *diffs]:
        taken = truth.trade(bids, asks)
        book.apply(bids, asks + taken, received_at_ms=NOW_MS)

        for known, true, side in zip(
            exact_levels(book), truth.best(None), (book.bids, book.asks), strict=True
        ):
            assert known == true[: len(known)]
            assert len(known) <= depth_max
            hides_levels = len(true) > len(known)
            assert not hides_levels or side.horizon < float("inf")


@given(start=st.tuples(SIDE, SIDE), diffs=DIFFS, depth=st.integers(1, 6))
def test_a_refilled_book_follows_a_venue_that_leaves_the_cutting_to_its_clients(
    start, diffs, depth
):
    truth = Truth()
    truth.apply(*start)
    book = make_book(*snapshot_of(truth, depth), depth_max=depth, is_refilled=True)
    for bids, asks in diffs:
        before = [dict(side) for side in truth.best(depth)]
        truth.apply(bids, asks)
        changes = []
        for old, new, all_new in zip(
            before, truth.best(depth), (truth.bids, truth.asks), strict=True
        ):
            gone = [(price, "0") for price in old if price not in all_new]
            news = [(price, size) for price, size in new if old.get(price) != size]
            changes.append(wire(gone + news))
        book.apply(*changes, received_at_ms=NOW_MS)

        assert exact_levels(book) == truth.best(depth)


@settings(max_examples=50)
@given(levels=st.lists(st.tuples(PRICES, st.integers(1, 9)), unique_by=lambda level: level[0]))
def test_a_snapshot_is_taken_when_in_order_and_called_unsorted_when_not(levels):
    in_order = levels == sorted(levels)

    book = make_book(asks=wire(levels))

    fault = None if in_order else BookFault.UNSORTED
    assert book.fault() == (fault if levels else BookFault.EMPTY)
    assert exact_levels(book)[1] == sorted(levels)


def test_a_price_that_comes_twice_in_a_snapshot_is_a_fault():
    book = make_book(bids=wire([("10.0", "1"), ("10.00", "2")]))

    assert book.fault() is BookFault.UNSORTED


@pytest.mark.parametrize(
    ("bid", "ask", "fault"),
    [("10", "11", None), ("10", "10.00", BookFault.LOCKED), ("10.01", "10", BookFault.CROSSED)],
)
def test_crossed_and_locked_books_are_recognised(bid, ask, fault):
    book = make_book(wire([(bid, "1")]), wire([(ask, "1")]))

    assert book.fault() == fault


def test_a_book_with_one_side_is_no_fault_and_an_empty_one_is():
    book = make_book(bids=wire([("10", "1")]))

    assert book.fault() is None
    assert (book.best_bid, book.best_ask, book.best_ask_quantity) == (10.0, 0.0, 0.0)

    book.apply([["10", "0"]], [], received_at_ms=NOW_MS)

    assert book.fault() is BookFault.EMPTY


def test_a_side_whose_known_levels_are_gone_is_exhausted_and_not_empty():
    book = make_book(wire([("10", "1")]), wire([("11", "1"), ("12", "1")]), limit=2)

    book.apply([["9", "1"]], [["11", "0"], ["12", "0"], ["13", "5"]], received_at_ms=NOW_MS)

    assert book.fault() is BookFault.EXHAUSTED
    assert exact_levels(book) == ([(10, 1), (9, 1)], [])


def test_a_book_says_when_it_knows_too_few_levels():
    levels = wire((100 + n, 1) for n in range(5))
    book = make_book(asks=levels, limit=5)

    assert not book.is_short_of(5)

    book.apply([], [["101", "0"]], received_at_ms=NOW_MS)

    assert book.is_short_of(5)
    assert not book.is_short_of(4)
    assert not make_book(asks=levels).is_short_of(50)


@pytest.mark.parametrize(
    "level",
    [
        ["x", "1"],
        ["1", "x"],
        ["nan", "1"],
        ["1", "nan"],
        ["-1", "1"],
        ["0", "1"],
        ["1", "-1"],
        ["inf", "1"],
        ["1", "inf"],
        ["1"],
        None,
        [None, "1"],
        {},
        [1.5, "1"],
        ["1", 0],
        ["1", "1." + "0" * 128],
    ],
)
def test_a_level_that_is_no_price_and_quantity_breaks_the_book_until_a_snapshot(level):
    good = wire([("10", "1")]), wire([("11", "1")])
    book = make_book(*good)

    book.apply([["9", "1"]], [["12", "1"], level], received_at_ms=NOW_MS)

    assert book.fault() is BookFault.MALFORMED
    assert make_book(asks=[level]).fault() is BookFault.MALFORMED

    book.apply([["9", "2"]], [], received_at_ms=NOW_MS)
    assert book.fault() is BookFault.MALFORMED

    book.replace(*good, received_at_ms=NOW_MS)
    assert book.fault() is None


def test_a_message_of_more_levels_than_any_venue_has_breaks_the_book():
    good = wire([("10", "1")]), wire([("11", "1")])
    book = make_book(*good)

    book.apply([["9", "1"]] * (LEVELS_MAX + 1), [], received_at_ms=NOW_MS)

    assert book.fault() is BookFault.MALFORMED
    assert len(book.bids) == 1
    assert make_book(asks=wire((n, 1) for n in range(1, LEVELS_MAX + 2))).fault() is (
        BookFault.MALFORMED
    )


def test_two_prices_that_a_float_cannot_tell_apart_break_the_book():
    price = "1.00000000000000001"
    book = make_book(asks=wire([(price, "1")]))

    book.apply([], [[f"{price}0", "2"]], received_at_ms=NOW_MS)

    assert book.fault() is None
    assert exact_levels(book)[1] == [(Decimal(price), Decimal(2))]

    book.apply([], [["1.00000000000000002", "3"]], received_at_ms=NOW_MS)

    assert book.fault() is BookFault.AMBIGUOUS


def test_the_exact_book_keeps_every_digit_and_is_made_once_for_each_version():
    book = LiveBook("alpha", "BTC/USDT")
    book.replace(
        [["1.100", "2.0", "0", "4"]],
        [["1.2", "0.1234567890123456789"]],
        received_at_ms=NOW_MS,
        venue_time_ms=NOW_MS - 5,
        sequence=7,
    )

    exact = book.to_book(20)

    assert exact == Book(
        "alpha",
        "BTC/USDT",
        (Level(Decimal("1.1"), Decimal(2)),),
        (Level(Decimal("1.2"), Decimal("0.1234567890123456789")),),
        NOW_MS,
        NOW_MS - 5,
        7,
    )
    assert book.to_book(20) is exact
    assert book.bids.top(5) == [("1.100", "2.0")]


def test_a_proof_that_nothing_changed_makes_the_book_younger_but_no_new_version():
    book = make_book(wire([("10", "1")]), wire([("11", "1")]))
    before = book.to_book(5)

    book.confirm(NOW_MS + 800)

    assert book.version == 1
    assert (book.to_book(5).received_at_ms, book.to_book(5).sequence) == (NOW_MS + 800, None)
    book.confirm(NOW_MS + 800, 8)
    assert book.to_book(5).sequence == 8
    assert book.to_book(5).bids is before.bids


def test_the_moment_of_a_book_follows_a_clock_that_was_set_back():
    book = make_book(wire([("10", "1")]), wire([("11", "1")]))

    book.apply([["10", "2"]], [], received_at_ms=NOW_MS - 60_000)
    changed_ms = book.to_book(5).received_at_ms
    book.confirm(NOW_MS - 61_000)

    assert changed_ms == NOW_MS - 60_000
    assert book.to_book(5).received_at_ms == NOW_MS - 61_000


def test_what_proves_a_book_is_told_with_it_and_is_no_change():
    book = make_book(wire([("10", "1")]), wire([("11", "1")]))
    bids, version = book.to_book(5).bids, book.version
    look = Look(NOW_MS + 40, NOW_MS + 60)

    book.date(NOW_MS + 50, NOW_MS + 30, look)

    exact = book.to_book(5)
    assert (exact.received_at_ms, exact.heard_at_ms, exact.look) == (NOW_MS + 50, NOW_MS + 30, look)
    assert exact.bids is bids
    assert book.version == version


def test_a_message_that_changes_nothing_is_of_its_own_moment():
    book = make_book(wire([("10", "1")]), wire([("11", "1")]))

    book.confirm(NOW_MS + 900, 8, NOW_MS + 880)

    assert (book.to_book(5).venue_time_ms, book.to_book(5).sequence) == (NOW_MS + 880, 8)
    book.confirm(NOW_MS + 950)
    assert (book.to_book(5).venue_time_ms, book.to_book(5).sequence) == (NOW_MS + 880, 8)


def test_a_cleared_book_knows_nothing():
    book = make_book(wire([("10", "1")]), wire([("11", "1")]), limit=1)

    book.clear()

    assert book.fault() is BookFault.EMPTY
    assert exact_levels(book) == ([], [])
    assert (book.version, book.sequence) == (2, None)


def test_what_the_other_side_proves_moves_the_horizon():
    levels = wire([("10", "1")]), wire([("11", "1")])
    book = make_book(*levels, limit=1)
    known = make_book(*levels, limit=1, tick=0.5)

    for each in (book, known):
        each.apply([["12", "1"]], [["11", "0"], ["12.5", "2"], ["13", "3"]], received_at_ms=NOW_MS)
    assert book.fault() is BookFault.EXHAUSTED
    assert known.fault() is None
    assert exact_levels(known)[1] == [(Decimal("12.5"), 2)]
    assert known.asks.top(9) == [("12.5", "2")]

    # the bid goes, and whatever had been offered below it would have traded
    for each in (book, known):
        each.apply([["12", "0"]], [["11.5", "7"]], received_at_ms=NOW_MS)
    assert book.fault() is None
    assert exact_levels(book)[1] == [(Decimal("11.5"), 7)]
    assert exact_levels(known)[1] == [(Decimal("11.5"), 7), (Decimal("12.5"), 2)]


def test_a_crossed_book_proves_nothing():
    book = make_book(wire([("10", "1")]), wire([("11", "1")]), limit=1)

    book.apply([["15", "1"]], [], received_at_ms=NOW_MS)

    assert book.fault() is BookFault.CROSSED
    assert (book.bids.horizon, book.asks.horizon) == (-10.0, 11.0)
