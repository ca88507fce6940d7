"""From the venue's book update to the order requests at the venues, with the rows durable before.

Two simulated venues run in a process of their own, with a stopwatch: it notes the moment at which
the update that makes an edge is written to the socket, and the moment at which each order request
has arrived. In between is all that the product does: an engine process (``manage.py run_engine``)
takes the update in, decides, commits opportunity, execution, orders and reservations, and sends
both legs.

The reference is what cannot be left out: ccxt.pro's order books and ccxt's ``create_order`` for
both legs at once, in a process without any platform, on the same venues, before and after ours.

A round in which ours did not send both legs in time counts as long as it was waited for.

Usage: ``python -m benchmarks.book_to_venue [--rounds 150] [--database sqlite|postgresql]``.
Targets: PostgreSQL p50 <= 1.5 ms, p99 <= 6 ms, at most 2.5 x the reference, second leg <= 0.5 ms
after the first; SQLite p50 <= 2 ms, p99 <= 8 ms.
"""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from arbplatform.core.histograms import Histogram
from benchmarks.parts.processes import running, wait_for
from benchmarks.parts.results import Row, at_most, percentile, report
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import DATABASES, make_database_parser, run_on_databases, run_script
from benchmarks.parts.stopwatch import Venues, running_venues
from benchmarks.parts.venues import (
    BARE,
    MAIN,
    make_config,
    make_frame,
    register_accounts,
    replay,
)

TARGETS_MS = {"postgresql": (1.5, 6.0), "sqlite": (2.0, 8.0)}
RATIO_MAX = 2.5
SECOND_LEG_MS = 0.5
ROUNDS = 150
WARM_UP = 10
TRIES = 60
SYMBOL = "BTC/USDT"
LEVELS = 20
FUNDS = {"BTC": "1000", "USDT": "100000000"}
CODES = ("alpha", "beta")
PATIENCE_S = 1.0
"""Orders that have not come by then are missed [s]."""
ANSWER_S = 0.01
"""The venues have answered by then [s]."""
CALM_S = 0.15
"""Books without an edge have been sent and taken in, and what was sent is booked by then [s]."""
START_S = 60


@dataclass(frozen=True, slots=True)
class Passage:
    """One round [ms].

    Attributes:
        first_ms: from the update to the first order request.
        second_ms: from the first request to the second one.
    """

    first_ms: float
    second_ms: float


def write_recording(path: Path, rounds: int) -> None:
    """Write the books of each round: beta goes up, beta comes back, alpha is filled up again."""
    middles = [("beta", 50_500), ("beta", 50_000), ("alpha", 50_000)]
    frames = [(0, "alpha", 50_000), (0, "beta", 50_000)]
    frames += [(number, *each) for number in range(1, rounds + 1) for each in middles]
    lines = (
        make_frame(number, code, middle, size=1 + number % 50 / 100, levels=LEVELS)
        for number, code, middle in frames
    )
    path.write_text("\n".join(lines) + "\n")


def start_strategy_on(accounts: Sequence[Any]) -> None:
    """Start a strategy that trades between accounts."""
    from strategies.services.runs import start_strategy  # noqa: PLC0415  after django.setup()
    from strategies.services.strategies import create_strategy  # noqa: PLC0415

    strategy = create_strategy(
        name="bench",
        slug="cross-venue",
        params={"symbols": [SYMBOL], "max_notional": "500", "depth": LEVELS},
        account_ids=[account.pk for account in accounts],
    )
    start_strategy(strategy_id=strategy.pk, user=None)


def approve(accounts: Sequence[Any]) -> None:
    """Compare the accounts once the engine has begun: before, it may not trade on them."""
    from ledger.services.reconciler import reconcile_account  # noqa: PLC0415
    from strategies.models import EngineProcess  # noqa: PLC0415

    wait_for(EngineProcess.objects.exists, START_S, "the engine")
    for account in accounts:
        reconcile_account(account_id=account.pk)


def is_booked() -> bool:
    """Return whether the platform has nothing left to do for what it has sent."""
    from strategies.selectors import count_open_executions  # noqa: PLC0415  after django.setup()

    return not count_open_executions([1])


def play(venues: Venues, label: str, rounds: int) -> list[Passage | None]:
    """Make an edge so many times; return what the stopwatch has seen, ``None`` where too little."""
    found: list[Passage | None] = []
    for _ in range(rounds):
        venues.show(1)
        found.append(judge(venues.wait(label, 2, PATIENCE_S), label))
        time.sleep(ANSWER_S)
        venues.show(2)  # before ours finds the edge again, and trades on
        time.sleep(CALM_S)
        wait_for(is_booked, START_S, "what was sent to be booked")
    return found


def judge(seen: dict[str, Any], label: str) -> Passage | None:
    """Return what one round took, by the moments of updates and orders."""
    arrivals = sorted(at_ns for at_ns, key in seen["orders"] if key.startswith(f"{label}-"))
    if not seen["updates"] or len(arrivals) < 2:
        return None
    first, second = arrivals[:2]
    return Passage((first - seen["updates"][0]) / 1e6, (second - first) / 1e6)


def play_warm(venues: Venues, label: str, rounds: int) -> list[Passage | None]:
    """Make edges until somebody takes one, some more to warm up, and then those that count."""
    for _ in range(TRIES):
        if play(venues, label, 1)[0] is not None:
            return play(venues, label, WARM_UP + rounds)[WARM_UP:]
    raise SystemExit(f"{label}: no orders came")


def measure(
    rounds: int, directory: Path
) -> tuple[list[Passage | None], list[Passage | None], dict[str, Any]]:
    """Return the rounds of ours and of the reference, and the stages of ours."""
    recording, stages = directory / "recording.jsonl", directory / "stages.json"
    write_recording(recording, 2 * rounds + 3 * (WARM_UP + TRIES))
    quotes = {code: replay(recording, SYMBOL, code) for code in CODES}
    config = make_config(CODES, symbols=[SYMBOL], funds=FUNDS, quotes=quotes, labels=(MAIN, BARE))
    with running_venues(config, directory) as venues:
        venues.show(2)
        accounts = register_accounts(venues.url, CODES, has_streams=True)
        start_strategy_on(accounts)
        bare_command = ("-m", "benchmarks.parts.bare_trader", venues.url, SYMBOL, *CODES)
        with running(bare_command):
            bare = play_warm(venues, BARE, rounds // 4)
        with running(("-m", "benchmarks.parts.timed_engine", stages)):
            approve(accounts)
            ours = play_warm(venues, MAIN, rounds)
        with running(bare_command):
            bare += play_warm(venues, BARE, rounds // 4)
    return ours, bare, json.loads(stages.read_text())


def measure_here(rounds: int) -> int:
    """Measure on the configured database and print."""
    with scratch_platform() as directory:
        from django.db import connection  # noqa: PLC0415

        from ledger.selectors import imbalances, list_stray_reservations  # noqa: PLC0415

        ours, bare, stages = measure(rounds, directory)
        vendor = connection.vendor
        wrong = imbalances() or list_stray_reservations()
        connection.close()
    if wrong:
        raise SystemExit(f"the books are wrong: {wrong}")
    return report([*rows_of(vendor, ours, bare), *rows_of_stages(vendor, stages)])


def rows_of(
    vendor: str, ours: Sequence[Passage | None], bare: Sequence[Passage | None]
) -> list[Row]:
    """Return the figures beside their targets."""
    mine, theirs = ([each for each in rounds if each] for rounds in (ours, bare))
    if not mine or not theirs:
        raise SystemExit("no round with two orders in time")
    missed = [PATIENCE_S * 1_000] * (len(ours) - len(mine))
    firsts = [each.first_ms for each in mine] + missed
    floor = [each.first_ms for each in theirs]
    p50_max, p99_max = TARGETS_MS[vendor]
    compared = partial(at_most, unit="ms", reference_name="ccxt.pro + ccxt")
    name = f"book update to order, {DATABASES[vendor]}"
    return [
        compared(
            f"{name}: p50",
            statistics.median(firsts),
            limit=p50_max,
            reference=statistics.median(floor),
            ratio_max=RATIO_MAX,
            note=f"{len(missed)} of {len(ours)} rounds without two orders in time, "
            f"{len(bare) - len(theirs)} of {len(bare)} of the reference",
        ),
        compared(
            f"{name}: p99",
            percentile(firsts, 0.99),
            limit=p99_max,
            reference=percentile(floor, 0.99),
        ),
        compared(
            f"second leg after the first, {DATABASES[vendor]}: p50",
            statistics.median(each.second_ms for each in mine),
            limit=SECOND_LEG_MS,
            reference=statistics.median(each.second_ms for each in theirs),
        ),
    ]


def rows_of_stages(vendor: str, stages: dict[str, Any]) -> list[Row]:
    """Return where the time goes, by the engine's own histograms, warm-up included."""
    found = {name: Histogram.from_dict(values) for name, values in stages.items()}
    return [
        Row(
            f"  of this, {name}, {DATABASES[vendor]}: p50",
            found[name].percentile(0.5) / 1_000,
            "ms",
            note=f"p99 {found[name].percentile(0.99) / 1_000:.2f} ms, {found[name].count} times",
        )
        for name in ("book", "decision", "commit", "send")
        if name in found
    ]


def main() -> int:
    """Measure on both databases; return 1 when a target is missed."""
    parser = make_database_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    rounds = options.rounds // 10 if options.quick else options.rounds
    return run_on_databases(options.database, partial(measure_here, rounds))


if __name__ == "__main__":
    run_script(main)
