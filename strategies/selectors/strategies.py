"""Queries about strategies, their runs, and what they saw."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from accounts.models import VenueAccount
from accounts.selectors import list_accounts
from arbplatform.core.errors import NotFound
from ledger.domain.orders import PLANNED_MAX
from ledger.models import Fill, LogEntry, Order
from ledger.selectors import IS_LIVE
from markets.models import Market
from strategies.domain.states import ExecutionState, StrategyDriver, StrategyState
from strategies.errors import StrategyNotFound
from strategies.models import Decision, Execution, Opportunity, Run, Strategy
from strategies.sdk import MarketKey
from strategies.selectors.executions import IS_NOT_OVER, UNFINISHED_STATES

LATEST_MAX = 200
"""Upper bound of the short lists that pages show [rows]."""


def list_strategies() -> QuerySet[Strategy]:
    """Return all strategies with their accounts, by id, and their venues; no secrets are read."""
    accounts = Prefetch("accounts", queryset=list_accounts().order_by("pk"))
    return Strategy.objects.prefetch_related(accounts).order_by("name")


def get_strategy(strategy_id: int) -> Strategy:
    """Return one strategy.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    strategy = list_strategies().filter(pk=strategy_id).first()
    if strategy is None:
        raise StrategyNotFound(id=strategy_id)
    return strategy


def lock_strategy(strategy_id: int) -> Strategy:
    """Return one strategy, its row locked until the transaction ends.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    strategy = Strategy.objects.select_for_update().filter(pk=strategy_id).first()
    if strategy is None:
        raise StrategyNotFound(id=strategy_id)
    return strategy


def read_state(strategy_id: int) -> StrategyState | None:
    """Return the state that a strategy has at this moment; ``None`` when it is gone."""
    rows = Strategy.objects.order_by().filter(pk=strategy_id)
    state = rows.values_list("state", flat=True).first()
    return None if state is None else StrategyState(state)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a strategy may trade, as far as it depends on itself.

    Attributes:
        state: of the strategy; ``None`` when it is gone.
        has_unresolved: the end of one of its orders is not known.
        has_unfinished: one of its executions is being carried out, completed or reversed.
        has_held: one of its executions is held, and nobody has acknowledged its exposure.
    """

    state: StrategyState | None
    has_unresolved: bool = False
    has_unfinished: bool = False
    has_held: bool = False


def map_standings(strategy_ids: Collection[int]) -> dict[int, Standing]:
    """Return how strategies stand at this moment, by one query; one that is gone, too."""
    unresolved = Order.objects.filter(IS_LIVE, strategy_id=OuterRef("pk"))
    executions = Execution.objects.filter(IS_NOT_OVER, strategy_id=OuterRef("pk"))
    short = executions.filter(state__in=UNFINISHED_STATES)
    held = executions.filter(state=ExecutionState.HELD, acknowledged_at__isnull=True)
    rows = Strategy.objects.order_by().filter(pk__in=strategy_ids)
    rows = rows.annotate(
        has_open=Exists(unresolved),
        has_short=Exists(short),
        has_held=Exists(held),
    )
    standings = dict.fromkeys(strategy_ids, Standing(None))
    for pk, state, *facts in rows.values_list("pk", "state", "has_open", "has_short", "has_held"):
        standings[pk] = Standing(StrategyState(state), *facts)
    return standings


def count_strategies() -> dict[StrategyState, int]:
    """Return how many strategies are in each state; states without any count 0."""
    rows = Strategy.objects.order_by().values_list("state").annotate(number=Count("id"))
    counted = {StrategyState(state): number for state, number in rows}
    return {state: counted.get(state, 0) for state in StrategyState}


def is_name_taken(name: str, *, besides_id: int | None = None) -> bool:
    """Return whether another strategy is called ``name``."""
    rows = Strategy.objects.filter(name=name)
    return (rows if besides_id is None else rows.exclude(pk=besides_id)).exists()


def list_accounts_by_id(account_ids: Collection[int]) -> list[VenueAccount]:
    """Return the accounts that exist among ``account_ids``, with their venues, by id."""
    return list(list_accounts().filter(pk__in=account_ids).order_by("pk"))


def map_accounts(strategy_ids: Collection[int]) -> dict[int, list[VenueAccount]]:
    """Return the accounts of strategies with their venues, read anew, each by id.

    An account of many strategies is one object in all of them.
    """
    uses = Strategy.accounts.through.objects.filter(strategy_id__in=strategy_ids)
    pairs = list(uses.order_by("venueaccount_id").values_list("strategy_id", "venueaccount_id"))
    accounts = list_accounts().in_bulk({account_id for _strategy_id, account_id in pairs})
    found: dict[int, list[VenueAccount]] = {pk: [] for pk in strategy_ids}
    for strategy_id, account_id in pairs:
        if account_id in accounts:
            found[strategy_id].append(accounts[account_id])
    return found


def list_markets_of(keys: Collection[MarketKey]) -> dict[MarketKey, Market]:
    """Return the market of each key that exists, with its venue and assets."""
    rows = Market.objects.select_related("venue", "base", "quote").filter(
        venue__code__in={key.venue for key in keys}, symbol__in={key.symbol for key in keys}
    )
    found = {MarketKey(row.venue.code, row.symbol): row for row in rows}
    return {key: found[key] for key in keys if key in found}


def get_open_run(strategy_id: int) -> Run | None:
    """Return the run that has not ended, if there is one."""
    return Run.objects.filter(strategy_id=strategy_id, stopped_at__isnull=True).first()


def get_last_run(strategy_id: int) -> Run | None:
    """Return the newest run, open or not, if there is any."""
    return list_runs(strategy_id=strategy_id).first()


def list_runs(*, strategy_id: int | None = None) -> QuerySet[Run]:
    """Return runs, newest first."""
    rows = Run.objects.select_related("strategy", "started_by").order_by("-id")
    return rows if strategy_id is None else rows.filter(strategy_id=strategy_id)


def list_opportunities(*, strategy_id: int | None = None) -> QuerySet[Opportunity]:
    """Return opportunities without their evidence, newest first."""
    rows = (
        Opportunity.objects.select_related("strategy", "profit_asset", "execution")
        .defer("evidence")
        .order_by("-id")
    )
    return rows if strategy_id is None else rows.filter(strategy_id=strategy_id)


def get_opportunity(opportunity_id: int) -> Opportunity:
    """Return one opportunity with its evidence.

    Raises:
        NotFound: there is none with this id.
    """
    rows = Opportunity.objects.select_related("strategy", "profit_asset", "execution")
    found = rows.filter(pk=opportunity_id).first()
    if found is None:
        raise NotFound("No opportunity has the id {id}.", id=opportunity_id)
    return found


def list_last_seen(*, run_id: int, since: datetime, limit: int) -> dict[str, tuple[str, str]]:
    """Return how each route that was not traded was last written down: decision and reason.

    Args:
        run_id: of the run.
        since: rows before this moment are not looked at.
        limit: at most so many of the newest rows are looked at.
    """
    rows = (
        Opportunity.objects.filter(run_id=run_id, detected_at__gte=since)
        .exclude(decision=Decision.EXECUTED)
        .order_by("-id")
        .values_list("route", "decision", "reason")[:limit]
    )
    seen: dict[str, tuple[str, str]] = {}
    for route, decision, reason in rows:
        seen.setdefault(route, (decision, reason))
    return seen


def read_evidence(opportunity_id: int) -> Any:
    """Return the evidence of an opportunity, and nothing else of it; empty when it is gone."""
    rows = Opportunity.objects.order_by().filter(pk=opportunity_id)
    return rows.values_list("evidence", flat=True).first() or {}


def count_orders(strategy_id: int) -> int:
    """Return how many orders a strategy has written."""
    return Order.objects.filter(strategy_id=strategy_id).count()


def list_stopping(*, limit: int) -> Sequence[int]:
    """Return ids of strategies that are to stop and wait for a tick to end."""
    rows = Strategy.objects.filter(state=StrategyState.STOPPING).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def list_expired_ticks(*, now: datetime, limit: int) -> QuerySet[Strategy]:
    """Return strategies whose scheduled tick began and never ended.

    One that holds for longer than any was claimed by a clock that was ahead.
    """
    is_over = Q(tick_expires_at__lt=now) | Q(tick_expires_at__gt=now + PLANNED_MAX)
    rows = Strategy.objects.filter(is_over, driver=StrategyDriver.SCHEDULE)
    return rows.exclude(tick_token="")[:limit]


def list_misaligned(*, limit: int) -> Sequence[int]:
    """Return ids of strategies whose schedule does not agree with their state."""
    is_wanted = Q(state=StrategyState.RUNNING, driver=StrategyDriver.SCHEDULE)
    is_scheduled = Q(periodic_task__enabled=True)
    rows = Strategy.objects.filter((is_wanted & ~is_scheduled) | (~is_wanted & is_scheduled))
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def list_recent_causes(*, strategy_id: int, event: str, since: datetime) -> set[str]:
    """Return the causes that log lines of one kind have named since a moment."""
    return map_recent_causes([strategy_id], event=event, since=since)[strategy_id]


def map_recent_causes(
    strategy_ids: Collection[int], *, event: str, since: datetime
) -> dict[int, set[str]]:
    """Return the same of several strategies."""
    rows = LogEntry.objects.filter(strategy_id__in=strategy_ids, event=event, created_at__gte=since)
    newest = rows.order_by("-id").values_list("strategy_id", "context")
    causes: dict[int, set[str]] = {pk: set() for pk in strategy_ids}
    for pk, context in newest[: LATEST_MAX * len(causes)]:
        causes[pk].add(str(context.get("cause", "")))
    return causes


def list_latest_logs(*, strategy_id: int, limit: int) -> list[LogEntry]:
    """Return the newest log lines of a strategy, newest first."""
    rows = LogEntry.objects.filter(strategy_id=strategy_id).order_by("-id")
    return list(rows[: min(limit, LATEST_MAX)])


def list_latest_trades(*, strategy_id: int, limit: int) -> list[Fill]:
    """Return the newest fills of a strategy, newest first."""
    rows = Fill.objects.select_related("market__venue", "fee_asset", "order")
    rows = rows.filter(strategy_id=strategy_id).order_by("-executed_at", "-id")
    return list(rows[: min(limit, LATEST_MAX)])
