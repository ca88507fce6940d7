"""Every way around three markets of one venue, found once and indexed by market.

A market is an edge between its two assets, named by its base and quote codes; symbols are never
glued together, so that T with USDC is not taken for TUSD with C. The search is bounded: triangles
only, each found once, and an error instead of more than ``cycles_max`` of them.

Rates are floats here and nowhere else: they only nominate. A cycle whose float rate comes near
the threshold is computed again in exact decimals.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from arbplatform.core.errors import LimitExceeded
from markets.domain.orders import Side
from markets.domain.rules import MarketRules

CYCLES_MAX = 50_000
FLOAT_MARGIN = 1e-9
"""Relative. Three float products err by less than 1e-15: nothing that earns is passed over."""


class Market(NamedTuple):
    """An edge of the graph.

    Attributes:
        symbol: unified symbol.
        base, quote: asset codes.
    """

    symbol: str
    base: str
    quote: str


class Hop(NamedTuple):
    """One market, passed in one direction.

    Attributes:
        symbol: of the market.
        side: buy turns quote into base, sell turns base into quote.
        spent, received: asset codes.
    """

    symbol: str
    side: Side
    spent: str
    received: str


class Cycle(NamedTuple):
    """Three hops that lead back to the asset of the first.

    Attributes:
        hops: in sequence; which one comes first is a matter of where one stands.
    """

    hops: tuple[Hop, Hop, Hop]

    @property
    def assets(self) -> tuple[str, str, str]:
        """What each hop spends, in sequence."""
        first, second, third = self.hops
        return (first.spent, second.spent, third.spent)

    def starting_at(self, asset: str) -> "Cycle":
        """Return the same way around, entered at ``asset``.

        Raises:
            ValueError: it does not pass through ``asset``.
        """
        first, second, third = self.hops
        rotations = (self.hops, (second, third, first), (third, first, second))
        return Cycle(rotations[self.assets.index(asset)])

    def __str__(self) -> str:
        return " → ".join((*self.assets, self.assets[0]))


class CycleIndex:
    """The cycles of one set of markets.

    Attributes:
        markets: symbols, in the order of their slots.
        cycles: every directed cycle once.
        by_market: for each symbol the positions in ``cycles`` of those that pass through it.
        routes: for each cycle the slots of its hops, in sequence.
    """

    def __init__(self, markets: Iterable[Market], cycles_max: int = CYCLES_MAX) -> None:
        """Find all cycles.

        Raises:
            LimitExceeded: there are more than ``cycles_max``.
        """
        listed = tuple(dict.fromkeys(markets))
        self.markets: tuple[str, ...] = tuple(market.symbol for market in listed)
        self.cycles: tuple[Cycle, ...] = tuple(_bounded(_find_cycles(listed), cycles_max))
        self._slots = {symbol: 2 * index for index, symbol in enumerate(self.markets)}
        self.routes: tuple[tuple[int, ...], ...] = tuple(
            tuple(self.slot_of(hop.symbol, hop.side) for hop in cycle.hops) for cycle in self.cycles
        )
        by_market: dict[str, list[int]] = {symbol: [] for symbol in self.markets}
        for position, cycle in enumerate(self.cycles):
            for hop in cycle.hops:
                by_market[hop.symbol].append(position)
        self.by_market: Mapping[str, Sequence[int]] = by_market

    def slot_of(self, symbol: str, side: Side) -> int:
        """Return where in a table of rates the rate of a market in one direction stands."""
        return self._slots[symbol] + (side is Side.SELL)

    def blank_rates(self) -> list[float]:
        """Return a table of rates in which no market can be passed."""
        return [0.0] * (2 * len(self.markets))

    def scan(
        self, rates: Sequence[float], positions: Sequence[int] | None = None
    ) -> list[tuple[float, int]]:
        """Return what one unit sent around each cycle brings back, nominally.

        Args:
            rates: by slot, the units received per unit spent, fees included, at the top of the
                book; 0 where there is none.
            positions: cycles to look at, for instance ``by_market`` of the market that changed;
                ``None`` for all.

        Returns:
            Rate and position in ``cycles`` of every cycle that can be passed.
        """
        routes = self.routes
        found = []
        for position in range(len(routes)) if positions is None else positions:
            first, second, third = routes[position]
            rate = rates[first] * rates[second] * rates[third]
            if rate:
                found.append((rate, position))
        return found


@lru_cache(maxsize=64)
def index_cycles(markets: frozenset[Market]) -> CycleIndex:
    """Return the index of a set of markets, made once per process.

    Raises:
        LimitExceeded: there are more than ``CYCLES_MAX`` cycles.
    """
    return CycleIndex(sorted(markets))


def market_of(rules: MarketRules) -> Market:
    """Return the edge that a market makes."""
    return Market(rules.symbol, rules.base, rules.quote)


_Hops = Mapping[str, Mapping[str, Sequence[Hop]]]
"""From an asset to a neighbour: every market that leads there, in the direction that does."""


def _join(markets: Iterable[Market]) -> _Hops:
    hops: dict[str, dict[str, list[Hop]]] = defaultdict(lambda: defaultdict(list))
    for symbol, base, quote in markets:
        if base != quote:
            hops[quote][base].append(Hop(symbol, Side.BUY, quote, base))
            hops[base][quote].append(Hop(symbol, Side.SELL, base, quote))
    return hops


def _find_triangles(hops: _Hops) -> Iterator[tuple[str, str, str]]:
    """Yield every three joined assets once, in alphabetical order."""
    for first in sorted(hops):
        later = sorted(asset for asset in hops[first] if asset > first)
        for position, second in enumerate(later):
            for third in later[position + 1 :]:
                if third in hops[second]:
                    yield first, second, third


def _find_cycles(markets: Iterable[Market]) -> Iterator[Cycle]:
    """Yield both directions of every triangle, for every choice of markets between its assets."""
    hops = _join(markets)
    for first, second, third in _find_triangles(hops):
        for a, b, c in ((first, second, third), (first, third, second)):
            for legs in product(hops[a][b], hops[b][c], hops[c][a]):
                yield Cycle(legs)


def _bounded(cycles: Iterable[Cycle], cycles_max: int) -> Iterator[Cycle]:
    for count, cycle in enumerate(cycles, start=1):
        if count > cycles_max:
            raise LimitExceeded(
                "There are more than {cycles_max} ways around three of these assets. "
                "Choose fewer assets.",
                cycles_max=cycles_max,
            )
        yield cycle
