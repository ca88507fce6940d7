"""From the venue's book update to the order requests at the venues, with the rows durable before.

Two simulated venues run in a process of their own, with a stopwatch: it notes the moment at which
the update that makes an edge is written to the socket, and the moment at which each order request
has arrived. In between is all that the product does: an engine process (``manage.py run_engine``)
takes the update in, decides, commits opportunity, execution, orders and reservations, and sends
both legs.

The reference is what cannot be left out: ccxt.pro's order books and ccxt's ``create_order`` for
both legs at once, in a process without any platform, on the same venues, before and after ours.

It runs on SQLite (WAL, every commit on disk) and on PostgreSQL (fsync, local socket) from a wheel.

Usage: ``python -m benchmarks.book_to_venue [--rounds 90]``. Targets: PostgreSQL p50 <= 1.5 ms, p99
<= 6 ms, at most 2.5 x the reference, second leg <= 0.5 ms after the first; SQLite p50 <= 2 ms, p99
<= 8 ms.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from arbplatform.core.histograms import Histogram
from arbplatform.core.stages import StageRecorder
from benchmarks.results import MARK, Row, at_most, make_parser, read_row, report
from benchmarks.scratch import ROOT, percentile, scratch_platform

TARGETS_MS = {"postgresql": (1.5, 6.0), "sqlite": (2.0, 8.0)}
RATIO_MAX = 2.5
SECOND_LEG_MS = 0.5
WARM_UP = 10
SYMBOL = "BTC/USDT"
LEVELS = 20
FUNDS = {"BTC": "1000", "USDT": "100000000"}
CODES = ("alpha", "beta")
FRAME_S = 0.13
"""A book is sent 0.1 s after it has changed at the latest [s]."""
REST_S = 0.12
"""What has been sent is booked by then [s]."""
START_S = 60
STAGES_FILE = "stages.json"

HERE_FLAG, VENUES_FLAG, BARE_FLAG, ENGINE_FLAG = "--here", "--venues", "--bare", "--engine"


@dataclass(frozen=True, slots=True)
class Passage:
    """One round [ms].

    Attributes:
        first_ms: from the update to the first order request.
        second_ms: from the first request to the second one.
    """

    first_ms: float
    second_ms: float


# --- the venues, in their own process -----------------------------------------------------------


def write_recording(path: Path, rounds: int) -> None:
    """Write the frames of each round: beta goes up, beta comes back, alpha is filled up again."""

    def frame(number: int, exchange: str, middle: float) -> str:
        size = 1 + number % 50 / 100
        bids = [[f"{middle - 5 - i:.2f}", f"{size:.5f}"] for i in range(LEVELS)]
        asks = [[f"{middle + 5 + i:.2f}", f"{size:.5f}"] for i in range(LEVELS)]
        return json.dumps({"timestamp": number, "exchange": exchange, "bids": bids, "asks": asks})

    with path.open("w") as file:
        lines = [frame(0, "alpha", 50_000), frame(0, "beta", 50_000)]
        for number in range(1, rounds + 1):
            lines += [
                frame(number, "beta", 50_500),
                frame(number, "beta", 50_000),
                frame(number, "alpha", 50_000),
            ]
        file.write("\n".join(lines) + "\n")


def make_config(recording: Path) -> dict[str, Any]:
    """Return two venues that show the recording, advanced by hand."""
    market = {
        "symbol": SYMBOL,
        "tick": "0.01",
        "lot": "0.00001",
        "quantity_min": "0.00001",
        "notional_min": "10",
    }
    return {
        "seed": 7,
        "venues": [
            {
                "code": code,
                "assets": ["BTC", "USDT"],
                "markets": [market],
                "replay": {"path": str(recording), "symbol": SYMBOL, "speed": 0, "exchange": code},
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
            for code in CODES
        ],
    }


def serve(config: Path, state_dir: Path) -> int:
    """Run the venues; advance them and tell what the stopwatch has seen, line by line."""
    from markets.simulator.running import start_in_thread  # noqa: PLC0415

    updates, orders = _watch_the_clock()
    with start_in_thread(json.loads(config.read_text()), state_dir) as venues:
        print(venues.url, flush=True)
        for line in sys.stdin:
            frames = int(line)
            if frames:
                updates.clear()
                orders.clear()
                venues.control.advance_replay(frames)
            print(json.dumps({"updates": updates, "orders": orders}), flush=True)
    return 0


def _watch_the_clock() -> tuple[list[int], list[tuple[int, str]]]:
    """Have the venues note when they send an update, and when and for whom an order arrives."""
    from aiohttp import WSMsgType  # noqa: PLC0415

    from markets.simulator.protocol.connection import Connection  # noqa: PLC0415
    from markets.simulator.server import RequestHandler  # noqa: PLC0415

    updates: list[int] = []
    orders: list[tuple[int, str]] = []
    answer = RequestHandler.__call__

    async def write(connection: Any) -> None:
        try:
            while True:
                message = await connection._outbox.get()  # noqa: SLF001
                if b'"depthUpdate"' in message:
                    updates.append(time.monotonic_ns())
                await connection.socket.send_frame(message, WSMsgType.TEXT)
        except ConnectionError:
            return

    async def note(handler: Any, request: Any) -> Any:
        if request.method == "POST" and "/api/v3/order" in request.raw_path:
            orders.append((time.monotonic_ns(), request.headers.get("X-MBX-APIKEY", "")))
        return await answer(handler, request)

    Connection._write = write  # type: ignore[method-assign]  # noqa: SLF001
    RequestHandler.__call__ = note  # type: ignore[method-assign]
    return updates, orders


class Venues:
    """The venues' process, as the driver of the benchmark sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url = self._read().strip()

    def advance(self, frames: int) -> None:
        """Show the next frames; the stopwatch begins anew."""
        self._ask(frames)

    def read(self) -> dict[str, Any]:
        """Return what the stopwatch has seen since the last frame."""
        answer: dict[str, Any] = json.loads(self._ask(0))
        return answer

    def _ask(self, frames: int) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{frames}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def running_venues(directory: Path, rounds: int) -> Iterator[Venues]:
    """Run the venues as long as the context lasts."""
    recording, config = directory / "recording.jsonl", directory / "venues.json"
    write_recording(recording, rounds)
    config.write_text(json.dumps(make_config(recording)))
    process = subprocess.Popen(
        [*_module(), VENUES_FLAG, config, directory / "venues"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        venues = Venues(process)
        venues.advance(2)
        yield venues
    finally:
        process.stdin.close() if process.stdin else None
        process.wait(START_S)


# --- the reference ------------------------------------------------------------------------------


def trade_bare(url: str) -> int:
    """Watch both books with ccxt.pro and send both legs with ccxt, nothing else."""
    import uvloop  # noqa: PLC0415

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_trade_bare(url))
    return 0


async def _trade_bare(url: str) -> None:
    import ccxt.pro  # noqa: PLC0415

    clients = {}
    for code in CODES:
        key = {"apiKey": f"bare-{code}", "secret": f"secret-bare-{code}"}
        made = ccxt.pro.binance({**key, "enableRateLimit": False})
        made.options |= {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
        made.options |= {"fetchCurrencies": False, "fetchMargins": False}
        ws = made.urls["api"].pop("ws")
        made.urls["api"] = _rewritten(made.urls["api"], f"{url}/{code}")
        made.urls["api"]["ws"] = _rewritten(ws, f"{url.replace('http', 'ws')}/{code}")
        await made.load_markets()
        clients[code] = made
    is_armed = True

    async def watch(code: str) -> None:
        nonlocal is_armed
        while True:
            await clients[code].watch_order_book(SYMBOL)
            asks, bids = (
                clients[one].orderbooks.get(SYMBOL, {}).get(side)
                for one, side in zip(CODES, ("asks", "bids"), strict=True)
            )
            if not asks or not bids:
                continue
            ask, bid = asks[0][0], bids[0][0]
            if bid < ask * 1.003:
                is_armed = True
            elif is_armed:
                is_armed = False
                now = {"timeInForce": "IOC"}
                await asyncio.gather(
                    clients["alpha"].create_order(SYMBOL, "limit", "buy", 0.01, ask, now),
                    clients["beta"].create_order(SYMBOL, "limit", "sell", 0.01, bid, now),
                )

    try:
        await asyncio.gather(*(watch(code) for code in CODES))
    finally:
        await asyncio.gather(*(client.close() for client in clients.values()))


def _rewritten(urls: Any, base: str) -> Any:
    """Return addresses that lead to ``base``, whatever the exchange's own host is."""
    if isinstance(urls, dict):
        return {name: _rewritten(each, base) for name, each in urls.items()}
    if not isinstance(urls, str):
        return urls
    _scheme, _slashes, rest = urls.partition("://")
    return f"{base}/{rest.partition('/')[2]}"


# --- ours ---------------------------------------------------------------------------------------


def register(url: str) -> list[int]:
    """Register venues, accounts and a strategy that runs; return the accounts' ids."""
    from accounts.services.accounts import create_account  # noqa: PLC0415  after django.setup()
    from markets.services.markets import sync_markets  # noqa: PLC0415
    from markets.services.venues import create_venue  # noqa: PLC0415
    from strategies.services.runs import start_strategy  # noqa: PLC0415
    from strategies.services.strategies import create_strategy  # noqa: PLC0415

    accounts = []
    for code in CODES:
        venue = create_venue(
            code=code,
            ccxt_id="binance",
            rest_origin=f"{url}/{code}",
            ws_origin=f"{url.replace('http', 'ws')}/{code}",
        )
        sync_markets(venue_id=venue.pk)
        key, secret = f"main-{code}", f"secret-main-{code}"
        accounts.append(create_account(venue=venue, label="main", api_key=key, api_secret=secret))
    strategy = create_strategy(
        name="bench",
        slug="cross-venue",
        params={"symbols": [SYMBOL], "max_notional": "500", "depth": LEVELS},
        account_ids=[account.pk for account in accounts],
    )
    start_strategy(strategy_id=strategy.pk, user=None)
    return [account.pk for account in accounts]


def trade_ours(stages: Path) -> int:
    """Run an engine as ``manage.py run_engine`` does, and write down how long its stages took."""
    os.environ["LOG_LEVEL"] = "ERROR"  # without Redis, which nobody needs here, an engine complains
    import django  # noqa: PLC0415

    django.setup()
    from strategies.engine.process import run_engine  # noqa: PLC0415
    from strategies.engine.trading import trade  # noqa: PLC0415

    recorder = StageRecorder()
    code = run_engine(partial(trade, recorder=recorder))
    total = recorder.read().total
    stages.write_text(json.dumps({stage.value: took.to_dict() for stage, took in total.items()}))
    return code


@contextmanager
def running(command: Sequence[object]) -> Iterator[None]:
    """Run a process as long as the context lasts, then end it in order."""
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)


def approve(account_ids: Sequence[int]) -> None:
    """Compare the accounts once the engine has begun: before, it may not trade on them."""
    from ledger.services.reconciler import reconcile_account  # noqa: PLC0415
    from strategies.models import EngineProcess  # noqa: PLC0415

    deadline = time.monotonic() + START_S
    while not EngineProcess.objects.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the engine did not start")
        time.sleep(0.1)
    for account_id in account_ids:
        reconcile_account(account_id=account_id)


def play(venues: Venues, label: str, rounds: int) -> list[Passage | None]:
    """Make an edge so many times; return what the stopwatch has seen, ``None`` where too little."""
    found: list[Passage | None] = []
    for _ in range(rounds):
        venues.advance(1)
        time.sleep(FRAME_S + REST_S)
        found.append(judge(venues.read(), label))
        venues.advance(2)
        time.sleep(FRAME_S + REST_S / 3)
    return found


def judge(seen: dict[str, Any], label: str) -> Passage | None:
    """Return what one round took, by the moments of updates and orders."""
    arrivals = sorted(at_ns for at_ns, key in seen["orders"] if key.startswith(f"{label}-"))
    if not seen["updates"] or len(arrivals) < 2:
        return None
    first, second = arrivals[:2]
    return Passage((first - seen["updates"][0]) / 1e6, (second - first) / 1e6)


def wait_for_orders(venues: Venues, label: str) -> None:
    """Make edges until somebody takes one."""
    for _ in range(40):
        if play(venues, label, 1)[0] is not None:
            return
    raise SystemExit(f"{label}: no orders came")


def measure(rounds: int, directory: Path) -> tuple[list[Passage | None], list[Passage | None]]:
    """Return the rounds of ours and of the reference."""
    half = rounds // 2
    with running_venues(directory, 3 * rounds + 3 * WARM_UP + 120) as venues:
        account_ids = register(venues.url)
        bare_command = [*_module(), BARE_FLAG, venues.url]
        bare: list[Passage | None] = []
        with running(bare_command):
            wait_for_orders(venues, "bare")
            bare += play(venues, "bare", WARM_UP + half)[WARM_UP:]
        with running([*_module(), ENGINE_FLAG, directory / STAGES_FILE]):
            approve(account_ids)
            wait_for_orders(venues, "main")
            ours = play(venues, "main", WARM_UP + rounds)[WARM_UP:]
        with running(bare_command):
            wait_for_orders(venues, "bare")
            bare += play(venues, "bare", WARM_UP + half)[WARM_UP:]
    return ours, bare


def measure_here(rounds: int) -> int:
    """Measure on the configured database and print."""
    with scratch_platform() as directory:
        from django.db import connection  # noqa: PLC0415

        from ledger.selectors import imbalances, list_stray_reservations  # noqa: PLC0415

        ours, bare = measure(rounds, directory)
        vendor = connection.vendor
        stages = json.loads((directory / STAGES_FILE).read_text())
        wrong = imbalances() or list_stray_reservations()
        connection.close()
    if wrong:
        raise SystemExit(f"the books are wrong: {wrong}")
    return report([*rows_of(vendor, ours, bare), *rows_of_stages(vendor, stages)])


def rows_of(
    vendor: str, ours: Sequence[Passage | None], bare: Sequence[Passage | None]
) -> list[Row]:
    """Return the figures beside their targets."""
    mine = [each for each in ours if each]
    theirs = [each for each in bare if each]
    missed = f"{len(ours) - len(mine)} of {len(ours)} rounds without two orders in time"
    firsts = [each.first_ms for each in mine]
    floor = [each.first_ms for each in theirs]
    p50_max, p99_max = TARGETS_MS[vendor]
    name = f"book update to order, {vendor}"
    beside = {"reference_name": "ccxt.pro + ccxt", "ratio_max": RATIO_MAX}
    return [
        at_most(
            *(f"{name}: p50", statistics.median(firsts), "ms", p50_max),
            reference=statistics.median(floor),
            note=missed,
            **beside,  # type: ignore[arg-type]
        ),
        at_most(
            *(f"{name}: p99", percentile(firsts, 0.99), "ms", p99_max),
            reference=percentile(floor, 0.99),
            reference_name="ccxt.pro + ccxt",
        ),
        at_most(
            *(
                f"second leg after the first, {vendor}: p50",
                statistics.median(each.second_ms for each in mine),
                "ms",
                SECOND_LEG_MS,
            ),
            reference=statistics.median(each.second_ms for each in theirs),
            reference_name="ccxt.pro + ccxt",
        ),
    ]


def rows_of_stages(vendor: str, stages: dict[str, Any]) -> list[Row]:
    """Return where the time goes, by the engine's own histograms, warm-up included."""
    found = {name: Histogram.from_dict(values) for name, values in stages.items()}
    return [
        Row(
            *(f"  of this, {name}, {vendor}: p50", found[name].percentile(0.5) / 1_000, "ms"),
            note=f"p99 {found[name].percentile(0.99) / 1_000:.2f} ms, {found[name].count} times",
        )
        for name in ("book", "decision", "commit", "send")
        if name in found
    ]


def _module() -> list[str]:
    return [sys.executable, "-m", "benchmarks.book_to_venue"]


def main() -> int:
    """Measure on both databases; return 1 when a target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=90)
    parser.add_argument(HERE_FLAG, action="store_true", help="only on DATABASE_URL, or SQLite")
    parser.add_argument(VENUES_FLAG, nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument(BARE_FLAG, help=argparse.SUPPRESS)
    parser.add_argument(ENGINE_FLAG, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.venues:
        return serve(*options.venues)
    if options.engine:
        return trade_ours(options.engine)
    if options.bare:
        return trade_bare(options.bare)
    rounds = options.rounds // 10 if options.quick else options.rounds
    if options.here or os.environ.get("DATABASE_URL"):
        return measure_here(rounds)
    command = [*_module(), HERE_FLAG, "--rounds", str(rounds)]
    rows = []
    for prefix in ([], [sys.executable, "-m", "tests.postgres", "--durable"]):
        done = subprocess.run(prefix + command, stdout=subprocess.PIPE, text=True, check=False)
        found = [row for line in done.stdout.splitlines() if (row := read_row(line))]
        print("\n".join(line for line in done.stdout.splitlines() if not line.startswith(MARK)))
        if not found:
            return 1
        rows += found
    return report(rows)


if __name__ == "__main__":
    sys.exit(main())
