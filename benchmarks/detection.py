"""What a price costs: which of thousands of cycles earn after it, decided again at every update.

The markets are those that Binance listed in September 2024, when that recording is at hand, else a
made-up venue of the same shape. The best prices are made up: assets have values that wander, every
market quotes their ratio with a spread, and a market is quoted the more often the more cycles it is
part of. Each update goes through ``CycleNominator``, as in the engine: fees, both directions, yes
or no. Beside it, in the same run:

- a full scan by numpy over prepared routes,
- ``negative_edge_cycle`` of rustworkx and of networkx, which only say whether there is any. That
  of networkx is plain Bellman-Ford; with its heuristic, or with nothing to find, it is faster,
- the same stream over ten times the markets, all hanging on the same hubs: the busiest market is
  part of ten times the cycles.

At the end the kernel must hold exactly the cycles that the full scan finds, among them one that is
planted. Growth is judged by CPU time, all else by wall time.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from statistics import fmean, median

import networkx as nx
import numpy as np
import rustworkx as rx

from arbplatform.core.decimals import use_exact_context
from benchmarks.parts.quotes import US_PER_S, Quote, cost_us, make_rules, play
from benchmarks.parts.results import Row, at_most, percentile, report, times_better
from benchmarks.parts.scripts import make_parser, run_script
from strategies.domain.cycles import CycleIndex, Market
from strategies.domain.kernels.cycles import CycleKernel
from strategies.domain.kernels.nominators import CycleNominator, Watch
from strategies.domain.kernels.rates import least_rate
from strategies.domain.view import MarketKey

LISTING = Path(__file__).parents[2] / "shared/data/markets/binance_20240908/exchangeInfo.json"
VENUE = "venue"
EDGE_MIN = Decimal("0.0005")
UPDATES = 200_000
FLASHES = 0.001
LIQUID = 100
GROWTH = 10
P50_US_MAX = 10
HOTTEST_US_MAX = 100
GROWTH_RATIO_MAX = 1.5
RATIO_MIN = 10_000


def read_markets() -> tuple[str, list[Market]]:
    """Return the markets of a venue: recorded ones, or as many made up."""
    if LISTING.exists():
        rows = json.loads(LISTING.read_text(encoding="utf-8"))["symbols"]
        pairs = [
            (row["baseAsset"], row["quoteAsset"]) for row in rows if row["status"] == "TRADING"
        ]
        return "Binance 2024-09-08", [Market(f"{b}/{q}", b, q) for b, q in pairs]
    quotes = ["USDT", "BTC", "ETH", "BNB"]
    pairs = [(f"A{n}", quote) for n in range(300) for quote in quotes]
    pairs += [(b, q) for i, q in enumerate(quotes) for b in quotes[i + 1 :]]
    return "a made-up venue", [Market(f"{b}/{q}", b, q) for b, q in pairs]


def grow(markets: Sequence[Market], factor: int) -> list[Market]:
    """Return the markets with every asset that nothing is quoted in listed ``factor`` times."""
    hubs = {market.quote for market in markets}
    grown = [market for market in markets if market.base in hubs]
    for market in markets:
        if market.base not in hubs:
            names = [f"{market.base}-{n}" for n in range(factor)]
            grown += [Market(f"{name}/{market.quote}", name, market.quote) for name in names]
    return grown


def make_stream(index: CycleIndex, keys: Mapping[Market, MarketKey], count: int) -> list[Quote]:
    """Return one quote of every market and then ``count`` of busy ones.

    Values wander around a mean by a few hundredths of a percent, less than the fees of a cycle.
    One quote in a thousand is off by up to 1 % and put right by the next, so that there is
    something to find; but not on a market of a hundred cycles or more, which are the liquid ones.
    """
    markets = list(keys)
    random = Random(20240908)  # noqa: S311 - made-up prices
    means = {asset: math.exp(random.gauss(0, 3)) for m in markets for asset in (m.base, m.quote)}
    drifts = dict.fromkeys(means, 0.0)
    spreads = {market.symbol: random.uniform(1e-4, 8e-4) for market in markets}
    weights = [1 + len(index.by_market[market.symbol]) for market in markets]
    stream = []
    for market in [*markets, *random.choices(markets, weights=weights, k=count)]:
        base, quote = market.base, market.quote
        drifts[base] = 0.9 * drifts[base] + random.gauss(0, 1e-4)
        mid = means[base] / means[quote] * math.exp(drifts[base] - drifts[quote])
        half = spreads[market.symbol] * random.uniform(0.8, 1.2) / 2
        if random.random() < FLASHES and len(index.by_market[market.symbol]) < LIQUID:
            flash = mid * (1 + random.uniform(-0.01, 0.01))
            stream.append((keys[market], flash * (1 - half), flash * (1 + half)))
        stream.append((keys[market], mid * (1 - half), mid * (1 + half)))
    return stream


@dataclass
class Play:
    """A stream played through the nominator.

    Attributes:
        took_us: by update [us].
        hottest_us: of the market that the most cycles pass [us].
        yes: how often a decision was nominated.
    """

    took_us: list[float]
    hottest_us: list[float]
    yes: int


class Bench:
    """A venue and its nominator."""

    def __init__(self, markets: Sequence[Market], updates: int) -> None:
        self.markets = sorted(markets)
        self.keys = {market: MarketKey(VENUE, market.symbol) for market in self.markets}
        self.index = CycleIndex(self.markets)
        self.threshold = least_rate(edge_min=EDGE_MIN, profit_min=Decimal(0), spend_max=Decimal(1))
        rules = {key: make_rules(key) for key in self.keys.values()}
        watch = Watch(VENUE, self.index, range(len(self.index.cycles)))
        self.nominator = CycleNominator([watch], rules, threshold=self.threshold)
        self.hottest = max(self.markets, key=lambda m: len(self.index.by_market[m.symbol])).symbol
        stream = make_stream(self.index, self.keys, updates)
        self.first, self.stream = stream[: len(self.markets)], stream[len(self.markets) :]

    @property
    def kernel(self) -> CycleKernel:
        """What the nominator asks."""
        return self.nominator.kernel

    def play(self) -> Play:
        """Take all quotes, one by one."""
        for quote in self.first:
            self.nominator.update(*quote)
        took_us, yes = play(self.nominator.update, self.stream)
        hottest_us = [
            took
            for took, (key, _bid, _ask) in zip(took_us, self.stream, strict=True)
            if key.symbol == self.hottest
        ]
        return Play(took_us, hottest_us, yes)

    def cost_us(self) -> float:
        """Return the CPU time of an update, on average over the whole stream [us]."""
        return cost_us(self.nominator.update, self.stream)

    def plant(self) -> None:
        """Let the most idle market that is part of a cycle offer a profit of 1 % now."""
        idle = min(filter(self.index.by_market.get, self.index.markets), key=self._count)
        bid, ask = next((b, a) for key, b, a in reversed(self.first) if key.symbol == idle)
        self.nominator.update(MarketKey(VENUE, idle), 1.02 * bid, 1.02 * ask)

    def _count(self, symbol: str) -> int:
        return len(self.index.by_market[symbol])

    def scan_by_numpy(self) -> tuple[float, set[int]]:
        """Return what a full scan costs [us], and which cycles it finds."""
        routes = np.array(self.index.routes)
        rates = np.array(self.kernel.rates)
        products = rates[routes[:, 0]] * rates[routes[:, 1]] * rates[routes[:, 2]]
        found = {int(position) for position in np.flatnonzero(products >= self.threshold)}

        def scan() -> None:
            products = rates[routes[:, 0]] * rates[routes[:, 1]] * rates[routes[:, 2]]
            np.flatnonzero(products >= self.threshold)

        return time_us(scan, 50), found

    def edges(self) -> list[tuple[str, str, float]]:
        """Return the graph of all rates: asset, asset, minus the logarithm of the best rate."""
        best: dict[tuple[str, str], float] = {}
        for number, market in enumerate(self.index.markets):
            base, quote = market.split("/")
            buy, sell = self.kernel.rates[2 * number : 2 * number + 2]
            for pair, rate in (((quote, base), buy), ((base, quote), sell)):
                best[pair] = max(rate, best.get(pair, 0.0))
        return [(one, other, -math.log(rate)) for (one, other), rate in best.items() if rate]

    def search_by_networkx(self, repeats: int, *, is_shortened: bool = False) -> float:
        """Return what one Bellman-Ford search of networkx costs [us].

        Args:
            repeats: how often.
            is_shortened: let it look for a cycle in what it has found so far, now and then.
        """
        graph = nx.DiGraph()
        graph.add_weighted_edges_from(self.edges())
        return time_us(lambda: nx.negative_edge_cycle(graph, heuristic=is_shortened), repeats)

    def search_by_rustworkx(self, repeats: int) -> float:
        """Return what one Bellman-Ford search of rustworkx costs [us]."""
        graph = rx.PyDiGraph()
        edges = self.edges()
        nodes = {name: graph.add_node(name) for one, other, _ in edges for name in (one, other)}
        graph.add_edges_from([(nodes[one], nodes[other], weight) for one, other, weight in edges])
        return time_us(lambda: rx.negative_edge_cycle(graph, float), repeats)


def time_us(work: Callable[[], object], repeats: int) -> float:
    """Return how long ``work`` takes, the median of several times [us]."""
    costs = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        costs.append((time.perf_counter() - began) * US_PER_S)
    return median(costs)


def check(bench: Bench) -> float:
    """Return what a full scan costs [us]; stop when the kernel holds other cycles than it finds."""
    numpy_us, found = bench.scan_by_numpy()
    if bench.kernel.hot != found:
        raise SystemExit(f"the kernel holds {bench.kernel.hot}, a full scan finds {found}")
    return numpy_us


def measure(*, is_quick: bool) -> list[Row]:
    """Return all figures."""
    updates = UPDATES // 20 if is_quick else UPDATES
    name, markets = read_markets()
    small, large = Bench(markets, updates), Bench(grow(markets, GROWTH), updates)
    played, grown = small.play(), large.play()
    small_us, grown_us = small.cost_us(), large.cost_us()
    quiet_us = small.search_by_networkx(5)
    check(small)
    small.plant()
    numpy_us = check(small)
    check(large)
    if not small.kernel.hot:
        raise SystemExit("the planted profit was not found")
    shortened_us = small.search_by_networkx(5, is_shortened=True)
    p50 = median(played.took_us)
    hot_count = len(small.index.by_market[small.hottest])
    hottest_us = fmean(played.hottest_us)
    return [
        at_most(
            f"decision per update, {len(small.index.cycles)} cycles: p50",
            *(p50, "µs", P50_US_MAX),
            note=f"{name}, {len(markets)} markets; p99 {percentile(played.took_us, 0.99):.1f} µs; "
            f"{played.yes} of {len(small.stream)} updates were nominated",
        ),
        at_most(
            f"hottest market, {small.hottest} in {hot_count} cycles: mean",
            *(hottest_us, "µs", HOTTEST_US_MAX),
            note=f"p99 {percentile(played.hottest_us, 0.99):.1f} µs",
        ),
        times_better(
            "decision per update, p50, beside a search of the whole graph",
            *(p50, "µs", RATIO_MIN),
            reference=small.search_by_networkx(1 if is_quick else 5),
            reference_name="networkx Bellman-Ford",
            is_cost=True,
            note=f"with a profit of 1 % to find; {shortened_us:,.0f} µs with its heuristic, "
            f"{quiet_us:,.0f} µs with nothing to find",
        ),
        beside("numpy, all cycles", p50, numpy_us),
        beside("rustworkx negative_edge_cycle", p50, small.search_by_rustworkx(20)),
        at_most(
            f"{len(large.markets)} markets, {len(large.index.cycles)} cycles: CPU per update",
            *(grown_us, "µs", P50_US_MAX),
            reference=small_us,
            reference_name=f"{len(markets)} markets",
            ratio_max=GROWTH_RATIO_MAX,
            note=f"p50 {median(grown.took_us):.2f} µs; hottest market, mean "
            f"{fmean(grown.hottest_us):.1f} µs",
        ),
    ]


def beside(reference_name: str, figure: float, reference: float) -> Row:
    """Return a row for information: a decision beside a full scan."""
    return Row(
        *("decision per update, p50, beside a full scan", figure, "µs"),
        reference=reference,
        reference_name=reference_name,
        ratio=reference / figure,
    )


def main() -> int:
    """Measure and report."""
    use_exact_context()
    options = make_parser(__doc__).parse_args()
    return report(measure(is_quick=options.quick))


if __name__ == "__main__":
    run_script(main)
