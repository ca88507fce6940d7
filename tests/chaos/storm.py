"""A storm from beginning to end: set up, let everything go wrong, clear the sky, look at the rest.

Needs Django to be set up; ``tests.chaos.__main__`` does that.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from celery import current_app
from django.db import DatabaseError, close_old_connections

from accounts.domain.transfers import TransferState
from accounts.models import Transfer, VenueAccount
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import ArbError
from arbplatform.persistence.fields import ExactSum
from ledger.domain.halts import EVERYTHING, HaltLevel, TradingState
from ledger.domain.orders import LIVE_STATES
from ledger.errors import ReconciliationBusy
from ledger.models import Order, TradingChange
from ledger.services.reconciler import reconcile_account
from markets.models import Venue
from markets.simulator.config import SimulatorConfig
from strategies.domain.states import FINISHED_STATES, StrategyState
from strategies.models import Execution, Strategy
from strategies.selectors import list_result_errors
from strategies.services.runs import start_strategy, stop_strategy
from strategies.services.strategies import create_strategy
from tests.chaos import reading
from tests.chaos.diary import Diary
from tests.chaos.evidence import Evidence, Halt, Pause
from tests.chaos.invariants import find_violations
from tests.chaos.monkey import ANSWER_S, TROUBLES, Monkey, Server, resume_all, settle_disputed
from tests.chaos.plan import ORDER_DELAYS_MS, STORMS_MAX, make_plan, prolong
from tests.chaos.processes import Platform, wait_for
from tests.chaos.world import list_specs

PROGRESS_EVERY_S = 10.0
LOOK_AFTER_EVERY_S = 2.0
SETTLE_TIMEOUT_S = 150.0
"""An order that a dead process may have sent is given up as absent only after 45 s; the rest is
for a machine that does other things as well."""
SETTLE_POLL_S = 1.0
CHECK_EVERY_S = 3.0
FINISH_WITHIN = timedelta(minutes=5)
"""No execution may take longer, outages included: thirty seconds to repair it, twice a minute to
learn what became of an order, and the outages of this storm."""
RESTING_TRANSFERS = (TransferState.ARRIVED, TransferState.FAILED, TransferState.UNKNOWN)
"""One of unknown outcome is given up after a quarter of an hour at the earliest."""
VENUES_TIMEOUT_S = 60.0
"""How long killed venues may take until they answer again [s]."""
BROKER_TIMEOUT_S = 2.0
HEAL_TIMEOUT_S = 90.0
"""How long everything may take until it works again by itself [s]: a process that crashed again and
again is started again half a minute later."""
STANDSTILL_S = 2.0
"""For so long after a pause venues may still be busy with what has waited [s]."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What was asked for.

    Attributes:
        seed: of the plan and of the venues.
        seconds: how long things go wrong [s].
        executions: that have to happen at least.
        data_dir: of the platform.
        simulator_url: where the venues are.
        config: of the venues.
        engines: names of the engines.
    """

    seed: int
    seconds: float
    executions: int
    data_dir: Path
    simulator_url: str
    config: SimulatorConfig
    engines: tuple[str, ...] = ()

    @property
    def journal(self) -> Path:
        """The file in which the venues' facts survive."""
        return self.data_dir / "simulator" / "state" / "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        evidence: of both sides.
        violations: by the claim that they violate; empty lists for those that hold.
        diary: what was done.
        settled_s: how long it took to come to rest [s].
    """

    evidence: Evidence
    violations: dict[str, list[str]]
    diary: Diary
    settled_s: float


def run(scope: Scope, platform: Platform, server: Server | None) -> Result:
    """Let the storm pass over a platform that runs, and return what is left.

    Args:
        scope: what was asked for.
        platform: ready.
        server: the database; ``None`` if it is a file.
    """
    # the monkey must not hang on what it has frozen itself
    current_app.conf.broker_transport_options |= {"socket_timeout": BROKER_TIMEOUT_S}
    current_app.conf.task_publish_retry = False
    plan = make_plan(
        seed=scope.seed,
        seconds=scope.seconds,
        has_server=server is not None,
        engines=scope.engines,
    )
    prepare(has_engines=bool(scope.engines))
    prolonged = prolong(plan, seconds=scope.seconds)
    monkey = Monkey(prolonged, platform, scope.simulator_url, server)
    say(f"{len(plan)} things will go wrong within {scope.seconds:.0f} s.")
    monkey.begin()
    rage(monkey, scope)
    say("The sky clears: nothing goes wrong any more.")
    clear(monkey, platform, scope)
    known = replace(
        heal(has_engines=bool(scope.engines)),
        delays=[timedelta(milliseconds=delay_ms) for delay_ms in ORDER_DELAYS_MS],
        pauses=list_pauses(monkey.diary),
    )
    started = time.monotonic()
    evidence, violations = settle(scope, known)
    return Result(evidence, violations, monkey.diary, time.monotonic() - started)


def prepare(*, has_engines: bool) -> None:
    """Put strategies of our own in the place of the demo's."""
    for pk in Strategy.objects.filter(state=StrategyState.RUNNING).values_list("pk", flat=True):
        stop_strategy(strategy_id=pk, user=None)
    accounts = {row.venue.code: row.pk for row in VenueAccount.objects.select_related("venue")}
    for spec in list_specs(has_engines=has_engines):
        strategy = create_strategy(
            name=spec.name,
            slug=spec.slug,
            params=dict(spec.params),
            account_ids=[accounts[code] for code in spec.venues],
            interval_ms=spec.interval_ms,
            driver=spec.driver,
        )
        start_strategy(strategy_id=strategy.pk, user=None)


def rage(monkey: Monkey, scope: Scope) -> None:
    """Let the plan take its course; on a slow machine again, until enough was executed."""
    said = looked = 0.0
    until_s = scope.seconds
    while True:
        if monkey.elapsed_s >= until_s:
            if until_s >= STORMS_MAX * scope.seconds or _is_enough(scope):
                return
            until_s += scope.seconds
            say("Too little was executed: the storm begins anew.")
        monkey.work()
        if monkey.elapsed_s - looked > LOOK_AFTER_EVERY_S:
            looked = monkey.elapsed_s
            _try(monkey.look_after)
            with suppress(OSError):  # counted the next time: the venues may have been killed
                monkey.count_strikes()
        if monkey.elapsed_s - said > PROGRESS_EVERY_S:
            said = monkey.elapsed_s
            _try(lambda: _say_progress(monkey, scope))


def clear(monkey: Monkey, platform: Platform, scope: Scope) -> None:
    """End every fault, and bring every process back."""
    monkey.finish()
    platform.revive()
    platform.wait_until_ready()
    wait_for(lambda: _answers(scope.simulator_url), VENUES_TIMEOUT_S, "the venues answer")
    monkey.count_strikes(reading.PATIENCE_S)
    for venue in scope.config.venues:
        reading.ask(scope.simulator_url, "DELETE", f"/control/{venue.code}/faults")
    close_old_connections()
    resume_all()


def heal(*, has_engines: bool) -> Evidence:
    """Wait, for a bounded time, until every part works and every book is followed."""
    deadline = time.monotonic() + HEAL_TIMEOUT_S
    while True:
        close_old_connections()
        seen = Evidence(parts=reading.read_parts(), feeds=reading.read_feeds())
        if has_engines and not seen.feeds:
            seen = replace(seen, feeds={"all": "no engine follows any book"})
        is_well = not any((*seen.parts.values(), *seen.feeds.values()))
        if is_well or time.monotonic() > deadline:
            return seen
        time.sleep(SETTLE_POLL_S)


def list_pauses(diary: Diary) -> list[Pause]:
    """Return when the venues stood still."""
    return [
        Pause(kill.at, kill.at + timedelta(seconds=kill.lasts_s + STANDSTILL_S))
        for kill in diary.kills
        if kill.name == "simulator" and kill.lasts_s
    ]


def settle(scope: Scope, known: Evidence) -> tuple[Evidence, dict[str, list[str]]]:
    """Stop the strategies and wait, for a bounded time, until everything holds.

    Args:
        scope: what was asked for.
        known: evidence that was gathered before.
    """
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        close_old_connections()
        for pk in Strategy.objects.filter(state=StrategyState.RUNNING).values_list("pk", flat=True):
            stop_strategy(strategy_id=pk, user=None)
        settle_disputed()
        is_over = time.monotonic() > deadline
        if is_over or not count_moving():
            reconcile()
            evidence = gather(scope, known)
            violations = find_violations(evidence)
            if is_over or not any(violations.values()):
                return evidence, violations
            time.sleep(CHECK_EVERY_S)
        time.sleep(SETTLE_POLL_S)


def reconcile() -> None:
    """Compare every account with its venue, as an operator does who does not want to wait."""
    for account_id in VenueAccount.objects.values_list("pk", flat=True):
        with suppress(ReconciliationBusy):
            reconcile_account(account_id=account_id)


def count_moving() -> int:
    """Return how many orders, arbitrages and strategies have not come to rest."""
    booked = Order.objects.filter(filled_quantity__gt=0).annotate(
        booked=ExactSum("fills__quantity")
    )
    return (
        Order.objects.filter(state__in=LIVE_STATES).count()
        + Execution.objects.exclude(state__in=FINISHED_STATES).count()
        + Strategy.objects.filter(state=StrategyState.STOPPING).count()
        + Transfer.objects.exclude(state__in=RESTING_TRANSFERS).count()
        + sum(one != other for one, other in booked.values_list("booked", "filled_quantity"))
    )


def gather(scope: Scope, known: Evidence) -> Evidence:
    """Read both sides' books.

    Args:
        scope: what was asked for.
        known: evidence that was gathered before.
    """
    venues = reading.read_venues(scope.config, scope.journal)
    return replace(
        known,
        orders=reading.read_orders(),
        trades=reading.read_trades(),
        executions=reading.read_executions(),
        leases=reading.read_leases(),
        attributions=reading.read_attributions(),
        postings=reading.read_postings(),
        totals=reading.read_totals(),
        result_gaps=list_result_errors(),
        venue_orders=list(venues.orders()),
        venue_trades=list(venues.trades()),
        statements=reading.read_statements(scope.simulator_url, scope.config),
        markets=reading.read_markets(),
        halts=read_halts(),
        strategies=reading.read_strategies(),
        transfers=reading.read_transfers(),
        withdrawn=frozenset(venues.withdrawn),
        reservations=reading.read_reservations(),
        reserved=reading.read_reserved(),
        dust=reading.read_dust(),
        discrepancies=reading.read_discrepancies(),
        finish_within=FINISH_WITHIN,
    )


def read_halts() -> list[Halt]:
    """Return the spans in which everything, or a venue, was halted."""
    codes = dict(Venue.objects.values_list("pk", "code"))
    changes: dict[str, list[TradingChange]] = {}
    for change in TradingChange.objects.select_related("halt").order_by("id"):
        changes.setdefault(change.halt.key, []).append(change)
    halts = []
    for rows in changes.values():
        halt = rows[0].halt
        if halt.key != EVERYTHING.key and halt.level != HaltLevel.VENUE:
            continue
        for change, after in pairwise(rows):
            if change.after == TradingState.HALTED:
                venue = codes.get(halt.target_id or 0, "")
                halts.append(Halt(change.changed_at, after.changed_at, venue))
    return halts


def say(line: str) -> None:
    """Tell whoever looks, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _answers(simulator_url: str) -> bool:
    try:
        reading.ask(simulator_url, "GET", "/healthz", timeout_s=ANSWER_S)
    except OSError:
        return False
    return True


def _is_enough(scope: Scope) -> bool:
    close_old_connections()
    try:
        return Execution.objects.count() >= scope.executions
    except DatabaseError:
        return False


def _say_progress(monkey: Monkey, scope: Scope) -> None:
    executed = Execution.objects.count()
    moving = Execution.objects.exclude(state__in=FINISHED_STATES).count()
    done = monkey.diary.done
    say(
        f"{SYSTEM_CLOCK.now():%H:%M:%S}  {monkey.elapsed_s:4.0f} of {scope.seconds:.0f} s   "
        f"{executed:5} executions, {moving:3} not ended   {done.total():4} things went wrong"
    )


def _try(work: Callable[[], None]) -> None:
    close_old_connections()
    try:
        work()
    except (*TROUBLES, DatabaseError, ArbError) as error:
        say(f"          (not now: {type(error).__name__})")
