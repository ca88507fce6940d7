"""What batches of ticks ask the database for."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db.models import F, FilteredRelation, Q

from markets.models import Venue
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Strategy

Stamps = Mapping[str, tuple[object, ...]]
"""By venue code: what changes when a venue is edited or synchronised."""


class DueRow(NamedTuple):
    """A strategy that runs and whose turn nobody holds.

    Attributes:
        strategy_id: of the strategy.
        interval_ms: between two ticks [ms].
        last_tick_at: when it was last ticked.
        run_id: of its open run; ``None`` means that something is wrong with it.
    """

    strategy_id: int
    interval_ms: int
    last_tick_at: datetime | None
    run_id: int | None


def list_free(strategy_ids: Collection[int], *, now: datetime) -> list[DueRow]:
    """Return those of some strategies that run by schedule and that nobody ticks at ``now``."""
    free = Q(tick_token="") | Q(tick_expires_at__isnull=True) | Q(tick_expires_at__lte=now)
    rows = (
        Strategy.objects.filter(
            free,
            pk__in=strategy_ids,
            state=StrategyState.RUNNING,
            driver=StrategyDriver.SCHEDULE,
        )
        .annotate(open_run=FilteredRelation("runs", condition=Q(runs__stopped_at__isnull=True)))
        .order_by()
        .values_list("pk", "interval_ms", "last_tick_at", F("open_run__pk"))
    )
    return [DueRow(*row) for row in rows]


def read_venue_stamps() -> Stamps:
    """Return what changes when a venue is edited or synchronised, by venue code."""
    rows = Venue.objects.order_by().values_list("code", "updated_at", "synced_at")
    return {code: (updated_at, synced_at) for code, updated_at, synced_at in rows}
