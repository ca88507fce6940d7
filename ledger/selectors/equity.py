"""Queries about logs, prices and equity."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import QuerySet

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount, Price
from ledger.domain.pnl import Valuation, value_amounts
from ledger.models import AssetPrice, EquitySnapshot, LogEntry
from ledger.selectors.books import pnl_by_asset, start_of_utc_day

PRICE_AGE_MAX = timedelta(minutes=10)
"""An older price values nothing any more."""


def list_logs(strategy_id: int | None = None) -> QuerySet[LogEntry]:
    """Return log entries, the newest first: of one strategy or of all."""
    rows = LogEntry.objects.select_related("strategy")
    return rows if strategy_id is None else rows.filter(strategy_id=strategy_id)


def list_prices(*, now: datetime) -> dict[str, Price]:
    """Return what a unit of each asset is worth in the reporting asset, if known lately.

    Args:
        now: prices that are older than ``PRICE_AGE_MAX`` then are left out.
    """
    rows = AssetPrice.objects.filter(
        reporting_asset__code=settings.REPORTING_ASSET, priced_at__gte=now - PRICE_AGE_MAX
    )
    return {settings.REPORTING_ASSET: Decimal(1), **dict(rows.values_list("asset__code", "price"))}


def value_in_reporting(amounts: Mapping[str, Amount], *, clock: Clock = SYSTEM_CLOCK) -> Valuation:
    """Return what ``amounts`` are worth in the reporting asset, by the prices that are stored.

    ``ledger.services.prices`` keeps them fresh; nothing is fetched here.

    Args:
        amounts: asset code to amount [units of the asset].
        clock: tells which prices are too old.
    """
    return value_amounts(amounts, list_prices(now=clock.now()))


def list_equity() -> QuerySet[EquitySnapshot]:
    """Return the equity snapshots, the newest first."""
    return EquitySnapshot.objects.select_related("reporting_asset")


@dataclass(frozen=True, slots=True)
class Figures:
    """What an overview shows of the books.

    Attributes:
        equity: the newest snapshot; ``None`` before the first one.
        today: what trading moved since UTC midnight, by asset.
        today_value: the same in the reporting asset.
    """

    equity: EquitySnapshot | None
    today: dict[str, Amount]
    today_value: Valuation


def get_figures(*, clock: Clock = SYSTEM_CLOCK) -> Figures:
    """Return total assets and today's result."""
    today = pnl_by_asset(since=start_of_utc_day(clock.now()))
    return Figures(list_equity().first(), today, value_in_reporting(today, clock=clock))
