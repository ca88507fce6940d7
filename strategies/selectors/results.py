"""What the totals of results ought to be, and where they are something else."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast

from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value

from arbplatform.core.decimals import ZERO, Amount
from arbplatform.persistence.fields import AmountField, ExactSum
from strategies.models import (
    AMOUNTS,
    COUNTED,
    SUMMED,
    Attribution,
    Execution,
    ResultAudit,
    ResultTotal,
    Strategy,
)

_COLUMNS: Final = (*COUNTED, *SUMMED)
_OWNER: Final = ("strategy_id", "profit_asset_id")
_ITS_OWNER: Final = tuple(f"execution__{name}" for name in _OWNER)
_IS_KEPT: Final = {"sign": Value(1, output_field=IntegerField())}
_IS_RIGHT: Final = {"sign": Value(-1, output_field=IntegerField())}
"""Tells apart, in one answer, what a total has and what it ought to have."""

_Rows = Iterable[tuple[Any, ...]]


def add_up_results(strategy_id: int) -> dict[int, dict[str, Any]]:
    """Return what the totals of a strategy's results ought to be, by profit asset, by column.

    Assets that are not there have none. Reads every execution of the strategy.
    """
    right: defaultdict[int, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(_COLUMNS, ZERO))
    ended, explained = _ended(strategy_id), _explained(strategy_id)
    for _owner_id, asset_id, *values, _sign in ended.union(explained, all=True):
        for name, value in zip(_COLUMNS, values, strict=True):
            right[asset_id][name] += value or ZERO
    return dict(right)


def list_result_errors(strategy_id: int | None = None) -> dict[str, Amount]:
    """Return every running total of results that differs from what it adds up: always none.

    Totals and what they add up are read by one statement: both are of one moment, whatever is
    settled meanwhile, and nobody has to wait. Reads every execution: for audits, not for pages that
    are looked at often.

    Args:
        strategy_id: whose; ``None``: those of all.

    Returns:
        By strategy, asset and column, what the total has more than it should.
    """
    kept = ResultTotal.objects.order_by()
    if strategy_id is not None:
        kept = kept.filter(strategy_id=strategy_id)
    totals = kept.annotate(**_IS_KEPT).values_list("strategy_id", "asset_id", *_COLUMNS, "sign")
    rows: _Rows = totals.union(_ended(strategy_id), _explained(strategy_id), all=True)
    gaps: defaultdict[tuple[int, int, str], Amount] = defaultdict(lambda: ZERO)
    for owner_id, asset_id, *values, sign in rows:
        for name, value in zip(_COLUMNS, values, strict=True):
            gaps[owner_id, asset_id, name] += sign * Amount(value or 0)
    order = {name: place for place, name in enumerate(_COLUMNS)}
    wrong = sorted(
        (owner_id, asset_id, order[name], name, gap)
        for (owner_id, asset_id, name), gap in gaps.items()
        if gap
    )
    return {f"{owner_id}:{asset_id}:{name}": gap for owner_id, asset_id, _at, name, gap in wrong}


def list_unaudited(*, before: datetime, limit: int) -> list[int]:
    """Return strategies whose totals were not audited since a moment, the longest ago first."""
    done = ResultAudit.objects.filter(strategy_id=OuterRef("pk")).values("audited_at")
    rows = Strategy.objects.annotate(audited_at=Subquery(done))
    due = rows.filter(Q(audited_at=None) | Q(audited_at__lt=before))
    due = due.order_by(F("audited_at").asc(nulls_first=True), "pk")
    return list(due.values_list("pk", flat=True)[:limit])


def find_result_audit(strategy_id: int) -> ResultAudit | None:
    """Return when the totals of a strategy were last audited, and what was wrong; if they were."""
    audits = ResultAudit.objects.exclude(audited_at=None)
    return audits.filter(strategy_id=strategy_id).first()


def list_wrong_audits() -> QuerySet[ResultAudit]:
    """Return the audits that found totals wrong, with their strategies."""
    return ResultAudit.objects.select_related("strategy").exclude(wrong_count=0).order_by("pk")


def _ended(strategy_id: int | None) -> QuerySet[Any, Any]:
    """Return how many executions have ended in each way, in the columns of the totals."""
    rows = Execution.objects.order_by().filter(state__in=COUNTED)
    if strategy_id is not None:
        rows = rows.filter(strategy_id=strategy_id)
    numbers = {f"n_{name}": Count("id", filter=Q(state=name)) for name in COUNTED}
    return _in_columns(rows, _OWNER, numbers | _nothing(SUMMED))


def _explained(strategy_id: int | None) -> QuerySet[Any, Any]:
    """Return the sums of attributions, in the columns of the totals."""
    rows = Attribution.objects.order_by()
    if strategy_id is not None:
        rows = rows.filter(execution__strategy_id=strategy_id)
    sums = {
        "n_executions": Count("id"),
        "n_measured": Count("latency"),
        "n_inexact": Count("id", filter=Q(is_exact=False)),
        "n_pending": Count("id", filter=Q(has_pending_fees=True)),
        **{f"n_{name}": ExactSum(name) for name in AMOUNTS},
    }
    return _in_columns(rows, _ITS_OWNER, _nothing(COUNTED) | sums)


def _in_columns(
    rows: QuerySet[Any], owner: tuple[str, ...], values: dict[str, Any]
) -> QuerySet[Any, Any]:
    ordered = {f"n_{name}": values[f"n_{name}"] for name in _COLUMNS}
    names = (*owner, *ordered, "sign")
    grouped = rows.values_list(*owner).annotate(**ordered, **_IS_RIGHT)
    return cast("QuerySet[Any, Any]", grouped.values_list(*names))


def _nothing(columns: Iterable[str]) -> dict[str, Any]:
    return {
        f"n_{name}": Value(0, output_field=AmountField() if name in AMOUNTS else IntegerField())
        for name in columns
    }
