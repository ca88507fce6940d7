"""How many updates of books one process takes from its sockets to a decision, and how fast.

A venue in a process of its own sends updates of ten levels for 200 markets of two venues over real
WebSockets. Ours: feeds with checked sequences, live books, and the nominator of the cross-venue
strategies, which says after every update whether one of them may trade; the age of an update at
that moment is the time from being written to the socket to the decision. Then the venue sends as
much as is taken. The reference of the same run: ccxt.pro alone, which keeps its books, checks
nothing further and decides nothing.

Usage: ``python -m benchmarks.intake [--seconds 5]``. Target: ≥ 10,000 updates/s with p99 ≤ 10 ms.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ccxt.pro

from benchmarks.parts.following import following, wait_until
from benchmarks.parts.pump import STAMP_MODULUS, RunningPump, make_symbols, running_pump, stamp
from benchmarks.parts.quotes import make_rules
from benchmarks.parts.results import Row, at_least, at_most, percentile, report
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import make_parser, run_loop, run_script
from strategies.domain.kernels.nominators import PairNominator
from strategies.domain.view import MarketKey

SYMBOLS = 100
VENUES = ("one", "two")
RATE = 10_500
RATE_MIN = 10_000
FLOOD = 200_000
LATENCY_MS_MAX = 10
SETTLE_S = 1.5


@dataclass(slots=True)
class Intake:
    """What decides after every update.

    Attributes:
        update: takes the best prices of a market; returns whether a strategy may trade.
        ages_us: how old each update was when that was known [µs].
        nominated: how often a strategy might have traded.
    """

    update: Callable[[Any, float, float], bool]
    keys: dict[tuple[str, str], Any]
    ages_us: list[int] = field(default_factory=list)
    nominated: int = 0

    def book_changed(self, book: Any) -> None:
        """Decide, and note how long that took."""
        key = self.keys[book.venue, book.symbol]
        if self.update(key, book.best_bid, book.best_ask):
            self.nominated += 1
        self.ages_us.append((stamp() - int(book.best_bid_quantity)) % STAMP_MODULUS)

    def feed_changed(self, status: Any) -> None:
        """Gates are no matter here."""


def make_intake(symbols: list[str]) -> Intake:
    """Return the nominator of cross-venue strategies on all markets."""
    keys = [MarketKey(venue, symbol) for venue in VENUES for symbol in symbols]
    rules = {key: make_rules(key, tick="0.01", lot="0.0001", notional_min="5") for key in keys}
    nominator = PairNominator(rules, threshold=1.0005)
    return Intake(nominator.update, {(key.venue, key.symbol): key for key in rules})


async def take_in(pump: RunningPump, intake: Intake, symbols: list[str], seconds: float) -> Any:
    """Follow all markets; return what came at the target rate, and at full throttle."""
    async with following(pump, intake, codes=VENUES, symbols=symbols) as count_live:
        await wait_until(lambda: count_live() == len(VENUES) * len(symbols), "all books")
        steady = await phase(pump, intake, RATE, seconds)
        flood = await phase(pump, intake, FLOOD, seconds)
        return steady, flood


async def phase(
    pump: RunningPump, intake: Intake, rate: int, seconds: float
) -> tuple[float, list[float], float]:
    """Return updates a second, their ages [ms], and the processor time [cores]."""
    await asyncio.to_thread(pump.command, f"rate?per_s={rate}")
    await asyncio.sleep(SETTLE_S)
    intake.ages_us.clear()
    began, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    passed_s = time.monotonic() - began
    cores = (time.process_time() - cpu) / passed_s
    return (
        len(intake.ages_us) / passed_s,
        [age / 1_000 for age in intake.ages_us],
        cores,
    )


class Counting(ccxt.pro.okx):  # type: ignore[misc]  # ccxt has no types
    """ccxt.pro's own books; counts the updates that its handler has dealt with."""

    count = 0

    def handle_order_book(self, client: Any, message: Any) -> Any:
        """Count, and do what it does."""
        Counting.count += 1
        return super().handle_order_book(client, message)


def open_bare(pump: RunningPump) -> Counting:
    """Return ccxt.pro's client of a venue that the pump is."""
    client = Counting(
        {"enableRateLimit": False, "options": {"watchOrderBook": {"checksum": False}}}
    )
    client.urls["api"]["rest"] = pump.rest_origin
    client.urls["api"]["ws"] = f"{pump.ws_origin}/ws/v5"
    client.options["fetchMarkets"] = {"types": ["spot"]}
    client.has["fetchCurrencies"] = False
    return client


async def take_in_bare(pump: RunningPump, symbols: list[str], seconds: float) -> float:
    """Return how many updates a second ccxt.pro takes, without anything of ours."""
    clients = [open_bare(pump) for _ in VENUES]

    async def follow(client: Counting) -> None:
        await client.load_markets()
        while True:
            await client.watch_order_book_for_symbols(symbols)

    tasks = [asyncio.create_task(follow(client)) for client in clients]
    try:
        await asyncio.sleep(SETTLE_S)
        await asyncio.to_thread(pump.command, f"rate?per_s={FLOOD}")
        await asyncio.sleep(SETTLE_S)
        began, before = time.monotonic(), Counting.count
        await asyncio.sleep(seconds)
        return (Counting.count - before) / (time.monotonic() - began)
    finally:
        await asyncio.to_thread(pump.command, "rate?per_s=0")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients:
            await client.close()


def main() -> int:
    """Measure and print; return 1 when the target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    seconds = 1.0 if options.quick else options.seconds
    symbols = make_symbols(SYMBOLS)
    with scratch_platform(has_tables=False), running_pump(symbols) as pump:
        intake = make_intake(symbols)
        (rate, ages, cores), (most, flood_ages, _) = run_loop(
            take_in(pump, intake, symbols, seconds)
        )
        bare = run_loop(take_in_bare(pump, symbols, seconds))
    print(f"{2 * SYMBOLS} markets, updates of 10 levels; nominated {intake.nominated}")
    name = "socket to decision"
    return report(
        [
            at_least(f"{name}: sustained", rate, "updates/s", RATE_MIN),
            Row(f"{name}: age p50 at that rate", percentile(ages, 0.5), "ms"),
            at_most(f"{name}: age p99 at that rate", percentile(ages, 0.99), "ms", LATENCY_MS_MAX),
            Row(f"{name}: processor at that rate", cores, "cores"),
            Row(
                *(f"{name}: at most", most, "updates/s"),
                reference=bare,
                reference_name="ccxt.pro alone, no decision",
                ratio=most / bare if bare else None,
            ),
            Row(f"{name}: age p99 at most", percentile(flood_ages, 0.99), "ms"),
        ]
    )


if __name__ == "__main__":
    run_script(main)
