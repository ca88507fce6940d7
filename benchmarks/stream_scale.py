"""What an engine costs that holds many quiet strategies on streams.

A real engine process (``manage.py run_engine``) holds strategies that trade 20 symbols between two
simulated venues, whose prices move but never far enough apart: nothing is traded, everything is
looked at. Counted is the processor time of the engine, and of PostgreSQL, for each strategy and
second, at three numbers of strategies.

The reference of the same run: what strategies rest on, read for one after the other by the same
code, against the reading of all of them together.

Usage: ``python -m benchmarks.stream_scale [--strategies 1000] [--seconds 10]
[--database sqlite|postgresql]``.
Targets: together at least 5 x cheaper than one by one; with the most strategies at most 0.6 ms of
the engine's processor time for each strategy and second, so that an engine holds a thousand.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from arbplatform.core.clock import SYSTEM_CLOCK
from benchmarks.parts.population import copy_strategies, make_strategies
from benchmarks.parts.processes import cpu_seconds, wait_for
from benchmarks.parts.results import Row, at_most, report, times_better
from benchmarks.parts.scratch import scratch_platform, simulator_process
from benchmarks.parts.scripts import DATABASES, make_database_parser, run_on_databases, run_script
from benchmarks.parts.venues import register_accounts
from benchmarks.scheduled_scale import SYMBOLS, VENUES, logged, make_quiet_venues, server_pid

CHEAPER = 5.0
STRATEGY_MS_MAX = 0.6
STRATEGIES = 1_000
SHARES = (0.02, 0.2, 1.0)
"""Numbers of strategies, as shares of the largest one."""
SECONDS = 10
EVERY_S_MAX = 6.5
"""Every five seconds, and a little for when that falls into what is counted [s]."""
SETTLE_S = 6
HELD_S = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine took.

    Attributes:
        count: strategies that it held.
        engine_ms: its processor time for each strategy and second [ms].
        database_ms: the same of PostgreSQL [ms]; 0 on SQLite, where it is the engine's.
        decided_every_s: how often it decided on each [s].
    """

    count: int
    engine_ms: float
    database_ms: float
    decided_every_s: float


def trust(accounts: Sequence[Any]) -> None:
    """Say that accounts are equal to their venues: nobody compares them here."""
    from ledger.models import AccountReconciliation  # noqa: PLC0415  after django.setup()

    tomorrow = SYSTEM_CLOCK.now() + timedelta(days=1)
    for account in accounts:
        AccountReconciliation.objects.update_or_create(
            account=account, defaults={"last_clean_at": tomorrow, "clean_round": 2**32}
        )


def measure_engine(directory: Path, count: int, seconds: int) -> Outcome:
    """Run an engine until it has decided on all, and return what it takes then."""
    from strategies.models import Run, Strategy  # noqa: PLC0415  after django.setup()

    def are_decided_on() -> bool:
        held = Strategy.objects.exclude(lease_holder="").count()
        return held == count and not Run.objects.filter(tick_count=0).exists()

    Run.objects.update(tick_count=0)
    log = directory / f"engine-{count}.log"
    with logged(("manage.py", "run_engine"), "memory://", log) as engine:
        wait_for(are_decided_on, HELD_S, f"{count} strategies to be decided on")
        time.sleep(SETTLE_S)
        pids = [pid for pid in (engine, server_pid()) if pid]
        before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
        decided = count_decisions()
        time.sleep(seconds)
        used = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
        passed_s, decided = time.monotonic() - began, count_decisions() - decided
    engine_ms, *database_ms = (1_000 * each / passed_s / count for each in used)
    return Outcome(count, engine_ms, sum(database_ms), passed_s * count / max(1, decided))


def count_decisions() -> int:
    """Return how often strategies have been decided on."""
    from django.db.models import Sum  # noqa: PLC0415  after django.setup()

    from strategies.models import Run  # noqa: PLC0415

    return int(Run.objects.aggregate(sum=Sum("tick_count"))["sum"] or 0)


def measure_readings(seconds: float) -> tuple[float, float]:
    """Return what reading takes for each strategy, one by one and together [ms of processor]."""
    from strategies.engine.refreshing import TOGETHER_MAX  # noqa: PLC0415  after django.setup()
    from strategies.models import Run  # noqa: PLC0415

    runs = list(Run.objects.order_by("pk").values_list("strategy_id", "pk"))
    read_groups(runs, TOGETHER_MAX, 0)  # what they trade with is remembered from now on
    alone_ms, together_ms = (read_groups(runs, size, seconds) for size in (1, TOGETHER_MAX))
    return alone_ms, together_ms


def read_groups(runs: Sequence[tuple[int, int]], size: int, seconds: float) -> float:
    """Read for groups of strategies, all at least once; return what one took [ms]."""
    from strategies.services.streaming import read_stream_bases  # noqa: PLC0415

    done, began, until = 0, time.process_time(), time.monotonic() + seconds
    for start in itertools.cycle(range(0, len(runs), size)):
        group = dict(runs[start : start + size])
        readings = read_stream_bases(runs=group, clock=SYSTEM_CLOCK)
        assert len(readings.bases) == len(group)
        done += len(group)
        if time.monotonic() > until and (seconds or done >= len(runs)):
            break
    return 1_000 * (time.process_time() - began) / done


def measure_here(*, count: int, seconds: int) -> int:
    """Measure on the configured database and print; return 1 when a target is missed."""
    with (
        scratch_platform() as directory,
        simulator_process(make_quiet_venues(), directory) as url,
    ):
        from django.db import connection  # noqa: PLC0415

        accounts = register_accounts(url, VENUES, has_streams=True)
        trust(accounts)
        made, outcomes = 0, []
        for number in (max(len(SYMBOLS), round(count * share)) for share in SHARES):
            if made:
                copy_strategies(number - made)
            else:
                make_strategies(accounts, SYMBOLS, number, driver="stream")
            made = number
            outcomes.append(measure_engine(directory, number, seconds))
            print(f"  {outcomes[-1]}", flush=True)
        alone_ms, together_ms = measure_readings(seconds / 3)
        vendor = DATABASES[connection.vendor]
        connection.close()
    return report(rows_of(vendor, outcomes, alone_ms, together_ms))


def rows_of(
    vendor: str, outcomes: Sequence[Outcome], alone_ms: float, together_ms: float
) -> list[Row]:
    """Return the figures beside their targets."""
    *fewer, most = outcomes
    names = {
        each: f"{each.count:,} quiet strategies, {vendor}: a strategy-second" for each in outcomes
    }
    rows = [
        times_better(
            *(f"what a strategy rests on, {vendor}: read together", together_ms, "ms", CHEAPER),
            reference=alone_ms,
            reference_name="one by one",
            is_cost=True,
        ),
        *(Row(names[each], each.engine_ms, "ms") for each in fewer),
        at_most(names[most], most.engine_ms, "ms", STRATEGY_MS_MAX),
    ]
    rows.append(
        at_most(f"{names[most]}: decided on each every", most.decided_every_s, "s", EVERY_S_MAX)
    )
    if most.database_ms:
        rows.append(Row(f"{names[most]}: PostgreSQL", most.database_ms, "ms"))
    return rows


def main() -> int:
    """Measure on both databases; return 1 when a target is missed."""
    parser = make_database_parser(__doc__)
    parser.add_argument("--strategies", type=int, default=STRATEGIES)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    options = parser.parse_args()
    count = min(options.strategies, 40) if options.quick else options.strategies
    seconds = min(options.seconds, 3) if options.quick else options.seconds
    return run_on_databases(options.database, partial(measure_here, count=count, seconds=seconds))


if __name__ == "__main__":
    run_script(main)
