"""Every way around three or more markets of one venue, found once and indexed by market.

A market is an edge between its two assets, named by its base and quote codes; symbols are never
glued together, so that T with USDC is not taken for TUSD with C. The search is bounded: no cycle is
longer than ``legs_max``, which is five at most, none passes an asset twice, each is found once, and
there is an error instead of more than ``cycles_max`` of them.

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
"""Relative. Five float products err by less than 2e-15: nothing that earns is passed over."""
TRIANGLE = 3
LEGS_MAX = 5
PATHS_PER_CYCLE = 100
"""So many paths are followed at most for each cycle that is allowed: most lead nowhere."""


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
    """Three hops or more that lead back to the asset of the first.

    Attributes:
        hops: in sequence; which one comes first is a matter of where one stands.
    """

    hops: tuple[Hop, ...]

    @property
    def assets(self) -> tuple[str, ...]:
        """What each hop spends, in sequence."""
        return tuple(hop.spent for hop in self.hops)

    def starting_at(self, asset: str) -> "Cycle":
        """Return the same way around, entered at ``asset``.

        Raises:
            ValueError: it does not pass through ``asset``.
        """
        entry = self.assets.index(asset)
        return Cycle((*self.hops[entry:], *self.hops[:entry]))

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

    def __init__(
        self, markets: Iterable[Market], cycles_max: int = CYCLES_MAX, legs_max: int = TRIANGLE
    ) -> None:
        """Find all cycles.

        Args:
            markets: the edges.
            cycles_max: most cycles.
            legs_max: most hops of a cycle, from 3 to ``LEGS_MAX``.

        Raises:
            LimitExceeded: there are more than ``cycles_max``.
        """
        listed = tuple(dict.fromkeys(markets))
        self.markets: tuple[str, ...] = tuple(market.symbol for market in listed)
        self.cycles: tuple[Cycle, ...] = tuple(_find_cycles(listed, cycles_max, legs_max))
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
            rate = 1.0
            for slot in routes[position]:
                rate *= rates[slot]
            if rate:
                found.append((rate, position))
        return found


@lru_cache(maxsize=64)
def index_cycles(markets: frozenset[Market], legs_max: int = TRIANGLE) -> CycleIndex:
    """Return the index of a set of markets, made once per process.

    Args:
        markets: the edges.
        legs_max: most hops of a cycle, from 3 to ``LEGS_MAX``.

    Raises:
        LimitExceeded: there are more than ``CYCLES_MAX`` cycles.
    """
    return CycleIndex(sorted(markets), legs_max=legs_max)


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


def _find_cycles(markets: Iterable[Market], cycles_max: int, legs_max: int) -> Iterator[Cycle]:
    """Yield both directions of every cycle, for every choice of markets between its assets."""
    hops = _join(markets)
    budget = _Budget(cycles_max, legs_max)
    for first, second, third in _find_triangles(hops):
        for way in ((first, second, third), (first, third, second)):
            yield from _choose_markets(hops, way, budget)
    for legs in range(TRIANGLE + 1, legs_max + 1):
        for start in sorted(hops):
            for longer in _find_ways(hops, (start,), legs, budget):
                yield from _choose_markets(hops, longer, budget)


def _choose_markets(hops: _Hops, way: tuple[str, ...], budget: "_Budget") -> Iterator[Cycle]:
    """Yield the cycles that pass the assets of ``way`` in sequence."""
    pairs = zip(way, (*way[1:], way[0]), strict=True)
    for legs in product(*(hops[spent][received] for spent, received in pairs)):
        budget.count_cycle()
        yield Cycle(legs)


def _find_ways(
    hops: _Hops, path: tuple[str, ...], legs: int, budget: "_Budget"
) -> Iterator[tuple[str, ...]]:
    """Yield the ways of so many assets that begin with ``path``, whose first is the least of all.

    In either direction, so that each directed way is found once.
    """
    start, at = path[0], path[-1]
    for asset in sorted(hops[at]):
        if asset <= start or asset in path:
            continue
        budget.count_path()
        if len(path) + 1 < legs:
            yield from _find_ways(hops, (*path, asset), legs, budget)
        elif start in hops[asset]:
            yield (*path, asset)


class _Budget:
    """Ends a search that finds too much, or looks for too long."""

    def __init__(self, cycles_max: int, legs_max: int) -> None:
        self._cycles_max, self._legs_max = cycles_max, legs_max
        self._cycles_left = cycles_max
        self._paths_left = cycles_max * PATHS_PER_CYCLE

    def count_cycle(self) -> None:
        self._cycles_left -= 1
        if self._cycles_left < 0:
            self._fail()

    def count_path(self) -> None:
        self._paths_left -= 1
        if self._paths_left < 0:
            self._fail()

    def _fail(self) -> None:
        if self._legs_max > TRIANGLE:
            raise LimitExceeded(
                "There are more than {cycles_max} ways around up to {legs_max} of these assets. "
                "Choose fewer assets or shorter ways.",
                cycles_max=self._cycles_max,
                legs_max=self._legs_max,
            )
        raise LimitExceeded(
            "There are more than {cycles_max} ways around three of these assets. "
            "Choose fewer assets.",
            cycles_max=self._cycles_max,
        )
