"""How long one cross-venue tick takes, beside the bare ccxt calls it consists of.

A tick reads the strategy and its balances, fetches two books over REST at once, decides, commits
opportunity, execution and both orders, sends both orders at once, books the fills and settles. The
bare calls, made in turn with the ticks on the same venues: two ``fetch_order_book`` at once, then
two ``create_order`` at once, each on its own ccxt object with an open connection.

The venues are a process of their own that replays a made recording with an edge in every frame.

Usage: ``python -m benchmarks.tick_latency [--ticks 300]``. Target: p50 <= 60 ms.
"""

import http.client
import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ccxt

from benchmarks.results import at_most, make_parser, report
from benchmarks.scratch import percentile, scratch_platform, simulator_process

TARGET_MS = 60
WARM_UP = 20
SYMBOL = "BTC/USDT"
LEVELS = 20
FUNDS = {"BTC": "1000", "USDT": "100000000"}
SIDES = ("cheap", "dear")
STAGES = ("read", "fetch", "evaluate", "execute", "finish")


def write_recording(path: Path, frames: int) -> None:
    """Write books in which alpha is always 1 % cheaper than beta; every level changes each time."""
    with path.open("w") as file:
        for number in range(2 * frames):
            exchange, middle = SIDES[number % 2], 50_000 + 500 * (number % 2)
            shift = number // 2 % 50 / 100
            bids = [[f"{middle - 5 - i + shift:.2f}", f"{1 + shift:.5f}"] for i in range(LEVELS)]
            asks = [[f"{middle + 5 + i + shift:.2f}", f"{1 + shift:.5f}"] for i in range(LEVELS)]
            frame = {"timestamp": number, "exchange": exchange, "bids": bids, "asks": asks}
            file.write(json.dumps(frame) + "\n")


def make_config(recording: Path) -> dict[str, Any]:
    """Return two venues that show the recording, advanced by hand."""
    market = {
        "symbol": SYMBOL,
        "tick": "0.01",
        "lot": "0.00001",
        "quantity_min": "0.00001",
        "notional_min": "10",
    }
    replay = {"path": str(recording), "symbol": SYMBOL, "speed": 0}
    return {
        "seed": 7,
        "venues": [
            {
                "code": code,
                "assets": ["BTC", "USDT"],
                "markets": [market],
                "replay": {**replay, "exchange": exchange},
                "accounts": [
                    {
                        "label": label,
                        "api_key": f"{label}-{code}",
                        "api_secret": f"secret-{label}-{code}",
                        "balances": {"spot": FUNDS},
                    }
                    for label in ("main", "bare")
                ],
            }
            for code, exchange in zip(("alpha", "beta"), SIDES, strict=True)
        ],
    }


def make_bare_calls(url: str) -> Callable[[], None]:
    """Return a function that makes the four calls of a tick with nothing but ccxt."""
    venues = []
    for code in ("alpha", "beta"):
        options = {"fetchCurrencies": False, "fetchMargins": False, "defaultType": "spot"}
        venue = ccxt.binance({"enableRateLimit": False, "options": options})
        venue.urls["api"] = {
            name: f"{url}/{code}/api/v3" if name in {"public", "private"} else address
            for name, address in venue.urls["api"].items()
        }
        venue.options["fetchMarkets"] = {"types": ["spot"]}
        venue.load_markets()
        venue.apiKey, venue.secret = f"bare-{code}", f"secret-bare-{code}"
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
    from accounts.services.accounts import create_account  # noqa: PLC0415  after django.setup()
    from markets.services.markets import sync_markets  # noqa: PLC0415
    from markets.services.venues import create_venue  # noqa: PLC0415
    from strategies.domain.states import StrategyDriver  # noqa: PLC0415
    from strategies.services.runs import start_strategy  # noqa: PLC0415
    from strategies.services.strategies import create_strategy  # noqa: PLC0415
    from strategies.services.ticks import TickOutcome, run_tick  # noqa: PLC0415

    accounts = []
    for code in ("alpha", "beta"):
        venue = create_venue(code=code, ccxt_id="binance", rest_origin=f"{url}/{code}")
        sync_markets(venue_id=venue.pk)
        key, secret = f"main-{code}", f"secret-main-{code}"
        accounts.append(create_account(venue=venue, label="main", api_key=key, api_secret=secret))
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
        with simulator_process(make_config(recording), directory) as url:
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
    sys.exit(main())
