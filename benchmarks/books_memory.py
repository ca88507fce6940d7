"""What 5,000 live books weigh, and whether that grows while connections come and go.

Five venues of 1,000 markets each are followed over real WebSockets: books of 50 levels, 2,000
updates a second, sequences checked. Every minute, in the short form every 7 s, all connections are
cut, and all books are built anew. Resident memory is that of the whole process: interpreter,
Django, ccxt and all books.

Usage: ``python -m benchmarks.books_memory [--minutes 20]``; without it half a minute.
Targets: ≤ 600 MB; no growth: not more than 3 % between the first third and the end.
"""

import asyncio
import gc
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts.following import following, wait_until
from benchmarks.parts.pump import RunningPump, make_symbols, running_pump
from benchmarks.parts.results import Row, at_most, report
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import make_parser, run_loop, run_script

VENUES = ("one", "two", "three", "four", "five")
SYMBOLS = 1_000
RATE = 2_000
MEMORY_MB_MAX = 600
GROWTH_PERCENT_MAX = 3
SHORT_FACTOR = 3
"""A short form has seen less of the beginning go by: it may have grown so many times as much."""
SOAK_S = 600
CUT_EVERY_S = 60.0
SHORT_S = 30.0
SHORT_CUT_EVERY_S = 7.0
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


@dataclass(frozen=True, slots=True)
class Soak:
    """What was seen.

    Attributes:
        before_mb: resident memory before the first book [MB].
        samples: resident memory with all books, one after the other [MB].
        healed_s: how long it took after each cut until all books were live again [s].
        ready_s: how long it took at first [s].
        rate: changes of books a second.
        total: books.
    """

    before_mb: float
    samples: Sequence[float]
    healed_s: Sequence[float]
    ready_s: float
    rate: float
    total: int

    @property
    def growth_percent(self) -> float:
        """Growth between the first third, when all has been used once, and the end [%]."""
        settled = self.samples[max(1, len(self.samples) // 3)]
        return 100 * (self.samples[-1] - settled) / settled


def resident_mb() -> float:
    """Return the resident memory of this process [MB]."""
    gc.collect()
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


async def soak(pump: RunningPump, *, symbols: list[str], seconds: float) -> Soak:
    """Follow all books for so long, with cuts; return what was seen."""
    before_mb = resident_mb()
    listener = Listener()
    total = len(VENUES) * len(symbols)
    async with following(pump, listener, codes=VENUES, symbols=symbols) as count_live:
        ready_s = await wait_until(lambda: count_live() == total, f"{total} books")
        await asyncio.to_thread(pump.command, f"rate?per_s={RATE}")
        samples, healed_s = [resident_mb()], []
        began = time.monotonic()
        cut_every_s = CUT_EVERY_S if seconds >= SOAK_S else SHORT_CUT_EVERY_S
        next_cut = began + cut_every_s
        while time.monotonic() - began < seconds:
            await asyncio.sleep(min(SAMPLE_S, seconds / 6))
            if time.monotonic() >= next_cut:
                await asyncio.to_thread(pump.command, "drop")
                await wait_until(lambda: count_live() < total, "the cut")
                healed_s.append(await wait_until(lambda: count_live() == total, "books again"))
                next_cut = time.monotonic() + cut_every_s
            samples.append(resident_mb())
            if len(samples) % 12 == 0:
                print(f"{time.monotonic() - began:6.0f} s  {samples[-1]:.0f} MB", flush=True)
        rate = listener.changes / (time.monotonic() - began)
    return Soak(before_mb, samples, healed_s, ready_s, rate, total)


def rows_of(seen: Soak, seconds: float) -> list[Row]:
    """Return the figures beside their targets."""
    name = f"{seen.total:,} live books of 50 levels"
    is_short = seconds < SOAK_S
    note = f"short form, allowed {SHORT_FACTOR} times as much; --all runs 20 minutes"
    return [
        at_most(f"{name}: resident memory", max(seen.samples), "MB", MEMORY_MB_MAX),
        Row(f"{name}: of that before the first book", seen.before_mb, "MB"),
        at_most(
            f"growth over {seconds / 60:.1f} min, connections cut {len(seen.healed_s)} times",
            *(seen.growth_percent, "%"),
            GROWTH_PERCENT_MAX * (SHORT_FACTOR if is_short else 1),
            note=note if is_short else "",
        ),
    ]


def main() -> int:
    """Measure and print; return 1 when a target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=0)
    options = parser.parse_args()
    symbols = make_symbols(SYMBOLS // 20 if options.quick else SYMBOLS)
    seconds = options.minutes * 60 or SHORT_S
    with scratch_platform(has_tables=False), running_pump(symbols) as pump:
        seen = run_loop(soak(pump, symbols=symbols, seconds=seconds))
    print(f"{seen.total} books after {seen.ready_s:.1f} s, {seen.rate:.0f} updates/s")
    if seen.healed_s:
        print(f"all books live again {max(seen.healed_s):.1f} s after a cut at most")
    return report(rows_of(seen, seconds))


if __name__ == "__main__":
    run_script(main)
