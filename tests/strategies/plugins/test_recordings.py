"""Decisions on recorded books of real venues."""

import gzip
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal as D
from itertools import islice

import orjson
import pytest

from arbplatform.core.decimals import to_decimal
from markets.domain.book import Book, Level
from markets.domain.orders import Side
from strategies.domain.edge import cross_venue_edge
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from tests.strategies.builders import make_rules, make_view, recorded

SYMBOL = "BTC/BRL"
DEPTH = 20
PATH = "orderbooks/measurevolume/ORDER_BOOK_h00-h09.jsonl.xz"


def to_levels(rows: Sequence[Sequence[object]]) -> tuple[Level, ...]:
    return tuple(Level(to_decimal(price), to_decimal(quantity)) for price, quantity in rows[:DEPTH])


def read_books() -> Iterator[Book]:
    """Yield the snapshots of both venues in the order in which they were recorded."""
    with lzma.open(recorded(PATH)) as lines:
        for line in lines:
            row = orjson.loads(line)  # floats in their shortest form, as the wire said
            yield Book(
                venue=row["exchange"],
                symbol=SYMBOL,
                bids=to_levels(row["bids"]),
                asks=to_levels(row["asks"]),
                received_at_ms=int(row["timestamp"] * 1000),
            )


@dataclass
class Tally:
    """How long which edge stood at the top of the books, and what the plugin wanted."""

    seen_ms: int = 0
    gross_ms: int = 0
    net_ms: int = 0
    decided_ms: int = 0
    directions: set[tuple[str, str]] = field(default_factory=set)
    intents: int = 0
    profit: D = D(0)

    def share(self, ms: int) -> float:
        return round(100 * ms / self.seen_ms, 1)


def replay() -> Tally:
    rules = [make_rules(venue, SYMBOL, lot="1e-8", tick="1e-8") for venue in ("EX1", "EX2")]
    free = {(venue, asset): 10**9 for venue in ("EX1", "EX2") for asset in ("BTC", "BRL")}
    plugin = CrossVenue(
        CrossVenueParams(
            symbols=(SYMBOL,),
            min_edge_bps=D(0),
            max_notional=D(10**8),
            book_age_ms_max=60_000,
            book_skew_ms_max=60_000,
            participation=D(1),
            depth=DEPTH,
        )
    )
    tally = Tally()
    newest: dict[str, Book] = {}
    before_ms, held = 0, (False, False, False)
    for book in read_books():
        if len(newest) == 2:
            span_ms = book.received_at_ms - before_ms
            tally.seen_ms += span_ms
            tally.gross_ms += span_ms * held[0]
            tally.net_ms += span_ms * held[1]
            tally.decided_ms += span_ms * held[2]
        newest[book.venue] = book
        before_ms = book.received_at_ms
        if len(newest) == 2:
            edge = cross_venue_edge(
                buy_ask=newest["EX1"].asks[0].price,
                sell_bid=newest["EX2"].bids[0].price,
                buy_fees=rules[0].fees,
                sell_fees=rules[1].fees,
            )
            view = make_view(list(newest.values()), rules, free, now_ms=before_ms)
            intents = plugin.evaluate(view).intents
            held = (edge.gross_bps > 0, edge.net_bps > 0, bool(intents))
            for intent in intents:
                tally.intents += 1
                tally.profit += intent.expected_profit
                tally.directions.add((intent.legs[0].venue, intent.legs[1].venue))
    return tally


@pytest.fixture(scope="module")
def tally() -> Tally:
    return replay()


def test_recorded_edges_last_as_long_as_was_measured_independently(tally):
    assert (tally.share(tally.gross_ms), tally.share(tally.net_ms)) == (24.7, 11.5)


def test_the_plugin_wants_to_trade_while_an_edge_stands_and_only_in_its_direction(tally):
    assert tally.share(tally.decided_ms) == 11.5
    assert tally.directions == {("EX1", "EX2")}
    assert tally.profit > 0


def first_quotes(name: str, count: int) -> list[tuple[int, D, D]]:
    """Return time [ns], bid and ask of the first best quotes of a recorded session."""
    found = []
    with gzip.open(recorded(f"orderbooks/hftbacktest/{name}"), "rt", encoding="utf-8") as lines:
        for line in islice(lines, 100_000):
            moment, _, text = line.partition(" ")
            if "@bookTicker" in text:
                data = orjson.loads(text)["data"]
                found.append((int(moment), D(data["b"]), D(data["a"])))
            if len(found) == count:
                break
    return found


def test_spot_against_perpetual_is_gross_but_never_net():
    """Such a basis is no arbitrage of prices: whoever leaves fees out reports it all day."""
    spot = first_quotes("spot_btcusdt_20240808.gz", 3000)
    perpetual = first_quotes("usdm_btcusdt_20240808.gz", 3000)
    fees = make_rules().fees
    events = sorted(
        [(moment, Side.SELL, bid, ask) for moment, bid, ask in spot]
        + [(moment, Side.BUY, bid, ask) for moment, bid, ask in perpetual]
    )

    edges, newest = [], {}
    for _, side, bid, ask in events:
        newest[side] = (bid, ask)
        if len(newest) == 2:
            edges.append(
                cross_venue_edge(
                    buy_ask=newest[Side.BUY][1],
                    sell_bid=newest[Side.SELL][0],
                    buy_fees=fees,
                    sell_fees=fees,
                )
            )

    assert sum(edge.gross_bps > 0 for edge in edges) > 0.99 * len(edges) > 3000
    assert all(edge.net_bps < 0 for edge in edges)
