"""Whatever a network does to the messages: a book that calls itself current is the venue's own.

A made-up venue changes its book and numbers its messages like one of the real ones. On the way to
us messages are lost, doubled and overtaken, connections break, and snapshots come early or late.
After each step a book that is current must show the first levels of what the venue's book was at
its number, all of them when nothing was cut, and know everything that was heard.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.live_book import LiveBook
from markets.gateway.wire.checksums import interleaved_crc32, kraken_crc32
from markets.gateway.wire.gate import GATE_BY_REST, GATE_FULL
from markets.gateway.wire.keeper import BookKeeper
from markets.gateway.wire.messages import BookKind, BookMessage, WireBook
from markets.gateway.wire.protocols import wire_book_for

KRAKEN_DEPTH = 4


def protocol(ccxt_id):
    wire = wire_book_for(ccxt_id, is_spot=True)
    assert wire is not None
    return wire


@dataclass
class MadeUpVenue:
    """A venue that never crosses, and remembers each of its states by number."""

    wire: WireBook
    depth: int | None = None
    has_checksum: bool = False
    step: int = 1
    number: int = 100
    bids: dict[Any, Any] = field(default_factory=dict)
    asks: dict[Any, Any] = field(default_factory=dict)
    states: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self):
        self.bids, self.asks = {49: "1", 48: "2", 47: "1"}, {51: "4", 52: "5", 53: "4"}
        self._remember()

    def _remember(self):
        self.states[self.number] = self.levels()

    def levels(self, depth=None):
        bids = sorted(self.bids.items(), reverse=True)[:depth]
        return bids, sorted(self.asks.items())[:depth]

    def change(self, bids, asks):
        """Change the book and return the message about it."""
        before = self.levels(self.depth)
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, size in changes:
                side.pop(price, None)
                if size != "0":
                    side[price] = size
        for price in [price for price in self.asks if self.bids and price <= max(self.bids)]:
            del self.asks[price]
        previous, self.number = self.number, self.number + self.step
        self._remember()
        sides: list[Any] = [
            [(str(price), "0") for price in old if price not in everything]
            + [(str(price), size) for price, size in new if old.get(price) != size]
            for old, new, everything in zip(
                map(dict, before), self.levels(self.depth), (self.bids, self.asks), strict=True
            )
        ]
        message = BookMessage(
            "AB",
            BookKind.DELTA,
            previous,
            self.number,
            sides[0],
            sides[1],
            self.number,
            self._checksum(),
        )
        return message._replace(previous=None, last=None) if self.wire.is_refilled else message

    def snapshot(self, depth=None):
        sides: list[Any] = [
            [(str(price), size) for price, size in side]
            for side in self.levels(depth or self.depth)
        ]
        last = None if self.wire.is_refilled else self.number
        return BookMessage(
            "AB",
            BookKind.SNAPSHOT,
            None,
            last,
            sides[0],
            sides[1],
            self.number,
            self._checksum(),
            limit=depth,
        )

    def _checksum(self):
        if not self.has_checksum or self.wire.checksum is None:
            return None
        true = LiveBook("v", "A/B")
        sides: list[Any] = [
            [(str(price), size) for price, size in side] for side in self.levels(self.depth)
        ]
        true.replace(*sides, received_at_ms=1)
        return self.wire.checksum(true)


def changes(*sizes):
    level = st.tuples(st.integers(45, 55), st.sampled_from(["0", *sizes]))
    return st.lists(level, min_size=1, max_size=3)


# no size is on both sides: Kraken's checksum joins digits and does not tell where the asks end
BIDS, ASKS = changes("1", "2", "3"), changes("4", "5", "6")
FATES = ["arrive"] * 6 + ["lose", "double", "overtake", "wait"]
EVENTS = [None] * 5 + ["cut", "snapshot", "rest"] + ["ask", "answer"] * 2
SCRIPTS = st.lists(
    st.tuples(
        BIDS,
        ASKS,
        st.sampled_from(FATES),
        st.sampled_from(EVENTS),
    ),
    min_size=8,
    max_size=25,
)


class Network:
    """Carries messages from the venue to the keeper, and does to them what a script says."""

    def __init__(self, venue, keeper):
        self.venue = venue
        self.keeper = keeper
        self.way = []
        self.asked = None
        self.heard = 0

    def run(self, bids, asks, fate, event):
        """Have the venue change its book, the message meet its fate, and something else happen."""
        self.way.append(self.venue.change(bids, asks))
        getattr(self, fate)()
        if event is not None:
            getattr(self, event)()
            self.check()

    def arrive(self):
        while self.way:
            message = self.way.pop(0)
            self.heard = max(self.heard, message.venue_time_ms)
            self.keeper.take(message, received_at_ms=1)
            self.check()

    def wait(self):
        """Let the message come with the next one."""

    def lose(self):
        self.way.pop()

    def double(self):
        self.way.append(self.way[-1])
        self.arrive()

    def overtake(self):
        """Let the message come before those that wait."""
        if all(each.kind is BookKind.DELTA for each in self.way):
            self.way.reverse()
        self.arrive()

    def cut(self):
        """Break the connection; a new one begins with a snapshot where the stream sends them."""
        self.way.clear()
        self.keeper.reset()
        self.heard = 0
        self.snapshot()

    def snapshot(self):
        if self.venue.wire.read_snapshot is None:
            self.way.append(self.venue.snapshot())

    def ask(self):
        """Have a snapshot made that arrives later."""
        self.keeper.refresh()
        self.asked = self.venue.snapshot(3)

    def answer(self):
        if self.asked is not None:
            self.adopt(self.asked)

    def rest(self):
        self.adopt(self.venue.snapshot(3))

    def adopt(self, snapshot):
        if self.venue.wire.read_snapshot is not None:
            self.keeper.adopt(snapshot, received_at_ms=1)

    def check(self):
        keeper, book = self.keeper, self.keeper.book
        if not keeper.is_current:
            assert keeper.reason is not None
            return
        assert keeper.reason is None
        number = book.venue_time_ms if book.sequence is None else book.sequence
        assert book.sequence is None or number >= self.heard
        exact = book.to_book(99)
        for side, shown, true in zip(
            (book.bids, book.asks),
            (exact.bids, exact.asks),
            self.venue.states[number],
            strict=True,
        ):
            wanted = [(Decimal(price), Decimal(size)) for price, size in true]
            levels = [tuple(level) for level in shown]
            assert levels == wanted[: len(levels)]
            if side.horizon == inf:
                assert len(levels) == len(wanted[: self.venue.depth])


def run(venue, script, **book):
    keeper = BookKeeper(
        venue.wire, LiveBook("v", "A/B", is_refilled=venue.wire.is_refilled, **book)
    )
    network = Network(venue, keeper)
    network.snapshot()
    network.rest()
    network.arrive()
    assert keeper.is_current
    for step in script:
        network.run(*step)
    return network


@settings(max_examples=80)
@given(script=SCRIPTS, tick=st.sampled_from([0.0, 1.0]), depth_max=st.sampled_from([2, 1_000]))
def test_snapshots_by_rest_and_ranges_of_numbers(script, tick, depth_max):
    for wire in (protocol("binance"), GATE_BY_REST):
        run(MadeUpVenue(wire), script, tick=tick, depth_max=depth_max)


@settings(max_examples=80)
@given(script=SCRIPTS, depth_max=st.sampled_from([2, 1_000]))
def test_snapshots_in_the_stream_and_chained_numbers(script, depth_max):
    for wire in (protocol("okx"), protocol("bybit"), GATE_FULL):
        run(MadeUpVenue(wire, step=7), script, depth_max=depth_max)


@settings(max_examples=80)
@given(script=SCRIPTS)
def test_checksums_and_numbers_that_only_rise(script):
    wire = protocol("bitget")
    assert wire.checksum is interleaved_crc32

    run(MadeUpVenue(wire, has_checksum=True, step=7), script)


@settings(max_examples=80)
@given(script=SCRIPTS)
def test_checksums_alone_and_clients_that_cut(script):
    wire = protocol("kraken")
    assert wire.checksum is kraken_crc32

    run(MadeUpVenue(wire, has_checksum=True, depth=KRAKEN_DEPTH), script, depth_max=KRAKEN_DEPTH)


def test_a_network_that_does_its_duty_keeps_the_book_current():
    script = [([(49, "5")], [(52, "0")], "arrive", None)] * 5
    for wire in (protocol("binance"), protocol("okx"), protocol("kraken")):
        depth = KRAKEN_DEPTH if wire.is_refilled else None

        venue = MadeUpVenue(wire, depth=depth, has_checksum=wire.checksum is not None)
        network = run(venue, script)

        assert network.keeper.is_current
        assert network.keeper.book.best_bid_quantity == 5.0
