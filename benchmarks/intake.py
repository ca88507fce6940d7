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
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import ccxt.pro
import uvloop

from benchmarks.parts.pump import STAMP_MODULUS, RunningPump, make_symbols, running_pump, stamp
from benchmarks.parts.results import Row, at_least, at_most, percentile, report
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import make_parser, run_script

SYMBOLS = 100
VENUES = ("one", "two")
RATE = 10_000
FLOOD = 200_000
LATENCY_MS_MAX = 10
SETTLE_S = 1.5
READY_S = 60.0


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
    from markets.domain.fees import FeeMode, FeeSchedule  # noqa: PLC0415  after django.setup()
    from markets.domain.rules import MarketRules  # noqa: PLC0415
    from strategies.domain.kernels.nominators import PairNominator  # noqa: PLC0415
    from strategies.sdk import MarketKey  # noqa: PLC0415

    fee = Decimal("0.001")
    rules = {
        MarketKey(venue, symbol): MarketRules(
            venue=venue,
            symbol=symbol,
            base=symbol.split("/")[0],
            quote="USDT",
            tick=Decimal("0.01"),
            lot=Decimal("0.0001"),
            quantity_min=Decimal("0.0001"),
            quantity_max=None,
            notional_min=Decimal(5),
            fees=FeeSchedule(maker=fee, taker=fee, mode=FeeMode.QUOTE),
            is_active=True,
        )
        for venue in VENUES
        for symbol in symbols
    }
    nominator = PairNominator(rules, threshold=1.0005)
    return Intake(nominator.update, {(key.venue, key.symbol): key for key in rules})


async def take_in(pump: RunningPump, intake: Intake, symbols: list[str], seconds: float) -> Any:
    """Follow all markets; return what came at the target rate, and at full throttle."""
    from markets.feed.hub import FeedHub  # noqa: PLC0415  after django.setup()
    from markets.gateway.base import VenueSpec  # noqa: PLC0415

    hub = FeedHub(listener=intake)
    specs = [
        VenueSpec(code, "okx", rest_origin=pump.rest_origin, ws_origin=pump.ws_origin)
        for code in VENUES
    ]
    hub.want(dict.fromkeys(specs, symbols))
    try:
        until = time.monotonic() + READY_S
        while sum(hub.book(spec.code, each) is not None for spec in specs for each in symbols) < (
            len(specs) * len(symbols)
        ):
            if time.monotonic() > until:
                raise SystemExit("the books did not come in time")
            await asyncio.sleep(0.1)
        steady = await phase(pump, intake, RATE, seconds)
        flood = await phase(pump, intake, FLOOD, seconds)
        return steady, flood
    finally:
        await asyncio.to_thread(pump.command, "rate?per_s=0")
        await hub.close()


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


async def take_in_bare(pump: RunningPump, symbols: list[str], seconds: float) -> float:
    """Return how many updates a second ccxt.pro takes, without anything of ours."""
    count = 0

    class Counting(ccxt.pro.okx):  # type: ignore[misc]  # ccxt has no types
        """Counts the updates that its own handler has dealt with."""

        def handle_order_book(self, client: Any, message: Any) -> Any:
            nonlocal count
            count += 1
            return super().handle_order_book(client, message)

    venue = Counting({"enableRateLimit": False, "options": {"watchOrderBook": {"checksum": False}}})
    venue.urls["api"]["rest"] = pump.rest_origin
    venue.urls["api"]["ws"] = f"{pump.ws_origin}/ws/v5"
    venue.options["fetchMarkets"] = {"types": ["spot"]}
    venue.has["fetchCurrencies"] = False
    await venue.load_markets()

    async def follow() -> None:
        while True:
            await venue.watch_order_book_for_symbols(symbols)

    following = asyncio.create_task(follow())
    try:
        await asyncio.sleep(SETTLE_S)
        await asyncio.to_thread(pump.command, f"rate?per_s={FLOOD}")
        await asyncio.sleep(SETTLE_S)
        began, before = time.monotonic(), count
        await asyncio.sleep(seconds)
        return (count - before) / (time.monotonic() - began)
    finally:
        await asyncio.to_thread(pump.command, "rate?per_s=0")
        following.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await following
        await venue.close()


def main() -> int:
    """Measure and print; return 1 when the target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    seconds = 1.0 if options.quick else options.seconds
    symbols = make_symbols(SYMBOLS)
    with (
        scratch_platform(),
        running_pump(symbols) as pump,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        intake = make_intake(symbols)
        (rate, ages, cores), (most, flood_ages, _) = runner.run(
            take_in(pump, intake, symbols, seconds)
        )
        bare = runner.run(take_in_bare(pump, symbols, seconds))
    print(f"{2 * SYMBOLS} markets, updates of 10 levels; nominated {intake.nominated}")
    name = "socket to decision"
    return report(
        [
            at_least(f"{name}: sustained", rate, "updates/s", 0.98 * RATE),
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
