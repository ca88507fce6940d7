"""How long one cross-venue tick takes, beside the bare ccxt calls it consists of.

A tick reads the strategy and its balances, fetches two books over REST at once, decides, commits
opportunity, execution and both orders, sends both orders at once, books the fills and settles. The
bare calls, made in turn with the ticks on the same venues: two ``fetch_order_book`` at once, then
two ``create_order`` at once, each on its own ccxt object with an open connection.

The venues are a process of their own that replays a made recording with an edge in every frame.

Usage: ``python -m benchmarks.tick_latency [--ticks 300]``. Target: p50 <= 60 ms.
"""

import http.client
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ccxt

from benchmarks.parts.results import at_most, percentile, report
from benchmarks.parts.scratch import scratch_platform, simulator_process
from benchmarks.parts.scripts import make_parser, run_script
from benchmarks.parts.venues import (
    BARE,
    MAIN,
    make_config,
    make_frame,
    register_accounts,
    replay,
)

TARGET_MS = 60
WARM_UP = 20
SYMBOL = "BTC/USDT"
LEVELS = 20
FUNDS = {"BTC": "1000", "USDT": "100000000"}
CODES = ("alpha", "beta")
STAGES = ("read", "fetch", "evaluate", "execute", "finish")


def write_recording(path: Path, frames: int) -> None:
    """Write books in which alpha is always 1 % cheaper than beta; every level changes each time."""
    lines = []
    for number in range(2 * frames):
        code, middle = CODES[number % 2], 50_000 + 500 * (number % 2)
        shift = number // 2 % 50 / 100
        lines.append(make_frame(number, code, middle, size=1 + shift, levels=LEVELS, shift=shift))
    path.write_text("\n".join(lines) + "\n")


def make_bare_calls(url: str) -> Callable[[], None]:
    """Return a function that makes the four calls of a tick with nothing but ccxt."""
    venues = []
    for code in CODES:
        options = {"fetchCurrencies": False, "fetchMargins": False, "defaultType": "spot"}
        venue = ccxt.binance({"enableRateLimit": False, "options": options})
        venue.urls["api"] = {
            name: f"{url}/{code}/api/v3" if name in {"public", "private"} else address
            for name, address in venue.urls["api"].items()
        }
        venue.options["fetchMarkets"] = {"types": ["spot"]}
        venue.load_markets()
        venue.apiKey, venue.secret = f"{BARE}-{code}", f"secret-{BARE}-{code}"
        venues.append(venue)
    threads = ThreadPoolExecutor(2)
    prices = ((0, "buy", 50_100), (1, "sell", 50_400))

    def call() -> None:
        list(threads.map(lambda venue: venue.fetch_order_book(SYMBOL, LEVELS), venues))
        list(
            threads.map(
                lambda leg: venues[leg[0]].create_order(
                    SYMBOL, "limit", leg[1], 0.01, leg[2], {"timeInForce": "IOC"}
                ),
                prices,
            )
        )

    return call


def make_ticks(url: str) -> Callable[[], dict[str, float]]:
    """Register venues, accounts and a strategy; return a function that runs one tick of it."""
    from strategies.domain.states import StrategyDriver  # noqa: PLC0415  after django.setup()
    from strategies.services.runs import start_strategy  # noqa: PLC0415
    from strategies.services.strategies import create_strategy  # noqa: PLC0415
    from strategies.services.ticks import TickOutcome, run_tick  # noqa: PLC0415

    accounts = register_accounts(url, CODES)
    strategy = create_strategy(
        name="bench",
        slug="cross-venue",
        params={"symbols": [SYMBOL], "max_notional": "500", "depth": LEVELS},
        account_ids=[account.pk for account in accounts],
        driver=StrategyDriver.SCHEDULE,
    )
    start_strategy(strategy_id=strategy.pk, user=None)

    def tick() -> dict[str, float]:
        report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
        if report.outcome is not TickOutcome.EXECUTED:
            raise SystemExit(f"The tick did not trade: {report}")
        return report.durations_ms

    return tick


def check_books() -> str:
    """Return how the books stand after all ticks."""
    from ledger.selectors import imbalances  # noqa: PLC0415
    from ledger.services.reconciliation import compare_with_venue  # noqa: PLC0415
    from strategies.models import Execution, Strategy  # noqa: PLC0415

    states = sorted(set(Execution.objects.values_list("state", flat=True)))
    differences = [
        difference
        for account in Strategy.objects.get().accounts.all()
        for difference in compare_with_venue(account_id=account.pk)
    ]
    return (
        f"{Execution.objects.count()} executions {states}, imbalances {imbalances() or 'none'}, "
        f"differences to the venues' statements {differences or 'none'}"
    )


def measure(ticks: int, url: str) -> tuple[list[float], list[float], list[dict[str, float]]]:
    """Return how long ticks and bare calls took, in turn [ms], and the stages of the ticks."""
    tick, bare = make_ticks(url), make_bare_calls(url)
    control = http.client.HTTPConnection(url.removeprefix("http://"))
    ours: list[float] = []
    theirs: list[float] = []
    stages: list[dict[str, float]] = []

    def show_next_books() -> None:
        control.request("POST", "/control/alpha/replay/advance?frames=2")
        control.getresponse().read()

    for _ in range(WARM_UP + ticks):
        show_next_books()
        began = time.perf_counter()
        stages.append(tick())
        ours.append((time.perf_counter() - began) * 1000)
        show_next_books()
        began = time.perf_counter()
        bare()
        theirs.append((time.perf_counter() - began) * 1000)
    return ours[WARM_UP:], theirs[WARM_UP:], stages[WARM_UP:]


def line(name: str, values: list[float]) -> str:
    """Return median and 99th percentile of durations [ms] as a line."""
    p50, p99 = statistics.median(values), percentile(values, 0.99)
    return f"{name:34} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms"


def main() -> int:
    """Measure and print; return 1 when the target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--ticks", type=int, default=300)
    options = parser.parse_args()
    ticks = options.ticks // 10 if options.quick else options.ticks
    with scratch_platform() as directory:
        recording = directory / "recording.jsonl"
        write_recording(recording, 2 * (ticks + WARM_UP) + 4)
        quotes = {code: replay(recording, SYMBOL, code) for code in CODES}
        config = make_config(
            CODES, symbols=[SYMBOL], funds=FUNDS, quotes=quotes, labels=(MAIN, BARE)
        )
        with simulator_process(config, directory) as url:
            ours, theirs, stages = measure(ticks, url)
            books = check_books()
    ours_p50, theirs_p50 = statistics.median(ours), statistics.median(theirs)
    print(line("one cross-venue tick", ours))
    for stage in STAGES:
        print(line(f"  {stage}", [row[stage] for row in stages]))
    print(line("bare ccxt calls", theirs))
    print(books)
    return report(
        [
            at_most(
                *("one cross-venue tick over REST: p50", ours_p50, "ms", TARGET_MS),
                reference=theirs_p50,
                reference_name="bare ccxt calls",
            )
        ]
    )


if __name__ == "__main__":
    run_script(main)
