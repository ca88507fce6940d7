"""What 5,000 live books weigh, and whether that grows while connections come and go.

Five venues of 1,000 markets each are followed over real WebSockets: books of 50 levels, 2,000
updates a second, sequences checked. Every minute all connections are cut, and all books are built
anew. Resident memory is that of the whole process: interpreter, Django, ccxt and all books.

Usage: ``python -m benchmarks.books_memory [--minutes 20]``; without it one cut in a quarter minute.
Targets: ≤ 600 MB; no growth: not more than 3 % between the first third and the end.
"""

import asyncio
import gc
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.parts.pump import RunningPump, make_symbols, running_pump
from benchmarks.parts.results import Row, at_most, report
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import make_parser, run_script

VENUES = ("one", "two", "three", "four", "five")
SYMBOLS = 1_000
RATE = 2_000
MEMORY_MB_MAX = 600
GROWTH_PERCENT_MAX = 3
READY_S = 120.0
CUT_EVERY_S = 60.0
SHORT_S = 15.0
SAMPLE_S = 5.0


class Listener:
    """Counts changes."""

    def __init__(self) -> None:
        self.changes = 0

    def book_changed(self, _book: Any) -> None:
        """Count."""
        self.changes += 1

    def feed_changed(self, _status: Any) -> None:
        """Gates are no matter here."""


def resident_mb() -> float:
    """Return the resident memory of this process [MB]."""
    gc.collect()
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


async def wait_for(condition: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Return how long it took until something held [s]."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise SystemExit(f"in vain waited for {what}")
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def soak(pump: RunningPump, *, symbols: list[str], seconds: float) -> dict[str, Any]:
    """Follow all books for so long, with cuts; return what was seen."""
    from markets.feed.hub import FeedHub  # noqa: PLC0415  after django.setup()
    from markets.gateway.base import VenueSpec  # noqa: PLC0415

    before_mb = resident_mb()
    listener = Listener()
    hub = FeedHub(listener=listener)
    specs = [
        VenueSpec(code, "okx", rest_origin=pump.rest_origin, ws_origin=pump.ws_origin)
        for code in VENUES
    ]
    total = len(specs) * len(symbols)

    def live() -> int:
        return sum(hub.book(spec.code, each) is not None for spec in specs for each in symbols)

    hub.want(dict.fromkeys(specs, symbols))
    try:
        ready_s = await wait_for(lambda: live() == total, READY_S, f"{total} books")
        await asyncio.to_thread(pump.command, f"rate?per_s={RATE}")
        samples, cuts, healed_s = [resident_mb()], 0, 0.0
        began = time.monotonic()
        next_cut = began + min(CUT_EVERY_S, seconds / 3)
        while time.monotonic() - began < seconds:
            await asyncio.sleep(min(SAMPLE_S, seconds / 6))
            if time.monotonic() >= next_cut:
                await asyncio.to_thread(pump.command, "drop")
                await wait_for(lambda: live() < total, READY_S, "the cut")
                healed_s = max(
                    healed_s, await wait_for(lambda: live() == total, READY_S, "the books again")
                )
                cuts, next_cut = cuts + 1, time.monotonic() + CUT_EVERY_S
            samples.append(resident_mb())
            if len(samples) % 12 == 0:
                print(f"{time.monotonic() - began:6.0f} s  {samples[-1]:.0f} MB", flush=True)
    finally:
        await asyncio.to_thread(pump.command, "rate?per_s=0")
        await hub.close()
    return {
        "before_mb": before_mb,
        "samples": samples,
        "cuts": cuts,
        "ready_s": ready_s,
        "healed_s": healed_s,
        "rate": listener.changes / (time.monotonic() - began),
        "total": total,
    }


def main() -> int:
    """Measure and print; return 1 when a target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=0)
    options = parser.parse_args()
    symbols = make_symbols(SYMBOLS // 20 if options.quick else SYMBOLS)
    seconds = options.minutes * 60 or SHORT_S
    with (
        scratch_platform(),
        running_pump(symbols) as pump,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        seen = runner.run(soak(pump, symbols=symbols, seconds=seconds))
    samples = seen["samples"]
    settled = samples[max(1, len(samples) // 3) :]
    growth = 100 * (samples[-1] - settled[0]) / settled[0]
    print(f"{seen['total']} books after {seen['ready_s']:.1f} s, {seen['rate']:.0f} updates/s")
    print(f"{seen['cuts']} cuts; all books live again after {seen['healed_s']:.1f} s at most")
    name = f"{seen['total']} live books of 50 levels"
    is_soak = seconds >= 600
    return report(
        [
            at_most(f"{name}: resident memory", max(samples), "MB", MEMORY_MB_MAX),
            Row(f"{name}: of that before the first book", seen["before_mb"], "MB"),
            at_most(
                *(f"growth over {seconds / 60:.1f} min, {seen['cuts']} cuts", growth, "%"),
                GROWTH_PERCENT_MAX if is_soak else 3 * GROWTH_PERCENT_MAX,
            ),
        ]
    )


if __name__ == "__main__":
    run_script(main)
