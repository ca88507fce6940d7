"""What a batch of ticks leaves behind: one conditional UPDATE claims and ends all that were quiet.

Looking is pure, so a tick that trades nothing needs no lease: it holds the claim only for the one
statement that writes it down. Whatever else wanted the same turn, another batch, a tick of its own
or an engine, either came before, and the statement passes the row over, or comes after, and finds
that it is too soon. The conditions are those of ``claim_tick``, and that nobody has ticked the
strategy since it was read: so of two ticks the second has always begun after the first had ended.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from arbplatform.persistence.retries import retried
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Run
from strategies.selectors import DueRow
from strategies.services.announcements import announce_quiet
from strategies.services.claims import SPACING_DIVISOR

_CLAIM = """
    UPDATE strategies_strategy SET last_tick_at = %s, failure_count = 0
    FROM (VALUES {rows}) AS seen
    WHERE id = seen.column1 AND last_tick_at {is_same} {seen_at}
    AND state = %s AND driver = %s
    AND (tick_token = '' OR tick_expires_at IS NULL OR tick_expires_at <= %s)
    AND (last_tick_at IS NULL OR last_tick_at > %s
        OR last_tick_at <= CASE interval_ms {spacings} END)
    RETURNING id"""

_EXPLAIN = """
    UPDATE strategies_strategy SET last_decision = {value}
    FROM (VALUES {rows}) AS told
    WHERE strategies_strategy.id = told.column1"""


def is_spaced(last_tick_at: datetime | None, interval_ms: int, now: datetime) -> bool:
    """Return whether a tick at ``now`` does not come too soon after the last one.

    A last tick in the future means that the clock was set back: it must not block.
    """
    return last_tick_at is None or last_tick_at > now or last_tick_at <= _newest(interval_ms, now)


@retried
@transaction.atomic
def record_quiet(
    *,
    rows: Collection[DueRow],
    decisions: Mapping[int, str],
    now: datetime,
) -> frozenset[int]:
    """Write down ticks that found nothing to trade; return the strategies whose tick that was.

    Args:
        rows: the strategies, as they were when the ticks began.
        decisions: what the tick found as JSON, for those that say so this time.
        now: the moment of the ticks.
    """
    if not rows:
        return frozenset()
    claimed = _claim(rows, now)
    explained = sorted(claimed & decisions.keys())
    _explain([(key, decisions[key]) for key in explained])
    announce_quiet(explained)
    run_ids = [row.run_id for row in rows if row.run_id and row.strategy_id in claimed]
    Run.objects.filter(pk__in=run_ids, stopped_at__isnull=True).update(
        tick_count=F("tick_count") + 1
    )
    return claimed


def _claim(rows: Collection[DueRow], now: datetime) -> frozenset[int]:
    moment = _adapt(now)
    ordered = sorted(rows)  # two batches of the same rows take their locks in the same order
    seen = [value for row in ordered for value in (row.strategy_id, _adapt_seen(row.last_tick_at))]
    spacings = [
        value
        for interval_ms in sorted({row.interval_ms for row in rows})
        for value in (interval_ms, _adapt(_newest(interval_ms, now)))
    ]
    is_postgres = connection.vendor == "postgresql"
    sql = _CLAIM.format(
        rows=", ".join(["(%s, %s)"] * len(ordered)),
        is_same="IS NOT DISTINCT FROM" if is_postgres else "IS",
        seen_at="seen.column2::timestamptz" if is_postgres else "seen.column2",
        spacings="WHEN %s THEN %s " * (len(spacings) // 2),
    )
    who = (StrategyState.RUNNING.value, StrategyDriver.SCHEDULE.value)
    with connection.cursor() as cursor:
        cursor.execute(sql, [moment, *seen, *who, moment, moment, *spacings])
        return frozenset(row[0] for row in cursor.fetchall())


def _explain(decisions: Sequence[tuple[int, str]]) -> None:
    if not decisions:
        return
    is_postgres = connection.vendor == "postgresql"
    sql = _EXPLAIN.format(
        value="told.column2::jsonb" if is_postgres else "told.column2",
        rows=", ".join(["(%s, %s)"] * len(decisions)),
    )
    values = [value for pair in decisions for value in pair]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _newest(interval_ms: int, now: datetime) -> datetime:
    """Return the newest last tick after which a tick at ``now`` does not come too soon."""
    return now - timedelta(milliseconds=interval_ms) / SPACING_DIVISOR


def _adapt_seen(moment: datetime | None) -> Any:
    return None if moment is None else _adapt(moment)


def _adapt(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
