"""How long the strategies of a killed engine are without one.

Two engine processes (``manage.py run_engine``) share strategies on streams. Again and again one of
them is killed by SIGKILL, and the time is taken until the other one holds all of its strategies:
the rest of a lease (3.5 s, renewed every second) and up to half a second until somebody looks. Then
a new engine takes the place of the dead one, and its share.

Usage: ``python -m benchmarks.takeover [--rounds 12] [--database sqlite|postgresql]``.
Target: never more than 5 s.
"""

import signal
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.parts.processes import running, wait_for
from benchmarks.parts.results import Row, at_most, report
from benchmarks.parts.scratch import scratch_platform, simulator_process
from benchmarks.parts.scripts import DATABASES, make_database_parser, run_on_databases, run_script
from benchmarks.parts.venues import make_config, register_accounts

TARGET_MS = 5_000
ROUNDS = 12
STRATEGIES = 40
ENGINE = ("manage.py", "run_engine")
SYMBOL = "BTC/USDT"
CODES = ("alpha", "beta")
FUNDS = {"BTC": "10", "USDT": "1000000"}
SHARED_S = 60
"""By then two engines share evenly, though the machine may be busy [s]."""
TAKEN_S = 30
LOOK_S = 0.01


def start_strategies(accounts: Sequence[Any]) -> None:
    """Start strategies that engines share."""
    from strategies.services.runs import start_strategy  # noqa: PLC0415  after django.setup()
    from strategies.services.strategies import create_strategy  # noqa: PLC0415

    for number in range(STRATEGIES):
        strategy = create_strategy(
            name=f"bench {number}",
            slug="cross-venue",
            params={"symbols": [SYMBOL], "max_notional": "500"},
            account_ids=[account.pk for account in accounts],
        )
        start_strategy(strategy_id=strategy.pk, user=None)


def count_held() -> dict[int, int]:
    """Return how many strategies each process holds, by its id."""
    from django.utils import timezone  # noqa: PLC0415  after django.setup()

    from strategies.selectors.engines import list_held  # noqa: PLC0415

    held = list_held(now=timezone.now())
    return {int(name.split(":")[1]): len(ids) for name, ids in held.items()}


def measure(rounds: int, directory: Path) -> list[float]:
    """Return how long each takeover took [ms]."""
    makers = {"prices": {"BTC": "50000", "USDT": "1"}, "dislocation_every_s": 1e9}
    quotes: dict[str, Any] = {code: {"makers": makers} for code in CODES}
    config = make_config(CODES, symbols=[SYMBOL], funds=FUNDS, quotes=quotes)
    found = []
    with simulator_process(config, directory) as url, ExitStack() as engines:
        start_strategies(register_accounts(url, CODES, has_streams=True))
        random = Random(7)  # noqa: S311  when in its second a lease ends is left to chance
        living = [
            engines.enter_context(running(ENGINE, env={"LOG_LEVEL": "ERROR"})) for _ in range(2)
        ]
        for _ in range(rounds):
            share_evenly([engine.pid for engine in living])
            time.sleep(random.random())
            victim = living.pop(0)
            victim.send_signal(signal.SIGKILL)
            found.append(time_takeover(living[0].pid))
            living.append(engines.enter_context(running(ENGINE, env={"LOG_LEVEL": "ERROR"})))
    return found


def share_evenly(pids: Sequence[int]) -> None:
    """Wait until some engines hold as much as each other, and everything together."""
    expected = dict.fromkeys(pids, STRATEGIES // len(pids))
    wait_for(lambda: count_held() == expected, SHARED_S, f"engines that share evenly: {expected}")


def time_takeover(heir: int) -> float:
    """Return how long it takes from now until an engine holds everything [ms]."""
    began = time.monotonic()
    while count_held().get(heir) != STRATEGIES:
        if time.monotonic() - began > TAKEN_S:
            raise SystemExit(f"nobody took all of it over within {TAKEN_S} s: {count_held()}")
        time.sleep(LOOK_S)
    return (time.monotonic() - began) * 1_000


def rows_of(vendor: str, found_ms: Sequence[float]) -> list[Row]:
    """Return the figures beside their target."""
    name = f"killed engine's {STRATEGIES // 2} strategies taken over, {DATABASES[vendor]}"
    note = f"{len(found_ms)} kills"
    return [
        at_most(f"{name}: longest", max(found_ms), "ms", TARGET_MS, note=note),
        Row(f"{name}: p50", statistics.median(found_ms), "ms"),
    ]


def measure_here(rounds: int) -> int:
    """Measure on the configured database and print."""
    with scratch_platform() as directory:
        from django.db import connection  # noqa: PLC0415

        found_ms = measure(rounds, directory)
        vendor = connection.vendor
        connection.close()
    return report(rows_of(vendor, found_ms))


def main() -> int:
    """Measure on each database and return the exit code."""
    parser = make_database_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    rounds = 2 if chosen.quick else chosen.rounds
    return run_on_databases(chosen.database, lambda: measure_here(rounds))


if __name__ == "__main__":
    run_script(main)
