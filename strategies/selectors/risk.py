"""Queries of the risk gate: limits, and the figures that they are compared with."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q, QuerySet

from arbplatform.core.decimals import ZERO, Amount
from arbplatform.persistence.fields import ExactSum
from ledger.selectors import list_live_ids
from markets.models import Market
from strategies.domain.states import ExecutionState
from strategies.models import Dust, Execution, PegReading, RiskLimits, RiskLimitsChange
from strategies.selectors.executions import IS_NOT_OVER, UNFINISHED_STATES

CHANGES_MAX = 100
"""Newest changes of limits that are listed."""
OUTLETS_MAX = 50
"""Markets on which dust could be sold."""
PEG_MARKETS_MAX = 20
"""Reference markets of pegged assets."""


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What one execution left over.

    Attributes:
        residuals: decimal text by asset code.
        created_at: when the execution began.
    """

    residuals: dict[str, str]
    created_at: datetime


def list_risk_limits(strategy_ids: Collection[int]) -> list[RiskLimits]:
    """Return the limits of some strategies, those that have some, and the defaults."""
    rows = RiskLimits.objects.filter(Q(strategy__isnull=True) | Q(strategy_id__in=strategy_ids))
    return list(rows.order_by())


def count_open_executions(strategy_ids: Collection[int]) -> dict[int, int]:
    """Return how many executions of strategies have not ended; where none has, nothing."""
    rows = Execution.objects.filter(
        IS_NOT_OVER, strategy_id__in=strategy_ids, state__in=UNFINISHED_STATES
    )
    return dict(rows.order_by().values_list("strategy_id").annotate(number=Count("pk")))


def sum_executed(strategy_ids: Collection[int], *, since: datetime) -> dict[int, dict[str, Amount]]:
    """Return the notional of what was executed since a moment, by strategy and its asset."""
    # "+ 0": else SQLite goes through all that a strategy ever executed instead of the latest
    rows = Execution.objects.annotate(owner=F("strategy_id") + 0).order_by()
    rows = rows.filter(owner__in=strategy_ids, created_at__gte=since)
    sums = rows.values_list("owner", "profit_asset__code").annotate(
        sum=ExactSum("opportunity__notional")
    )
    found: dict[int, dict[str, Amount]] = {}
    for strategy_id, asset, total in sums:
        found.setdefault(strategy_id, {})[asset] = total or ZERO
    return found


def list_left_overs(strategy_ids: Collection[int], *, since: datetime) -> dict[int, list[LeftOver]]:
    """Return what executions left over that have not ended, are held, or began after a moment.

    By strategy, the oldest execution first.
    """
    is_held = Q(state=ExecutionState.HELD, acknowledged_at__isnull=True)
    is_open = Q(state__in=UNFINISHED_STATES)
    # "+ 0": else SQLite goes through all that a strategy ever executed instead of the latest
    rows = Execution.objects.alias(owner=F("strategy_id") + 0).exclude(residuals={}).order_by()
    rows = rows.filter(owner__in=strategy_ids)
    fields = ("pk", "strategy_id", "residuals", "created_at")
    latest = rows.filter(created_at__gte=since).values_list(*fields)
    alive = rows.filter(IS_NOT_OVER, is_open | is_held).values_list(*fields)
    found: dict[int, list[LeftOver]] = {}
    for _pk, strategy_id, *row in sorted({each[0]: each for each in (*latest, *alive)}.values()):
        found.setdefault(strategy_id, []).append(LeftOver(*row))
    return found


def count_live_orders(account_ids: Collection[int]) -> dict[int, int]:
    """Return how many orders of accounts have no known end, by account; where none, nothing."""
    return {account_id: len(ids) for account_id, ids in list_live_ids(account_ids).items()}


def list_dust(*, strategy_id: int | None = None) -> QuerySet[Dust]:
    """Return what strategies have left over, of one or of all; what came to nothing is left out."""
    rows = Dust.objects.select_related("strategy", "asset").exclude(amount=0)
    return rows if strategy_id is None else rows.filter(strategy_id=strategy_id)


def map_dust(strategy_ids: Collection[int]) -> dict[int, dict[str, Amount]]:
    """Return what strategies have left over, by strategy and asset code."""
    rows = Dust.objects.filter(strategy_id__in=strategy_ids).exclude(amount=0).order_by()
    found: dict[int, dict[str, Amount]] = {}
    for strategy_id, asset, amount in rows.values_list("strategy_id", "asset__code", "amount"):
        found.setdefault(strategy_id, {})[asset] = amount
    return found


def list_outlets(strategy_id: int, asset_id: int) -> list[Market]:
    """Return the active markets of a strategy's venues that sell an asset."""
    rows = Market.objects.select_related("venue", "base", "quote").filter(
        venue__accounts__strategies__pk=strategy_id, base_id=asset_id, is_active=True
    )
    return list(rows.order_by("venue__code", "symbol").distinct()[:OUTLETS_MAX])


def list_limit_changes(key: str) -> list[RiskLimitsChange]:
    """Return the newest changes of some limits, newest first."""
    return list(RiskLimitsChange.objects.filter(key=key).order_by("-id")[:CHANGES_MAX])


def list_peg_markets(codes: Collection[str]) -> list[Market]:
    """Return the active markets between pegged assets on enabled venues.

    Args:
        codes: of the assets that are meant to be worth the same.
    """
    rows = Market.objects.select_related("venue", "base", "quote").filter(
        is_active=True, venue__is_enabled=True, base__code__in=codes, quote__code__in=codes
    )
    return list(rows.order_by("venue__code", "symbol")[:PEG_MARKETS_MAX])


def list_peg_readings(market_ids: Collection[int]) -> dict[int, PegReading]:
    """Return what is known of some reference markets, by market id."""
    return {row.market_id: row for row in PegReading.objects.filter(market_id__in=market_ids)}
