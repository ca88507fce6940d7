"""Look over whole venues at once: every pair of venues, every way around three markets.

A scan has two stages. The best prices of all markets are enough to *nominate*: floats with a
margin, so that nothing that earns is passed over, then the exact edge. What is nominated is
*confirmed* on real books with lots, minima and fees, as a strategy would size it if it owned as
much as it wanted. So a scan finds what a strategy would find, without being set up for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from typing import NamedTuple

from arbplatform.core.decimals import BPS_PER_UNIT, ONE, ZERO, Bps
from markets.domain.book import Book, Level
from markets.domain.orders import Side
from markets.domain.quote import Ticker
from markets.domain.rules import MarketRules
from strategies.domain.candidate import UNLIMITED, Terms, Trade
from strategies.domain.cycles import FLOAT_MARGIN, Cycle, index_cycles, market_of
from strategies.domain.edge import Edge, PricedLeg, fee_factors, round_trip_edge
from strategies.domain.intents import Intent, Rejection
from strategies.domain.sizing import size_cross_venue
from strategies.domain.triangle import size_triangle, top_rates
from strategies.domain.view import MarketKey

SUSPICIOUS_BPS = Bps(500)
"""Above that, prices that do not fit usually mean another coin of the same name."""


class Kind(StrEnum):
    """How a round trip closes; the names of the strategy types that trade it."""

    CROSS_VENUE = "cross-venue"
    TRIANGULAR = "triangular"


class Step(NamedTuple):
    """One trade of a round trip.

    Attributes:
        key: market.
        side: of the order.
    """

    key: MarketKey
    side: Side


@dataclass(frozen=True, slots=True)
class Nomination:
    """A round trip that earns at the best prices.

    Attributes:
        kind: how it closes.
        subject: for people, the same in every language.
        steps: in sequence.
        edge: at the best prices, whatever the size.
    """

    kind: Kind
    subject: str
    steps: tuple[Step, ...]
    edge: Edge

    @property
    def is_suspicious(self) -> bool:
        """Whether the edge is too good to be true."""
        return self.edge.net_bps > SUSPICIOUS_BPS


@dataclass(frozen=True, slots=True)
class Survey:
    """What the best prices say.

    Attributes:
        nominations: the highest edge first.
        markets: whose best prices could be used.
        pairs: ordered pairs of venues that trade the same symbol.
        cycles: directed ways around three markets of one venue.
    """

    nominations: tuple[Nomination, ...]
    markets: int
    pairs: int
    cycles: int


def survey(
    tickers: Iterable[Ticker],
    rules: Mapping[MarketKey, MarketRules],
    *,
    starts: Sequence[str],
    edge_bps_min: Bps = ZERO,
) -> Survey:
    """Return every round trip whose edge at the best prices is above a threshold.

    Args:
        tickers: best prices; one that is crossed, empty or of an unknown or inactive market is
            passed over.
        rules: of the markets.
        starts: assets in which a cycle should begin and end, the preferred one first; a cycle
            through none of them begins anywhere.
        edge_bps_min: what a round trip must exceed, after fees [bps].
    """
    tops = dict(usable_tops(tickers, rules))
    floor = float(ONE + edge_bps_min / BPS_PER_UNIT) * (1 - FLOAT_MARGIN)
    found: list[tuple[Kind, tuple[Step, ...], str]] = []
    pairs = _scan_pairs(tops, rules, floor, found)
    cycles = _scan_cycles(tops, rules, floor, starts, found)
    nominations = [
        Nomination(kind, subject, steps, edge)
        for kind, steps, subject in found
        if (edge := edge_of(steps, tops, rules)).net_bps > edge_bps_min
    ]
    nominations.sort(key=lambda item: (-item.edge.net_bps, item.subject))
    return Survey(tuple(nominations), len(tops), pairs, cycles)


def confirm(
    nomination: Nomination,
    *,
    books: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
    depth: int,
) -> Intent | Rejection | None:
    """Return what a nomination is worth on real books, for somebody with unlimited funds.

    Args:
        nomination: from a survey.
        books: newest books of its markets.
        rules: of its markets.
        depth: levels of each book to look at.

    Returns:
        The best size with its profit, why there is none, or ``None`` when a book is missing,
        crossed or has nothing on the side that is needed.
    """
    trades: list[Trade] = []
    for key, side in nomination.steps:
        book = books.get(key)
        if book is None or book.is_crossed or not (book.asks if side is Side.BUY else book.bids):
            return None
        trades.append(Trade(rules=rules[key], side=side, book=book, free=UNLIMITED))
    terms = Terms(depth=depth)
    if nomination.kind is Kind.CROSS_VENUE:
        buy, sell = trades
        return size_cross_venue(buy=buy, sell=sell, terms=terms, subject=nomination.subject)
    return size_triangle(tuple(trades), terms=terms, subject=nomination.subject)


def usable_tops(
    tickers: Iterable[Ticker], rules: Mapping[MarketKey, MarketRules]
) -> Iterator[tuple[MarketKey, Book]]:
    """Yield the best prices that can be used, as books of one level."""
    for ticker in tickers:
        key = MarketKey(ticker.venue, ticker.symbol)
        if key not in rules or not rules[key].is_active:
            continue
        if not ticker.bid or not ticker.ask or not ZERO < ticker.bid < ticker.ask:
            continue
        yield (
            key,
            Book(
                key.venue,
                key.symbol,
                bids=(Level(ticker.bid, ticker.bid_quantity or ZERO),),
                asks=(Level(ticker.ask, ticker.ask_quantity or ZERO),),
                received_at_ms=ticker.received_at_ms,
            ),
        )


def _scan_pairs(
    tops: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
    floor: float,
    found: list[tuple[Kind, tuple[Step, ...], str]],
) -> int:
    """Add every pair of venues that may earn; return how many there are."""
    by_symbol: dict[str, list[tuple[MarketKey, dict[Side, float]]]] = defaultdict(list)
    for key, book in tops.items():
        by_symbol[key.symbol].append((key, top_rates(book, rules[key])))
    count = 0
    for symbol, listed in by_symbol.items():
        for (buy_at, buy), (sell_at, sell) in permutations(listed, 2):
            count += 1
            if buy[Side.BUY] * sell[Side.SELL] >= floor:
                steps = (Step(buy_at, Side.BUY), Step(sell_at, Side.SELL))
                subject = f"{symbol} {buy_at.venue} → {sell_at.venue}"
                found.append((Kind.CROSS_VENUE, steps, subject))
    return count


def _scan_cycles(
    tops: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
    floor: float,
    starts: Sequence[str],
    found: list[tuple[Kind, tuple[Step, ...], str]],
) -> int:
    """Add every way around three markets of one venue that may earn; return how many there are."""
    by_venue: dict[str, list[MarketKey]] = defaultdict(list)
    for key in tops:
        by_venue[key.venue].append(key)
    count = 0
    for venue, keys in by_venue.items():
        index = index_cycles(frozenset(market_of(rules[key]) for key in keys))
        count += len(index.cycles)
        rates = index.blank_rates()
        for key in keys:
            for side, rate in top_rates(tops[key], rules[key]).items():
                rates[index.slot_of(key.symbol, side)] = rate
        for rate, position in index.scan(rates):
            if rate >= floor:
                cycle = entered(index.cycles[position], starts)
                steps = tuple(Step(MarketKey(venue, hop.symbol), hop.side) for hop in cycle.hops)
                found.append((Kind.TRIANGULAR, steps, f"{venue}: {cycle}"))
    return count


def entered(cycle: Cycle, starts: Sequence[str]) -> Cycle:
    """Return a cycle, entered at the first of ``starts`` that it passes through, if any."""
    return next((cycle.starting_at(asset) for asset in starts if asset in cycle.assets), cycle)


def edge_of(
    steps: Iterable[Step],
    tops: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
) -> Edge:
    """Return the edge of a round trip at the best prices, whatever its size."""
    legs = []
    for key, side in steps:
        level = tops[key].asks[0] if side is Side.BUY else tops[key].bids[0]
        legs.append(PricedLeg(side, level.price, fee_factors(rules[key].fees, side)))
    return round_trip_edge(legs)
