"""Keeps what the executions of strategies have come to, as each of them is settled."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from django.db import connection, transaction

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Amount
from arbplatform.persistence.retries import retried
from strategies.domain.states import ExecutionState
from strategies.models import (
    AMOUNTS,
    COUNTED,
    SUMMED,
    Attribution,
    Execution,
    ResultAudit,
    ResultTotal,
)
from strategies.selectors import add_up_results, list_result_errors

Changes = Mapping[str, Decimal | int]
"""By column of ``ResultTotal``: by how much it changes."""


def changes_of_state(before: ExecutionState, after: ExecutionState) -> Changes:
    """Return what it changes that an execution is in another state than before."""
    if before is after:
        return {}
    steps = ((before, -1), (after, 1))
    return {state.value: step for state, step in steps if state in COUNTED}


def contribution_of(row: Attribution) -> Changes:
    """Return what an attribution adds to the results of its strategy."""
    return {
        "executions": 1,
        "measured": int(row.latency is not None),
        "inexact": int(not row.is_exact),
        "pending": int(row.has_pending_fees),
        **{name: getattr(row, name) or ZERO for name in AMOUNTS},
    }


def add_to_results(*, execution: Execution, changes: Changes) -> None:
    """Change the results of a strategy, in the transaction that has locked the execution.

    By one statement, whether or not there is a row yet.
    """
    if not any(changes.values()):
        return
    fields = {field.name: field for field in ResultTotal._meta.concrete_fields}
    values = [fields[name].get_db_prep_save(changes.get(name, 0), connection) for name in _COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(
            _upsert_sql(connection.vendor),
            [execution.strategy_id, execution.profit_asset_id, *values],
        )


@retried
@transaction.atomic
def rebuild_results(
    *, strategy_id: int, is_dry_run: bool = False, clock: Clock = SYSTEM_CLOCK
) -> dict[str, Amount]:
    """Add up anew what the executions of a strategy have come to.

    Exact while it trades: a settlement changes a total in its own transaction, and the totals are
    locked before anything is added up. So each settlement either has ended and is read, or waits
    for the lock and adds its part afterwards.

    Args:
        strategy_id: whose.
        is_dry_run: whether to change nothing.
        clock: tells when; the audit's alarm ends with it.

    Returns:
        By strategy, asset and column, what a total had more than it should: always nothing.
    """
    rows = ResultTotal.objects.filter(strategy_id=strategy_id)
    traded = Execution.objects.filter(strategy_id=strategy_id).order_by()
    asset_ids = set(traded.values_list("profit_asset_id", flat=True).distinct())
    # a total that is not there yet could not be locked
    ResultTotal.objects.bulk_create(
        [ResultTotal(strategy_id=strategy_id, asset_id=pk) for pk in sorted(asset_ids)],
        ignore_conflicts=True,
    )
    locked = list(rows.select_for_update().order_by("asset_id"))
    errors = list_result_errors(strategy_id)
    if is_dry_run:
        transaction.set_rollback(True)
        return errors
    if errors:
        right = add_up_results(strategy_id)
        for row in locked:
            values = right.get(row.asset_id, {})
            rows.filter(pk=row.pk).update(**{name: values.get(name, 0) for name in _COLUMNS})
    found = {"audited_at": clock.now(), "wrong_count": 0, "wrong": ""}
    ResultAudit.objects.update_or_create(strategy_id=strategy_id, defaults=found)
    return errors


_COLUMNS = (*COUNTED, *SUMMED)
_PLAIN = "{0} = {1}.{0} + excluded.{0}"


@cache
def _upsert_sql(vendor: str) -> str:
    table = ResultTotal._meta.db_table
    exact = "{0} = exact_add({1}.{0}, excluded.{0})" if vendor == "sqlite" else _PLAIN
    sums = ", ".join(
        (exact if name in AMOUNTS else _PLAIN).format(name, table) for name in _COLUMNS
    )
    return (
        f"INSERT INTO {table} (strategy_id, asset_id, {', '.join(_COLUMNS)}) "  # noqa: S608  own names
        f"VALUES (%s, %s, {', '.join(['%s'] * len(_COLUMNS))}) "
        f"ON CONFLICT (strategy_id, asset_id) DO UPDATE SET {sums}"
    )
