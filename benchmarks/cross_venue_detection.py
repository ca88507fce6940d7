"""What a price costs where many venues trade the same symbols: which pairs of them earn after it.

Ten venues list a thousand symbols each, made up: the price of a symbol wanders, every venue quotes
it with a spread and a small error of its own, and one quote in a thousand is off by up to 1 %. Each
update goes through ``PairNominator``, as in the engine. Beside it, in the same run, numpy compares
all 90 ordered pairs of venues of all symbols; and with twenty venues, where each symbol has 380
pairs instead of 90, what an update costs then.

At the end the kernel must hold exactly the pairs that the full scan finds.
"""

import math
import time
from decimal import Decimal
from random import Random
from statistics import median

import numpy as np

from arbplatform.core.decimals import use_exact_context
from benchmarks.parts.quotes import FEE, US_PER_S, Quote, cost_us, make_rules, play
from benchmarks.parts.results import Row, at_most, percentile, report
from benchmarks.parts.scripts import make_parser, run_script
from strategies.domain.kernels.nominators import PairNominator
from strategies.domain.kernels.rates import least_rate
from strategies.domain.view import MarketKey

VENUES = 10
SYMBOLS = 1000
UPDATES = 200_000
EDGE_MIN = Decimal("0.0005")
FLASHES = 0.001
P50_US_MAX = 10


def make_stream(keys: list[MarketKey], count: int) -> list[Quote]:
    """Return one quote of every market and then ``count`` of markets by chance."""
    random = Random(10_000)  # noqa: S311 - made-up prices
    prices = {key.symbol: math.exp(random.gauss(0, 3)) for key in keys}
    stream = []
    for key in [*keys, *random.choices(keys, k=count)]:
        prices[key.symbol] *= math.exp(random.gauss(0, 2e-5))
        mid = prices[key.symbol] * (1 + random.gauss(0, 1e-4))
        half = random.uniform(1e-4, 8e-4) / 2
        if random.random() < FLASHES:
            flash = mid * (1 + random.uniform(-0.01, 0.01))
            stream.append((key, flash * (1 - half), flash * (1 + half)))
        stream.append((key, mid * (1 - half), mid * (1 + half)))
    return stream


class Bench:
    """Some venues and their nominator."""

    def __init__(self, venues: int, updates: int) -> None:
        keys = [MarketKey(f"V{v}", f"A{n}/USDT") for n in range(SYMBOLS) for v in range(venues)]
        self.venues = venues
        self.keys = keys
        self.threshold = least_rate(edge_min=EDGE_MIN, profit_min=Decimal(0), spend_max=Decimal(1))
        rules = {key: make_rules(key) for key in keys}
        self.nominator = PairNominator(rules, threshold=self.threshold)
        self.stream = make_stream(keys, updates)

    def play(self) -> tuple[list[float], int]:
        """Take all quotes; return what each cost [us], and how many nominated."""
        return play(self.nominator.update, self.stream)

    def cost_us(self) -> float:
        """Return the CPU time of an update, on average over the whole stream [us]."""
        return cost_us(self.nominator.update, self.stream)

    def scan_by_numpy(self) -> float:
        """Return what a scan of all pairs costs [us]; stop when the kernel holds others."""
        newest = {key: (bid, ask) for key, bid, ask in self.stream}
        left = 1 - float(FEE)
        shape = (SYMBOLS, self.venues)
        sells = np.array([newest[key][0] * left for key in self.keys]).reshape(shape)
        buys = np.array([left / newest[key][1] for key in self.keys]).reshape(shape)
        costs = []
        places: list[list[int]] = []
        for _ in range(20):
            began = time.perf_counter()
            products = buys[:, :, None] * sells[:, None, :]
            places = np.argwhere(products >= self.threshold).tolist()
            costs.append((time.perf_counter() - began) * US_PER_S)
        found = {
            (row * self.venues + one, row * self.venues + other)
            for row, one, other in places
            if one != other
        }
        if self.nominator.kernel.hot != found:
            raise SystemExit(f"the kernel holds {self.nominator.kernel.hot}, not {found}")
        return median(costs)


def measure(*, is_quick: bool) -> list[Row]:
    """Return all figures."""
    updates = UPDATES // 20 if is_quick else UPDATES
    bench, larger = Bench(VENUES, updates), Bench(2 * VENUES, updates)
    took_us, yes = bench.play()
    larger.play()
    numpy_us = bench.scan_by_numpy()
    larger.scan_by_numpy()
    return [
        at_most(
            f"decision per update, {VENUES} venues x {SYMBOLS} symbols: p50",
            *(median(took_us), "µs", P50_US_MAX),
            reference=numpy_us,
            reference_name="numpy, all pairs",
            is_turned=True,
            note=f"p99 {percentile(took_us, 0.99):.1f} µs; {yes} of {len(bench.stream)} updates "
            "nominated",
        ),
        at_most(
            f"{2 * VENUES} venues: CPU per update",
            *(larger.cost_us(), "µs", P50_US_MAX),
            reference=bench.cost_us(),
            reference_name=f"{VENUES} venues",
            note="4 times the pairs; what grows is the memory that does not fit into the cache",
        ),
    ]


def main() -> int:
    """Measure and report."""
    use_exact_context()
    options = make_parser(__doc__).parse_args()
    return report(measure(is_quick=options.quick))


if __name__ == "__main__":
    run_script(main)
