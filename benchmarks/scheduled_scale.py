"""Thousands of scheduled strategies, each due every second: are they ticked in time, and only once?

A real beat, a real worker, Redis and simulated venues run on a database with 5,000 strategies that
trade 20 symbols between two venues. Every tick that the worker claims is written down with its
begin and end; from that come the share of ticks on time (claimed less than a second after they were
due; a tick that never came is late), the lag, and overlaps: two ticks of one strategy of which one
begins before the other has ended.

The reference of the same run: django-celery-beat as it comes, on the same rows, with nobody who
takes its messages; its share of ticks on time is at most what it emits. It is measured once, on
PostgreSQL. The target counts there; what SQLite, with its one writer, comes to is shown beside it.

Usage: ``python -m benchmarks.scheduled_scale [--strategies 5000] [--seconds 15] [--here]``.
Target: >= 99 % on time, no overlap, for 5,000 strategies on PostgreSQL.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from arbplatform.core.clock import SYSTEM_CLOCK
from benchmarks.embedded_stack import with_children
from benchmarks.results import Row, at_least, at_most, make_parser, report
from benchmarks.scratch import ROOT, percentile, scratch_platform, simulator_process

TARGET_PERCENT = 99.0
STRATEGIES = 5_000
SECONDS = 10
WARM_UP_MAX_S = 45
STEADY_S = 3
STEADY_SHARE = 0.98
STOCK_S = 8
INTERVAL_MS = 1_000
LATE_MS = 1_000
COINS = 20
THREADS = 8
HERE_FLAG = "--here"
CLOCK_TICKS_S = os.sysconf("SC_CLK_TCK")
VENUES = ("alpha", "beta")
LABEL = "main"


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
    batches: Sequence[dict[str, Any]]
    warm_up_s: float


def make_config() -> dict[str, Any]:
    """Return two venues of 20 markets whose prices move, but never far enough apart."""
    coins = [f"C{number}" for number in range(COINS)]
    market = {"tick": "0.0001", "lot": "0.001", "quantity_min": "0.001", "notional_min": "5"}
    makers = {
        "prices": {"USDT": "1"} | {coin: str(10 + number) for number, coin in enumerate(coins)},
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
    funds = {"USDT": "1000000"} | dict.fromkeys(coins, "10000")
    return {
        "seed": 7,
        "venues": [
            {
                "code": code,
                "assets": [*coins, "USDT"],
                "markets": [market | {"symbol": f"{coin}/USDT"} for coin in coins],
                "makers": makers,
                "accounts": [
                    {
                        "label": LABEL,
                        "api_key": f"key-{code}",
                        "api_secret": f"secret-{code}",
                        "balances": {"spot": funds},
                    }
                ],
            }
            for code in VENUES
        ],
    }


def make_strategies(url: str, count: int) -> None:
    """Write strategies down that run: the first by the services, the others like it."""
    from accounts.services.accounts import create_account  # noqa: PLC0415  after django.setup()
    from markets.services.markets import sync_markets  # noqa: PLC0415
    from markets.services.venues import create_venue  # noqa: PLC0415
    from strategies.services.runs import start_strategy  # noqa: PLC0415
    from strategies.services.strategies import create_strategy  # noqa: PLC0415

    accounts = []
    for code in VENUES:
        venue = create_venue(code=code, ccxt_id="binance", rest_origin=f"{url}/{code}")
        sync_markets(venue_id=venue.pk)
        accounts.append(
            create_account(
                venue=venue, label=LABEL, api_key=f"key-{code}", api_secret=f"secret-{code}"
            )
        )
    for number in range(COINS):
        strategy = create_strategy(
            name=f"original {number}",
            slug="cross-venue",
            params={"symbols": [f"C{number}/USDT"], "max_notional": "500"},
            account_ids=[account.pk for account in accounts],
            interval_ms=INTERVAL_MS,
            driver="schedule",
        )
        start_strategy(strategy_id=strategy.pk, user=None)
    copy_strategies(count - COINS)


def copy_strategies(count: int) -> None:
    """Write ``count`` more running strategies, in turn like those that are there."""
    from django.db import connection, transaction  # noqa: PLC0415
    from django_celery_beat.models import PeriodicTask  # noqa: PLC0415

    from strategies.models import Run, Strategy  # noqa: PLC0415

    originals = list(Strategy.objects.order_by("pk"))
    copies = [
        copy_row(originals[number % len(originals)], name=f"copy {number}", periodic_task=None)
        for number in range(count)
    ]
    with transaction.atomic():
        Strategy.objects.bulk_create(copies, batch_size=500)
        uses = Strategy.accounts.through
        account_ids = list(originals[0].accounts.values_list("pk", flat=True))
        uses.objects.bulk_create(
            [
                uses(strategy_id=copy.pk, venueaccount_id=account_id)
                for copy in copies
                for account_id in account_ids
            ],
            batch_size=500,
        )
        run = Run.objects.order_by("pk").first()
        Run.objects.bulk_create(
            [copy_row(run, strategy_id=copy.pk, params=copy.params) for copy in copies],
            batch_size=500,
        )
        task = PeriodicTask.objects.get(pk=originals[0].periodic_task_id)
        tasks = PeriodicTask.objects.bulk_create(
            [
                copy_row(
                    task,
                    name=f"strategies: tick #{copy.pk}",
                    kwargs=json.dumps({"strategy_id": copy.pk}),
                    description=copy.name,
                )
                for copy in copies
            ],
            batch_size=500,
        )
        for copy, made in zip(copies, tasks, strict=True):
            copy.periodic_task = made
        Strategy.objects.bulk_update(copies, ["periodic_task"], batch_size=200)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # what a database does by itself some minutes later


def copy_row(row: Any, **changes: Any) -> Any:
    """Return a new row of the same model with some columns changed; it is not saved."""
    values = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }
    for name, value in changes.items():
        values[type(row)._meta.get_field(name).attname] = value
    return type(row)(**values)


@contextmanager
def running(arguments: Sequence[str], redis_url: str, log: Path) -> Iterator[int]:
    """Run a Python process of the platform; yield its id."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | {"REDIS_URL": redis_url, "PYTHONWARNINGS": "ignore"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process.pid
    finally:
        if process.poll() is not None:
            print(log.read_text()[-2_000:])
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def celery(program: str, *arguments: str) -> tuple[str, ...]:
    """Return the arguments of Python that start a part of Celery."""
    return (
        *("-m", "celery", "--quiet", "-A", "arbplatform", program),
        *("--loglevel", "WARNING", *arguments),
    )


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children [s]."""
    total = 0.0
    for each in with_children(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(field) for field in fields[11:15]) / CLOCK_TICKS_S
    return total


def server_pid() -> int | None:
    """Return the process of PostgreSQL; none where the database is a file."""
    from django.db import connection  # noqa: PLC0415  after django.setup()

    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        directory = Path(cursor.fetchone()[0])
    return int((directory / "postmaster.pid").read_text().split()[0])


def measure_ours(directory: Path, redis: Any, *, seconds: int, count: int) -> Outcome:
    """Run beat and worker, and return what they did in the last ``seconds``."""
    claims = directory / "claims.jsonl"
    claims.touch()
    pids: dict[str, int | None] = {"redis": redis.pid, "database": server_pid()}
    options = ("--loglevel", "WARNING", "--pool", "threads", "--concurrency", str(THREADS))
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    with ExitStack() as stack:
        for name, arguments in (
            ("worker", ("-m", "benchmarks.recorded_worker", str(claims), *options, *quiet)),
            ("beat", celery("beat", "--pidfile", "")),
        ):
            pids[name] = stack.enter_context(
                running(arguments, redis.url, directory / f"{name}.log")
            )
        warm_up_s = warm_up(claims, count)
        before = {name: cpu_seconds(pid) for name, pid in pids.items() if pid}
        began = SYSTEM_CLOCK.now_ms() / 1_000
        time.sleep(seconds)
        ended = SYSTEM_CLOCK.now_ms() / 1_000
        cpu = {
            name: (cpu_seconds(pids[name] or 0) - used) / (ended - began)
            for name, used in before.items()
        }
        time.sleep(2)  # what was due at the end may still come in time
    rows = [json.loads(line) for line in claims.read_text().splitlines()]
    due = [row for row in rows if row["due_ms"] and began <= row["due_ms"] / 1_000 < ended]
    lags = [row["lag_ms"] for row in due for _ in row["ids"]]
    on_time = sum(lag < LATE_MS for lag in lags)
    expected = count * (ended - began) * 1_000 / INTERVAL_MS
    percent = min(100.0, 100 * on_time / expected)
    return Outcome(percent, lags, count_overlaps(rows), cpu, due, warm_up_s)


def warm_up(claims: Path, count: int) -> float:
    """Return how long it took until nearly all ticks came, for some seconds [s]; or give up."""
    began = time.monotonic()
    while time.monotonic() - began < WARM_UP_MAX_S:
        time.sleep(1)
        newest = SYSTEM_CLOCK.now_ms() / 1_000
        rows = [json.loads(line) for line in claims.read_text().splitlines()]
        recent = sum(len(row["ids"]) for row in rows if row["ended"] > newest - STEADY_S)
        if recent >= STEADY_SHARE * count * STEADY_S * 1_000 / INTERVAL_MS:
            break
    return time.monotonic() - began


def count_overlaps(rows: Sequence[dict[str, Any]]) -> int:
    """Return how many ticks began before the last one of the same strategy had ended."""
    by_strategy: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        for strategy_id in row["ids"]:
            by_strategy[strategy_id].append((row["began"], row["ended"]))
    overlaps = 0
    for spans in by_strategy.values():
        spans.sort()
        for (_, ended), (began, _) in pairwise(spans):
            overlaps += began < ended
    return overlaps


def measure_stock(directory: Path, redis: Any, *, count: int) -> float:
    """Return the share of due ticks that django-celery-beat emits [%]."""
    from django.utils import timezone  # noqa: PLC0415  after django.setup()
    from django_celery_beat.models import PeriodicTask  # noqa: PLC0415

    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(minutes=1))
    scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
    log = directory / "stock.log"
    with running(celery("beat", "--pidfile", "", "-S", scheduler), redis.url, log):
        wait_for(lambda: redis.length("trading") > 0, 60)
        before, began = redis.length("trading"), time.monotonic()
        time.sleep(STOCK_S)
        emitted = redis.length("trading") - before
        passed_s = time.monotonic() - began
    return 100 * float(emitted) / (count * passed_s * 1_000 / INTERVAL_MS)


def wait_for(condition: Callable[[], bool], timeout_s: float) -> None:
    """Wait until something holds."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("it did not come to that in time")
        time.sleep(0.05)


class Broker:
    """A Redis of our own."""

    def __init__(self, directory: Path) -> None:
        import redis  # noqa: PLC0415

        from arbplatform.management.embedded_redis import find_server  # noqa: PLC0415

        path = directory / "redis.sock"
        self.url = f"unix://{path}"
        command = [find_server(), "--port", "0", "--unixsocket", path, "--save", ""]
        self._process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
        self.pid = self._process.pid
        wait_for(path.exists, 10)
        self._client = redis.Redis.from_url(self.url)

    def length(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        return int(self._client.llen(queue))

    def clear(self) -> None:
        """Forget everything."""
        self._client.flushall()

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


def measure_here(*, count: int, seconds: int) -> int:
    """Measure on the configured database and print; return 1 when the target is missed."""
    with scratch_platform() as directory, tempfile.TemporaryDirectory() as short:
        from django.db import connection  # noqa: PLC0415

        broker = Broker(Path(short))
        try:
            with simulator_process(make_config(), directory) as url:
                print(f"{connection.vendor}: writing {count} strategies down …", flush=True)
                make_strategies(url, count)
                print(f"beat and a worker of {THREADS} threads …", flush=True)
                ours = measure_ours(directory, broker, seconds=seconds, count=count)
            vendor, stock = "SQLite", None
            if connection.vendor == "postgresql":  # it knows nothing of databases: once is enough
                broker.clear()
                print("django-celery-beat as it comes …", flush=True)
                vendor, stock = "PostgreSQL", measure_stock(directory, broker, count=count)
            connection.close()
        finally:
            broker.stop()
    return show(ours, stock, vendor, count)


def show(ours: Outcome, stock: float | None, vendor: str, count: int) -> int:
    """Print what came out."""
    stages: dict[str, list[float]] = defaultdict(list)
    for row in ours.batches:
        for stage, took_ms in row["stages"].items():
            stages[stage].append(took_ms)
    ticks = max(1, len(ours.lags_ms))
    for stage, durations in stages.items():
        print(f"  {stage:<12} p50 {statistics.median(durations):6.1f} ms a batch")
    size = ticks / max(1, len(ours.batches))
    alone = sum(row["alone"] for row in ours.batches)
    print(f"  {len(ours.batches)} batches of {size:.0f}, {alone} ticks alone")
    for name, cores in ours.cpu.items():
        print(f"  {name:<12} {100 * cores:6.1f} % of a core")
    name = f"{count} strategies at {INTERVAL_MS / 1_000:g} s, {vendor}"
    lags = ours.lags_ms or [float(1_000 * SECONDS)]
    on_time = Row(f"{name}: ticks on time", ours.percent, "%")
    if stock is not None:
        on_time = at_least(
            *(f"{name}: ticks on time", ours.percent, "%", TARGET_PERCENT),
            reference=stock,
            reference_name="stock beat emits",
        )
    return report(
        [
            on_time,
            at_most(f"{name}: overlapping ticks", ours.overlaps, "", 0),
            Row(f"{name}: lag p50", statistics.median(lags), "ms"),
            Row(f"{name}: lag p99", percentile(list(lags), 0.99), "ms"),
            Row(f"{name}: from the start until all are ticked", ours.warm_up_s, "s"),
            Row(f"{name}: processors in use", sum(ours.cpu.values()), "cores"),
        ]
    )


def main() -> int:
    """Measure on both databases; return 1 when the target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--strategies", type=int, default=STRATEGIES)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument(HERE_FLAG, action="store_true", help="only on DATABASE_URL, or SQLite")
    options = parser.parse_args()
    count = min(options.strategies, 200) if options.quick else options.strategies
    seconds = min(options.seconds, 5) if options.quick else options.seconds
    if options.here or os.environ.get("DATABASE_URL"):
        return measure_here(count=count, seconds=seconds)
    command = [sys.executable, "-m", "benchmarks.scheduled_scale", HERE_FLAG]
    command += ["--strategies", str(count), "--seconds", str(seconds)]
    results = [
        subprocess.run(prefix + command, check=False).returncode
        for prefix in ([sys.executable, "-m", "tests.postgres", "--durable"], [])
    ]
    return 1 if any(results) else 0


if __name__ == "__main__":
    sys.exit(main())
