"""Queries about logs, prices and equity."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Max, QuerySet

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount, Price
from arbplatform.core.errors import NotFound
from ledger.domain.pnl import Valuation, value_amounts
from ledger.models import AssetPrice, EquitySnapshot, LogEntry, LogLevel
from ledger.selectors.books import pnl_by_asset, start_of_utc_day

PRICE_AGE_MAX = timedelta(minutes=10)
"""An older price values nothing any more."""

EVENT_LINES_MAX = 5_000
"""Newest log entries whose events a list can be narrowed down to."""

SERIES_ROWS_MAX = 20_000
"""Snapshots that one chart is made from: a week at one every 30 s."""


def check_strategy_exists(strategy_id: int) -> None:
    """Refuse an id that is no strategy's: an empty list would look like "nothing happened".

    Raises:
        NotFound: no strategy has this id.
    """
    model = LogEntry._meta.get_field("strategy").related_model
    if not model._default_manager.filter(pk=strategy_id).exists():  # noqa: SLF001
        raise NotFound(
            "No strategy has the id {id}. See /api/strategies for the known ones.", id=strategy_id
        )


def list_logs(strategy_id: int | None = None) -> QuerySet[LogEntry]:
    """Return log entries, the newest first: of one strategy or of all."""
    rows = LogEntry.objects.select_related("strategy")
    return rows if strategy_id is None else rows.filter(strategy_id=strategy_id)


def list_latest_errors(*, since: datetime, besides: Collection[str], limit: int) -> list[LogEntry]:
    """Return the newest error of each kind of each strategy since a moment, the oldest first.

    Args:
        since: errors of that moment or later.
        besides: kinds that are left out.
        limit: at most so many, the newest ones.
    """
    rows = LogEntry.objects.filter(created_at__gte=since, level__gte=LogLevel.ERROR)
    kinds = rows.exclude(event__in=besides).order_by().values("event", "strategy_id")
    newest = kinds.annotate(newest=Max("id")).order_by("-newest").values_list("newest", flat=True)
    found = LogEntry.objects.select_related("strategy").filter(pk__in=list(newest[:limit]))
    return list(found.order_by("pk"))


def list_latest_events() -> set[str]:
    """Return the events of the newest ``EVENT_LINES_MAX`` log entries."""
    rows = LogEntry.objects.order_by("-id").values_list("event", flat=True)
    return set(rows[:EVENT_LINES_MAX])


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
class EquityPoint:
    """What everything was worth at one moment.

    Attributes:
        taken_at: the moment.
        total: all assets [reporting asset].
        realised_pnl: of all strategies until then [reporting asset].
    """

    taken_at: datetime
    total: Amount
    realised_pnl: Amount


def thin_out_equity(snapshots: QuerySet[EquitySnapshot], *, points: int) -> list[EquityPoint]:
    """Return an evenly thinned out series, oldest first, the newest snapshot always in it.

    Args:
        snapshots: of the newest ``SERIES_ROWS_MAX`` of these in the present reporting asset.
        points: how many to return at most.
    """
    rows = list(
        snapshots.filter(reporting_asset__code=settings.REPORTING_ASSET)
        .order_by("-taken_at")
        .values_list("taken_at", "total", "realised_pnl")[:SERIES_ROWS_MAX]
    )
    step = max(1, -(-len(rows) // points))
    return [EquityPoint(*row) for row in reversed(rows[::step])]


@dataclass(frozen=True, slots=True)
class Figures:
    """What an overview shows of the books.

    Attributes:
        equity: the newest snapshot; ``None`` before the first one.
        today: what trading moved since UTC midnight, by asset.
        today_value: the same in the reporting asset.
        total_value: of all trading since the beginning; ``None`` before the first trade.
    """

    equity: EquitySnapshot | None
    today: dict[str, Amount]
    today_value: Valuation
    total_value: Valuation | None


def get_figures(*, clock: Clock = SYSTEM_CLOCK) -> Figures:
    """Return total assets, and the results of today and since the beginning.

    Both results are of this moment and at the same prices: the one of a snapshot would be older
    than today's, and on the first day they would contradict each other.
    """
    today = pnl_by_asset(since=start_of_utc_day(clock.now()))
    total = pnl_by_asset()
    return Figures(
        equity=list_equity().first(),
        today=today,
        today_value=value_in_reporting(today, clock=clock),
        total_value=value_in_reporting(total, clock=clock) if total else None,
    )
