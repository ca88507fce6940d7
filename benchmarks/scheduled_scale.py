"""Thousands of scheduled strategies, each due every second: are they ticked in time, and only once?

A real beat, a real worker, Redis and simulated venues run on a database with 5,000 strategies that
trade 20 symbols between two venues. Every tick that the worker claims is written down with its
begin and end; from that come the share of ticks on time (claimed less than a second after they were
due; a tick that never came is late), the lag, and overlaps: two ticks of one strategy of which one
begins before the other has ended.

The reference of the same run: django-celery-beat as it comes, on the same rows, with nobody who
takes its messages; its share of ticks on time is at most what it emits. It is measured once, on
PostgreSQL. The target counts there; what SQLite, with its one writer, comes to is shown beside it.

Usage: ``python -m benchmarks.scheduled_scale [--strategies 5000] [--seconds 10]
[--database sqlite|postgresql]``.
Target: >= 99 % on time, no overlap, for 5,000 strategies on PostgreSQL.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from arbplatform.core.clock import SYSTEM_CLOCK
from benchmarks.parts.broker import Broker, running_broker
from benchmarks.parts.claims import Claim, count_overlaps, read_claims
from benchmarks.parts.population import make_strategies
from benchmarks.parts.processes import cpu_seconds, running, wait_for
from benchmarks.parts.results import Row, at_least, at_most, percentile, report
from benchmarks.parts.scratch import scratch_platform, simulator_process
from benchmarks.parts.scripts import DATABASES, make_database_parser, run_on_databases, run_script
from benchmarks.parts.venues import make_config, register_accounts

TARGET_PERCENT = 99.0
STRATEGIES = 5_000
SECONDS = 10
WARM_UP_MAX_S = 45
STEADY_S = 3
STEADY_SHARE = 0.98
STOCK_S = 8
STOCK_START_S = 60
LATE_MS = 1_000
COINS = [f"C{number}" for number in range(20)]
SYMBOLS = [f"{coin}/USDT" for coin in COINS]
THREADS = 8
VENUES = ("alpha", "beta")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed.

    Attributes:
        percent: ticks on time, of all that were due [%].
        lags_ms: from due until claimed, of all that were claimed [ms].
        overlaps: ticks that began before the last one of the same strategy had ended.
        cpu: processor time by process [cores].
        batches: what the worker wrote down.
        warm_up_s: from the start of beat and worker until nearly all ticks came [s].
    """

    percent: float
    lags_ms: Sequence[float]
    overlaps: int
    cpu: dict[str, float]
    batches: Sequence[Claim]
    warm_up_s: float


def make_quotes() -> dict[str, Any]:
    """Return makers whose prices move, but never far enough apart."""
    prices = {coin: str(10 + number) for number, coin in enumerate(COINS)}
    return {
        "makers": {
            "prices": {"USDT": "1"} | prices,
            "volatility_bps": 1.0,
            "interval_ms": 1_000,
            "spread_bps": 4.0,
            "noise_bps": 2.0,
            "noise_half_life_s": 5.0,
            "dislocation_bps": (40.0, 60.0),
            "dislocation_every_s": 1e9,
            "dislocation_lasts_s": (2.0, 5.0),
            "levels": 10,
            "level_bps": 3.0,
            "level_notional": "2000",
            "flow_every_s": 1e9,
        }
    }


def make_quiet_venues() -> dict[str, Any]:
    """Return two venues on which nothing can be earned."""
    return make_config(
        VENUES,
        symbols=SYMBOLS,
        funds=dict.fromkeys(COINS, "10000") | {"USDT": "1000000"},
        market={"tick": "0.0001", "lot": "0.001", "quantity_min": "0.001", "notional_min": "5"},
        quotes=dict.fromkeys(VENUES, make_quotes()),
    )


@contextmanager
def logged(arguments: Sequence[object], redis_url: str, log: Path) -> Iterator[int]:
    """Run a process of the platform; yield its id, and show its last words if it has any."""
    environment = {"REDIS_URL": redis_url, "PYTHONWARNINGS": "ignore"}
    with log.open("wb") as output, running(arguments, env=environment, output=output) as process:
        try:
            yield process.pid
        finally:
            if process.poll() is not None:
                print(log.read_text()[-2_000:])


def celery(program: str, *arguments: str) -> tuple[str, ...]:
    """Return the arguments of Python that start a part of Celery."""
    return (
        *("-m", "celery", "--quiet", "-A", "arbplatform", program),
        *("--loglevel", "WARNING", *arguments),
    )


def server_pid() -> int | None:
    """Return the process of PostgreSQL; none where the database is a file."""
    from django.db import connection  # noqa: PLC0415  after django.setup()

    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        directory = Path(cursor.fetchone()[0])
    return int((directory / "postmaster.pid").read_text().split()[0])


def measure_ours(directory: Path, broker: Broker, *, seconds: int, count: int) -> Outcome:
    """Run beat and worker, and return what they did in the last ``seconds``."""
    path = directory / "claims.jsonl"
    path.touch()
    pids: dict[str, int | None] = {"redis": broker.pid, "database": server_pid()}
    options = ("--loglevel", "WARNING", "--pool", "threads", "--concurrency", str(THREADS))
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    with ExitStack() as stack:
        for name, arguments in (
            ("worker", ("-m", "benchmarks.parts.recorded_worker", path, *options, *quiet)),
            ("beat", celery("beat", "--pidfile", "")),
        ):
            log = directory / f"{name}.log"
            pids[name] = stack.enter_context(logged(arguments, broker.url, log))
        warm_up_s = warm_up(path, count)
        before = {name: cpu_seconds(pid) for name, pid in pids.items() if pid}
        began_s = SYSTEM_CLOCK.now_ms() / 1_000
        time.sleep(seconds)
        ended_s = SYSTEM_CLOCK.now_ms() / 1_000
        cpu = {
            name: (cpu_seconds(pids[name] or 0) - used) / (ended_s - began_s)
            for name, used in before.items()
        }
        time.sleep(2)  # what was due at the end may still come in time
    claims = read_claims(path)
    due = [row for row in claims if row["due_ms"] and began_s <= row["due_ms"] / 1_000 < ended_s]
    lags = [row["lag_ms"] for row in due for _ in row["ids"]]
    on_time = sum(lag < LATE_MS for lag in lags)
    percent = min(100.0, 100 * on_time / (count * (ended_s - began_s)))
    return Outcome(percent, lags, count_overlaps(claims), cpu, due, warm_up_s)


def warm_up(path: Path, count: int) -> float:
    """Return how long it took until nearly all ticks came, for some seconds [s]; or give up."""
    began = time.monotonic()
    while time.monotonic() - began < WARM_UP_MAX_S:
        time.sleep(1)
        newest = SYSTEM_CLOCK.now_ms() / 1_000
        recent = [row for row in read_claims(path) if row["ended"] > newest - STEADY_S]
        if sum(len(row["ids"]) for row in recent) >= STEADY_SHARE * count * STEADY_S:
            break
    return time.monotonic() - began


def measure_stock(directory: Path, broker: Broker, *, count: int) -> float:
    """Return the share of due ticks that django-celery-beat emits [%]."""
    from django.utils import timezone  # noqa: PLC0415  after django.setup()
    from django_celery_beat.models import PeriodicTask  # noqa: PLC0415

    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(minutes=1))
    scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
    log = directory / "stock.log"
    with logged(celery("beat", "--pidfile", "", "-S", scheduler), broker.url, log):
        wait_for(lambda: broker.length("trading") > 0, STOCK_START_S, "messages of the stock beat")
        before, began = broker.length("trading"), time.monotonic()
        time.sleep(STOCK_S)
        emitted = broker.length("trading") - before
        passed_s = time.monotonic() - began
    return 100 * float(emitted) / (count * passed_s)


def measure_here(*, count: int, seconds: int) -> int:
    """Measure on the configured database and print; return 1 when the target is missed."""
    config = make_quiet_venues()
    with scratch_platform() as directory, running_broker() as broker:
        from django.db import connection  # noqa: PLC0415

        with simulator_process(config, directory) as url:
            print(f"{connection.vendor}: writing {count} strategies down …", flush=True)
            make_strategies(register_accounts(url, VENUES), SYMBOLS, count)
            print(f"beat and a worker of {THREADS} threads …", flush=True)
            ours = measure_ours(directory, broker, seconds=seconds, count=count)
        stock = None
        if connection.vendor == "postgresql":  # it knows nothing of databases: once is enough
            broker.clear()
            print("django-celery-beat as it comes …", flush=True)
            stock = measure_stock(directory, broker, count=count)
        vendor = DATABASES[connection.vendor]
        connection.close()
    describe(ours)
    return report(rows_of(f"{count:,} strategies at 1 s, {vendor}", ours, stock))


def describe(ours: Outcome) -> None:
    """Print where the time went."""
    stages: dict[str, list[float]] = defaultdict(list)
    for row in ours.batches:
        for stage, took_ms in row["stages"].items():
            stages[stage].append(took_ms)
    for stage, durations in stages.items():
        print(f"  {stage:<12} p50 {statistics.median(durations):6.1f} ms a batch")
    size = len(ours.lags_ms) / max(1, len(ours.batches))
    alone = sum(row["alone"] for row in ours.batches)
    print(f"  {len(ours.batches)} batches of {size:.0f}, {alone} ticks alone")
    for name, cores in ours.cpu.items():
        print(f"  {name:<12} {100 * cores:6.1f} % of a core")


def rows_of(name: str, ours: Outcome, stock: float | None) -> list[Row]:
    """Return the figures, beside a target where there is a reference."""
    lags = ours.lags_ms
    if not lags:
        raise SystemExit("no tick came at all")
    on_time = Row(f"{name}: ticks on time", ours.percent, "%")
    if stock is not None:
        on_time = at_least(
            *(f"{name}: ticks on time", ours.percent, "%", TARGET_PERCENT),
            reference=stock,
            reference_name="stock beat emits",
        )
    return [
        on_time,
        at_most(f"{name}: overlapping ticks", ours.overlaps, "", 0),
        Row(f"{name}: lag p50", statistics.median(lags), "ms"),
        Row(f"{name}: lag p99", percentile(lags, 0.99), "ms"),
        Row(f"{name}: from the start until all are ticked", ours.warm_up_s, "s"),
        Row(f"{name}: processors in use", sum(ours.cpu.values()), "cores"),
    ]


def main() -> int:
    """Measure on both databases; return 1 when the target is missed."""
    parser = make_database_parser(__doc__)
    parser.add_argument("--strategies", type=int, default=STRATEGIES)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    options = parser.parse_args()
    count = min(options.strategies, 200) if options.quick else options.strategies
    seconds = min(options.seconds, 5) if options.quick else options.seconds
    return run_on_databases(options.database, partial(measure_here, count=count, seconds=seconds))


if __name__ == "__main__":
    run_script(main)
