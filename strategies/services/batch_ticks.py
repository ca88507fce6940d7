"""Ticks of many strategies at once: look at all of them, trade with few.

Nearly every tick of nearly every strategy finds nothing to trade. A batch finds that out for all of
them from shared books, by the nominators of their plugins and, where one says yes, by an exact
evaluation; what is quiet is written down by one statement. Every strategy that wants to trade, and
every one about which anything is odd, gets a message of its own and takes the full way of
``run_tick``, so whatever a tick does beyond looking has one code, and nothing slow holds up others.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from celery import current_app

from arbplatform.background.draining import DRAIN
from arbplatform.background.queues import DEPTH_MAX, read_depths
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount
from markets.models import Market
from strategies.sdk import AssetKey, MarketKey, MarketView
from strategies.selectors import DueRow, list_free, read_venue_stamps
from strategies.services.batch_books import BOOKS, REUSE_MS, BatchBooks, Collection
from strategies.services.batch_writes import is_spaced, record_quiet
from strategies.services.deciding import Deeds, findings_of
from strategies.services.decisions import BookFailure, describe_findings
from strategies.services.endings import REPEAT_AFTER, warn_of_books
from strategies.services.recent_funds import FUNDS
from strategies.services.setups import Setup
from strategies.services.watches import NEVER_MS, SLOW_FOR_MS, SLOW_MS, WATCHES, Watch, Watches

logger = logging.getLogger(__name__)

STRATEGIES_MAX = 1_000
"""Strategies of one message."""
EXPLAIN_EVERY_MS = 5_000
"""A quiet strategy is evaluated in full, and its last decision written, that often [ms]."""
LATE_MS = 500
EXPLAIN_LATE_EVERY_MS = 30_000
"""In a batch that is later than ``LATE_MS``, what can wait waits: then only that often [ms]."""
MAKING_MS = 250
"""A batch prepares strategies that are new to this process for so long at most [ms]; the others
follow with the next batch."""
WARNINGS_MAX = 20
"""Strategies of one batch whose missing books are logged; the others follow."""
ALONE_TASK = "strategies.tick"
"""The task that ticks one strategy."""
ALONE_QUEUE = "trading"
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class BatchReport:
    """What became of a batch, for its caller and for measurements.

    Attributes:
        quiet: strategies whose tick found nothing to trade.
        alone: strategies that were given a message of their own.
        dropped: strategies whose turn it is not: ticked a moment ago, held by somebody, at rest.
        lag_ms: from when they were due until they were claimed [ms].
        durations_ms: how long each stage took, by name [ms].
    """

    quiet: frozenset[int] = frozenset()
    alone: list[int] = field(default_factory=list)
    dropped: int = 0
    lag_ms: float = 0.0
    durations_ms: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Batch:
    """A batch that runs.

    Attributes:
        rows: strategies whose turn it is, by id.
        watches: what is known of them, by id.
        books: of all their markets.
        alone: strategies that need a tick of their own.
        decisions: what was found as JSON, of those that say so this time.
        is_late: whether it was due some time ago.
    """

    clock: Clock
    rows: dict[int, DueRow]
    watches: dict[int, Watch] = field(default_factory=dict)
    books: Collection = field(default_factory=Collection)
    alone: list[int] = field(default_factory=list)
    quiet: list[int] = field(default_factory=list)
    decisions: dict[int, str] = field(default_factory=dict)
    free: dict[tuple[int, ...], Mapping[AssetKey, Amount]] = field(default_factory=dict)
    warned: int = 0
    is_late: bool = False


def run_batch(
    *,
    strategy_ids: Sequence[int],
    due_ms: int | None = None,
    clock: Clock = SYSTEM_CLOCK,
    watches: Watches = WATCHES,
    shared_books: BatchBooks = BOOKS,
) -> BatchReport:
    """Tick strategies, each unless another tick of it runs or it comes at the wrong time.

    Args:
        strategy_ids: of the strategies, at most ``STRATEGIES_MAX``.
        due_ms: when they were due [ms since epoch].
        clock: tells the time.
        watches: what is remembered of the strategies.
        shared_books: where the books come from.
    """
    if len(strategy_ids) > STRATEGIES_MAX:
        raise ValueError(f"at most {STRATEGIES_MAX} strategies at once, not {len(strategy_ids)}")
    report = BatchReport(dropped=len(strategy_ids))
    if DRAIN.has_begun:
        return report  # the process ends: it claims nothing
    lap = _stopwatch(clock, report.durations_ms)
    now = clock.now()
    batch = _Batch(
        clock,
        {
            row.strategy_id: row
            for row in list_free(strategy_ids, now=now)
            if is_spaced(row.last_tick_at, row.interval_ms, now)
        },
    )
    batch.is_late = due_ms is not None and clock.now_ms() - due_ms > LATE_MS
    lap("read")
    _prepare(batch, watches)
    lap("prepare")
    _collect_books(batch, shared_books)
    lap("books")
    for strategy_id, watch in batch.watches.items():
        _look(batch, strategy_id, watch)
    lap("look")
    now = clock.now()
    report.lag_ms = 0 if due_ms is None else clock.now_ms() - due_ms
    report.quiet = record_quiet(
        rows=[batch.rows[key] for key in batch.quiet],
        decisions=batch.decisions,
        now=now,
    )
    lap("record")
    _hand_over(batch)
    lap("hand_over")
    report.alone = batch.alone
    report.dropped = len(strategy_ids) - len(report.quiet) - len(batch.alone)
    return report


def _prepare(batch: _Batch, watches: Watches) -> None:
    """Find or make what is needed to look at each strategy; what is odd is ticked alone."""
    runs = {}
    for row in batch.rows.values():
        if row.run_id is None:
            batch.alone.append(row.strategy_id)
        else:
            runs[row.strategy_id] = row.run_id
    if not runs:
        return
    stamps = read_venue_stamps()
    found = watches.find(runs, stamps)
    missing = {key: run_id for key, run_id in runs.items() if key not in found}
    if missing:
        began_ms = batch.clock.monotonic_ms()
        made, odd = watches.make(
            missing, stamps, lambda: batch.clock.monotonic_ms() - began_ms < MAKING_MS
        )
        found.update(made)
        batch.alone += odd
    now_ms = batch.clock.monotonic_ms()
    for key, watch in found.items():
        if watch.slow_until_ms > now_ms:
            batch.alone.append(key)
        else:
            batch.watches[key] = watch


def _collect_books(batch: _Batch, shared_books: BatchBooks) -> None:
    wanted: dict[MarketKey, Market] = {}
    depth = 1
    for watch in batch.watches.values():
        wanted.update(watch.markets)
        depth = max(depth, watch.setup.plugin.book_depth)
    if wanted:
        interval_ms = min(batch.rows[key].interval_ms for key in batch.watches)
        batch.books = shared_books.collect(
            wanted, depth=depth, reuse_ms=min(REUSE_MS, interval_ms / 2)
        )


def _look(batch: _Batch, strategy_id: int, watch: Watch) -> None:
    """Find out whether a strategy wants to trade; say what it found if it is time to."""
    if not watch.lock.acquire(blocking=False):
        return  # another batch looks at it now
    try:
        began_ms = batch.clock.monotonic_ms()
        every_ms = EXPLAIN_LATE_EVERY_MS if batch.is_late else EXPLAIN_EVERY_MS
        is_due = began_ms - watch.explained_ms >= every_ms
        wants = watch.may_trade(batch.books.books)
        if (wants or is_due) and _evaluate(batch, strategy_id, watch):
            batch.alone.append(strategy_id)
        else:
            batch.quiet.append(strategy_id)
        ended_ms = batch.clock.monotonic_ms()
        if ended_ms - began_ms > SLOW_MS:
            logger.info("strategy %s is slow: for a while it is ticked alone", strategy_id)
            watch.slow_until_ms = ended_ms + SLOW_FOR_MS
    except Exception:  # whatever a plugin raises: its own tick writes it down
        logger.debug("strategy %s is ticked alone", strategy_id, exc_info=True)
        batch.alone.append(strategy_id)
    finally:
        watch.lock.release()


def _evaluate(batch: _Batch, strategy_id: int, watch: Watch) -> bool:
    """Return whether a strategy wants to trade, by its own exact opinion."""
    setup = watch.setup
    failures = [
        *(failure for key in watch.markets if (failure := batch.books.failures.get(key))),
        *watch.disabled,
    ]
    books = batch.books.books
    view = MarketView(
        now_ms=batch.clock.now_ms(),
        books={key: book for key in watch.markets if (book := books.get(key)) is not None},
        rules=setup.rules,
        free=_free(batch, setup),
    )
    evaluation = setup.plugin.evaluate(view)
    if evaluation.intents:
        return True  # and it stays hot: the next batch evaluates again
    watch.hot.clear()
    now_ms = batch.clock.monotonic_ms()
    # not all of those that began together say the next thing together
    is_first = watch.explained_ms == NEVER_MS
    watch.explained_ms = now_ms - (strategy_id * 997 % EXPLAIN_EVERY_MS if is_first else 0)
    # here: what cannot be said of one strategy must not break off what is written of all
    described = describe_findings(findings_of(view, evaluation, Deeds(), failures))
    batch.decisions[strategy_id] = orjson.dumps(described).decode()
    if failures:
        _warn(batch, strategy_id, watch, failures)
    return False


def _free(batch: _Batch, setup: Setup) -> Mapping[AssetKey, Amount]:
    """Return what the accounts of a strategy may spend; read once for each set of accounts."""
    key = tuple(account.pk for account in setup.accounts.values())
    if key not in batch.free:
        batch.free[key] = {
            AssetKey(venue, asset): amount
            for venue, account in setup.accounts.items()
            for asset, amount in FUNDS.of(account.pk).items()
        }
    return batch.free[key]


def _warn(batch: _Batch, strategy_id: int, watch: Watch, failures: Sequence[BookFailure]) -> None:
    """Log books that cannot be had, without asking the log for each strategy each time."""
    now_ms = batch.clock.monotonic_ms()
    quiet_ms = REPEAT_AFTER.total_seconds() * 1_000
    fresh = [
        failure
        for failure in failures
        if now_ms - watch.warned_ms.get(_cause(failure), NEVER_MS) >= quiet_ms
    ]
    if not fresh or batch.warned >= WARNINGS_MAX:
        return
    batch.warned += 1
    watch.warned_ms.update({_cause(failure): now_ms for failure in fresh})
    warn_of_books({strategy_id: fresh}, now=batch.clock.now())


def _cause(failure: BookFailure) -> str:
    return f"{failure.key.venue}:{failure.error.code}"


def _hand_over(batch: _Batch) -> None:
    """Give each strategy that needs it a message of its own, of use until its next turn.

    When many messages wait already, those that were ticked last wait for their next turn instead:
    what cannot be done in time is not put on the pile.
    """
    if not batch.alone:
        return
    room = max(0, DEPTH_MAX - read_depths().get(ALONE_QUEUE, 0))
    if len(batch.alone) > room:
        batch.alone.sort(key=lambda key: batch.rows[key].last_tick_at or EARLIEST)
        logger.warning(
            "%d strategies wait for their next turn: too many ticks wait already",
            len(batch.alone) - room,
        )
        del batch.alone[room:]
    with current_app.producer_or_acquire() as producer:
        for strategy_id in batch.alone:
            current_app.send_task(
                ALONE_TASK,
                kwargs={"strategy_id": strategy_id},
                expires=max(1, batch.rows[strategy_id].interval_ms / 1_000),
                producer=producer,
            )


def _stopwatch(clock: Clock, durations_ms: dict[str, float]) -> Callable[[str], None]:
    last_ms = clock.monotonic_ms()

    def lap(stage: str) -> None:
        nonlocal last_ms
        now_ms = clock.monotonic_ms()
        durations_ms[stage] = round(now_ms - last_ms, 3)
        last_ms = now_ms

    return lap
