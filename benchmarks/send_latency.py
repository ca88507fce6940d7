"""How long it takes from a decision to the moment at which the venues are told.

A cross-venue strategy ticks on two venues in memory, with an edge in every tick. The time runs from
the return of the plugin's ``evaluate`` until a request for each of both legs is in its socket. In
between lie the risk gate, the transaction that writes opportunity, execution, both orders and their
reservations and claims them, the opening of the gateways and the start of the senders. As those of
real venues do, the gateways take an order while its rows are written, and have it written to their
connection by ``OrderRequest.let_go``.

What the database alone takes is shown by a transaction that writes one column of one row, made in
turn with the ticks in the same run. While a decision is on its way the platform keeps processors
awake, where its user may (``arbplatform/background/awake.py``). Half of the ticks, in turns of some
twenty, are made as by a user who may not: they are shown in a row of their own.

It runs on SQLite (WAL, every commit on disk) and on PostgreSQL (fsync, local socket) from a wheel.

Usage: ``python -m benchmarks.send_latency [--ticks 600] [--database sqlite|postgresql]``.
Target: p50 <= 1.5 ms on PostgreSQL. It was set where a commit of one row takes 0.24 ms, so the same
is told once more in such commits: 6.25 at most, whatever the machine and the state that it is in.
"""

import socket
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from arbplatform.background.awake import HASTE
from benchmarks.parts.results import Row, at_most, percentile, report
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import (
    DATABASES,
    make_database_parser,
    run_on_databases,
    run_script,
)

TARGET_MS = 1.5
TARGET_COMMITS = TARGET_MS / 0.24
WARM_UP = 30
TURN = 20
LEVELS = 20
REQUEST = b"x" * 500
"""As long as a signed order with its head [bytes]."""


class Stage:
    """Two venues, a strategy that runs, and the moments that count."""

    def __init__(self) -> None:
        from strategies.domain.states import StrategyDriver  # noqa: PLC0415  after django.setup()
        from strategies.plugins.cross_venue import CrossVenue  # noqa: PLC0415
        from strategies.services.runs import start_strategy  # noqa: PLC0415
        from strategies.services.strategies import create_strategy  # noqa: PLC0415
        from tests.strategies.fakes import FakeGateway, FakeVenues  # noqa: PLC0415

        self.decided = self.sent = 0.0
        self._near, self._far = socket.socketpair()
        self.venues = FakeVenues()
        funds = {"BTC": "100000", "USDT": "10000000000"}
        self.accounts = [
            self.venues.add(code, symbols=["BTC/USDT"], free=funds) for code in ("alpha", "beta")
        ]
        for account in self.accounts:
            self.venues[account.venue.code].before_submit = self._ask
        self._create = partial(create_strategy, driver=StrategyDriver.SCHEDULE)
        self._start = start_strategy
        evaluate = CrossVenue.evaluate

        def timed(plugin: Any, view: Any) -> Any:
            evaluation = evaluate(plugin, view)
            self.decided = time.perf_counter()
            return evaluation

        swap: Callable[..., None] = setattr
        swap(CrossVenue, "evaluate", timed)
        swap(FakeGateway, "asks_before_sending", True)

    def start(self) -> int:
        """Start the strategy and return its id."""
        strategy = self._create(
            name="cross",
            slug="cross-venue",
            params={"symbols": ["BTC/USDT"], "max_notional": "30000"},
            account_ids=[account.pk for account in self.accounts],
        )
        self._start(strategy_id=strategy.pk, user=None)
        return int(strategy.pk)

    def offer(self) -> None:
        """Put books there whose best level is worth a trade, and read what was sent."""
        if self.sent:
            self._far.recv(len(REQUEST) * len(self.accounts))
        for code, middle in (("alpha", 50_000), ("beta", 50_500)):
            self.venues[code].set_book(
                "BTC/USDT",
                bids=[(str(middle - 5 - level), "1") for level in range(LEVELS)],
                asks=[(str(middle + 5 + level), "1") for level in range(LEVELS)],
            )

    def _ask(self, request: Any) -> None:
        if not request.let_go(self._write):
            raise SystemExit("an order that was written may not leave")

    def _write(self) -> None:
        self._near.sendall(REQUEST)
        self.sent = time.perf_counter()


@dataclass(frozen=True, slots=True)
class Sample:
    """One tick: how long it took to send, how long to commit one row, and how it was made.

    Attributes:
        sending_ms: from the decision until both legs were sent.
        commit_ms: of one column of one row.
        may_sleep: whether processors were left to sleep meanwhile.
    """

    sending_ms: float
    commit_ms: float
    may_sleep: bool


def measure(ticks: int) -> list[Sample]:
    """Return what some ticks took, after those that warm up."""
    from markets.gateway.factory import use_gateways  # noqa: PLC0415
    from strategies.services import execution  # noqa: PLC0415

    swap: Callable[..., None] = setattr
    stage = Stage()
    samples: list[Sample] = []
    with use_gateways(stage.venues.build):
        strategy_id = stage.start()
        for turn in range(-(-(WARM_UP + ticks) // TURN)):
            may_sleep = bool(turn % 2)
            swap(execution, "HASTE", nullcontext() if may_sleep else HASTE)
            samples += [_tick(stage, strategy_id, may_sleep) for _ in range(TURN)]
    swap(execution, "HASTE", HASTE)
    return samples[WARM_UP:]


def _tick(stage: Stage, strategy_id: int, may_sleep: bool) -> Sample:
    from ledger.models import Order  # noqa: PLC0415
    from ledger.services.rows import update_row  # noqa: PLC0415
    from strategies.services.ticks import TickOutcome, run_tick  # noqa: PLC0415

    stage.offer()
    report = run_tick(strategy_id=strategy_id, is_spacing_kept=False)
    if report.outcome is not TickOutcome.EXECUTED:
        raise SystemExit(f"nothing was traded: {report}")
    began = time.perf_counter()
    update_row(Order, 1, {"lookup_count": time.time_ns() % 1000})
    return Sample(
        sending_ms=(stage.sent - stage.decided) * 1000,
        commit_ms=(time.perf_counter() - began) * 1000,
        may_sleep=may_sleep,
    )


def measure_here(ticks: int) -> int:
    """Measure on the configured database and print; return 1 when the target is missed."""
    with scratch_platform():
        from django.db import connection  # noqa: PLC0415

        from ledger.selectors import imbalances, list_stray_reservations  # noqa: PLC0415

        samples = measure(ticks)
        wrong = imbalances() or list_stray_reservations()
        vendor = connection.vendor
        connection.close()
    if wrong:
        raise SystemExit(f"the books are wrong: {wrong}")
    subject = f"decision to both legs sent, {DATABASES[vendor]}"
    usual = [sample for sample in samples if not sample.may_sleep]
    sleepy = [sample for sample in samples if sample.may_sleep]
    median = _median_of(f"{subject}: p50", usual)
    if vendor != "postgresql":
        median = replace(median, target="", is_met=None)
    p99 = percentile([sample.sending_ms for sample in usual], 0.99)
    rows = [median, Row(f"{subject}: p99", p99, "ms")]
    if vendor == "postgresql":
        name = f"{subject}: p50 in commits of one row"
        rows.append(at_most(name, median.ratio or 0.0, "commits", TARGET_COMMITS))
    left = _median_of(f"{subject}, processors left to sleep: p50", sleepy)
    rows.append(replace(left, target="", is_met=None))
    return report(rows)


def _median_of(name: str, samples: Sequence[Sample]) -> Row:
    return at_most(
        *(name, statistics.median(sample.sending_ms for sample in samples), "ms", TARGET_MS),
        reference=statistics.median(sample.commit_ms for sample in samples),
        reference_name="commit of one row",
    )


def main() -> int:
    """Measure on both databases; return 1 when the target is missed."""
    parser = make_database_parser(__doc__)
    parser.add_argument("--ticks", type=int, default=600)
    options = parser.parse_args()
    ticks = options.ticks // 10 if options.quick else options.ticks
    return run_on_databases(options.database, partial(measure_here, ticks))


if __name__ == "__main__":
    run_script(main)
