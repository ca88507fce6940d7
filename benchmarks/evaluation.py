"""What a decision costs, and how far it is from trying every size.

Two questions:

- a look at two books of 20 levels, without and with an edge, for both strategy types;
- the search for the best size, beside a full grid over all lots: the profit must be the same, up
  to the gap that the search itself states.

CPU time is counted, so that other work on the machine matters less; medians of several rounds.

Which evaluations are worth it at all is another question: ``benchmarks.detection``.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from statistics import median

from arbplatform.core.decimals import use_exact_context
from benchmarks.parts.quotes import make_rules
from benchmarks.parts.results import Row, at_most, report, times_better
from benchmarks.parts.scripts import make_parser, run_script
from markets.domain.book import Book, Level
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.candidate import Terms, Trade, cap_leg
from strategies.domain.chain import Chain, coarsest
from strategies.domain.optimum import find_best, find_peak
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from strategies.plugins.triangular import Triangular, TriangularParams
from strategies.sdk import AssetKey, MarketKey, MarketView, StrategyPlugin

LEVELS = 20
ROUNDS = 7
NO_EDGE_MS_MAX = 0.3
EDGE_MS_MAX = 10
GRID_RATIO_MIN = 50
NOW_MS = 1_700_000_000_000
PAIR = 2

CHEAP = MarketKey("alpha", "BTC/USDT")
DEAR = MarketKey("beta", "BTC/USDT")
ETH = MarketKey("alpha", "ETH/USDT")
ETH_BTC = MarketKey("alpha", "ETH/BTC")


def cost_ms(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the CPU time of one run of ``work``, the median of several rounds [ms]."""
    costs = []
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        for _ in range(repeats):
            work()
        costs.append((time.process_time_ns() - started) / repeats / 1e6)
    return median(costs)


def make_book(key: MarketKey, *, bid: str, ask: str, step: str, size: str) -> Book:
    """Return a book whose levels lie ``step`` apart, each a little larger than the one before."""
    sizes = [Decimal(size) * (10 + n) / 10 for n in range(LEVELS)]
    return Book(
        key.venue,
        key.symbol,
        bids=tuple(Level(Decimal(bid) - n * Decimal(step), size) for n, size in enumerate(sizes)),
        asks=tuple(Level(Decimal(ask) + n * Decimal(step), size) for n, size in enumerate(sizes)),
        received_at_ms=NOW_MS,
    )


def make_view(books: list[Book], rules: list[MarketRules]) -> MarketView:
    """Return a view with ample funds."""
    return MarketView(
        now_ms=NOW_MS,
        books={MarketKey(book.venue, book.symbol): book for book in books},
        rules={MarketKey(item.venue, item.symbol): item for item in rules},
        free={
            AssetKey(item.venue, asset): Decimal(10**6)
            for item in rules
            for asset in (item.base, item.quote)
        },
    )


def cross_venue(edge: bool) -> tuple[StrategyPlugin[CrossVenueParams], MarketView]:
    """Return the plugin and two books of BTC/USDT, 0.33 % or nothing apart."""
    bid, ask = ("60200", "60201") if edge else ("60000", "60001")
    view = make_view(
        [
            make_book(CHEAP, bid="60000", ask="60001", step="5", size="0.05"),
            make_book(DEAR, bid=bid, ask=ask, step="3", size="0.05"),
        ],
        [
            make_rules(key, tick="0.01", lot="0.00001", notional_min="0.0001")
            for key in (CHEAP, DEAR)
        ],
    )
    params = CrossVenueParams(symbols=(CHEAP.symbol,), max_notional=Decimal(10**6))
    return CrossVenue(params), view


def triangular(edge: bool) -> tuple[StrategyPlugin[TriangularParams], MarketView]:
    """Return the plugin and three books of one venue, 0.6 % or nothing apart."""
    bid, ask = ("3018", "3019") if edge else ("3000", "3001")
    view = make_view(
        [
            make_book(CHEAP, bid="60000", ask="60001", step="5", size="0.05"),
            make_book(ETH_BTC, bid="0.04999", ask="0.05", step="0.00001", size="1"),
            make_book(ETH, bid=bid, ask=ask, step="0.3", size="1"),
        ],
        [
            make_rules(CHEAP, tick="0.01", lot="0.00001", notional_min="0.0001"),
            make_rules(ETH_BTC, tick="0.00001", lot="0.0001", notional_min="0.0001"),
            make_rules(ETH, tick="0.01", lot="0.0001", notional_min="0.0001"),
        ],
    )
    params = TriangularParams(assets=("BTC", "ETH", "USDT"), max_start_amount=Decimal(10**6))
    return Triangular(params), view


def measure_evaluation() -> Iterator[Row]:
    """Yield what one evaluation costs."""
    for name, make in (("cross-venue", cross_venue), ("triangular", triangular)):
        for edge, limit in ((False, NO_EDGE_MS_MAX), (True, EDGE_MS_MAX)):
            plugin, view = make(edge)
            if bool(plugin.evaluate(view).intents) is not edge:
                raise SystemExit(f"{name}: the books do not say what they were made for")
            took = cost_ms(lambda: plugin.evaluate(view), repeats=20)  # noqa: B023 - called here
            label = "an edge" if edge else "no edge"
            yield at_most(f"{name} evaluation, {label}", took, "ms", limit)


def chain_of(view: MarketView, route: list[tuple[MarketKey, Side]]) -> Chain:
    """Return the chain through ``route``, as the strategies build it.

    Two legs are paid from stock, and what is left over counts at the bid; of three, the first.
    """
    is_pair = len(route) == PAIR
    trades = [Trade(view.rules[key], side, view.books[key], Decimal(10**6)) for key, side in route]
    legs = tuple(
        cap_leg(trade, Terms(), is_first=not index, is_from_stock=is_pair or not index).leg
        for index, trade in enumerate(trades)
    )
    bid = trades[0].book.bids[0].price * Decimal("0.999")
    return Chain(legs, coarsest(legs), leftover_values=(bid,) if is_pair else ())


def measure_search() -> Iterator[Row]:
    """Yield the search beside the full grid over all lots."""
    pair = [(CHEAP, Side.BUY), (DEAR, Side.SELL)]
    cycle = [(CHEAP, Side.BUY), (ETH_BTC, Side.BUY), (ETH, Side.SELL)]
    for name, chain in (
        ("cross-venue", chain_of(cross_venue(True)[1], pair)),
        ("triangular", chain_of(triangular(True)[1], cycle)),
    ):
        started = time.process_time_ns()
        lots_max = chain.legs[chain.pivot].lots_max
        profits = [flow.profit for n in range(1, lots_max + 1) if (flow := chain.flow(n))]
        grid_ms = (time.process_time_ns() - started) / 1e6
        best = find_best(chain, find_peak(chain))
        if best.flow is None or max(profits) > best.flow.profit + best.gap:
            raise SystemExit(f"{name}: the search missed more than it states")
        yield times_better(
            f"{name}, best of {lots_max} lots",
            cost_ms(lambda: find_best(chain, find_peak(chain))),  # noqa: B023 - called here
            *("ms", GRID_RATIO_MIN),
            reference=grid_ms,
            reference_name="all lots",
            is_cost=True,
            note=f"{best.tries} tries; profit {best.flow.profit:.6f}, of all lots "
            f"{max(profits):.6f}, stated gap {best.gap:.6f}",
        )


def main() -> int:
    """Measure and report."""
    use_exact_context()
    make_parser(__doc__).parse_args()
    return report([*measure_evaluation(), *measure_search()])


if __name__ == "__main__":
    run_script(main)
