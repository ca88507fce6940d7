"""Queries about engine processes and the leases that they hold."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from ledger.domain.orders import PLANNED_MAX
from strategies.domain.states import ExecutionState, StrategyDriver, StrategyState
from strategies.models import EngineProcess, Execution, Run, Strategy
from strategies.selectors.executions import IS_NOT_OVER, list_not_over

REVOKED: Final = "revoked"
"""What the token of a lease begins with that was taken from its engine."""


def list_engines() -> QuerySet[EngineProcess]:
    """Return what is known of engine processes, newest first."""
    return EngineProcess.objects.order_by("-id")


def count_live_engines(*, now: datetime, lease: timedelta, besides: str = "") -> int:
    """Return how many engines live and take strategies.

    Args:
        now: the database's time.
        lease: how old a sign of life may be.
        besides: an engine that is not counted.
    """
    rows = EngineProcess.objects.filter(
        heartbeat_at__gt=now - lease, draining_at__isnull=True, stopped_at__isnull=True
    )
    return rows.exclude(name=besides).count()


def find_last_sign_of_life() -> datetime | None:
    """Return when an engine last showed itself, if one ever did."""
    rows = EngineProcess.objects.order_by("-heartbeat_at")
    return rows.values_list("heartbeat_at", flat=True).first()


def count_streams() -> int:
    """Return how many running strategies are driven by streams."""
    return Strategy.objects.filter(
        state=StrategyState.RUNNING, driver=StrategyDriver.STREAM
    ).count()


def count_unheld_streams(*, now: datetime) -> int:
    """Return how many running strategies on streams no engine holds at this moment."""
    rows = Strategy.objects.filter(state=StrategyState.RUNNING, driver=StrategyDriver.STREAM)
    return rows.filter(is_free(now)).count()


def list_held(*, now: datetime) -> dict[str, list[int]]:
    """Return which strategies each engine holds at this moment, by its name."""
    rows = Strategy.objects.filter(tick_expires_at__gt=now).exclude(lease_holder="")
    rows = rows.exclude(tick_token="").order_by("pk")
    held: dict[str, list[int]] = {}
    for pk, name in rows.values_list("pk", "lease_holder"):
        held.setdefault(name, []).append(pk)
    return held


def is_free(now: datetime) -> Q:
    """Return what a strategy must be for anybody to claim it: unclaimed, or its claim is over.

    One that holds for longer than any was claimed by a clock that was ahead.
    """
    is_over = Q(tick_expires_at__lte=now) | Q(tick_expires_at__gt=now + PLANNED_MAX)
    return Q(tick_token="") | Q(tick_expires_at__isnull=True) | is_over


def lock_free_streams(
    *, now: datetime, limit: int, besides: Collection[int] = (), holder: str = ""
) -> list[Strategy]:
    """Return running strategies on streams that nobody holds, locked.

    Rows that somebody else has locked are left out: two engines never wait for each other, and a
    strategy for which something is just being written is not taken before that is committed.

    Args:
        now: the database's time.
        limit: at most so many.
        besides: not these.
        holder: an engine; those come first that use an account which one of its strategies uses:
            it listens to their venues already.
    """
    uses = Strategy.accounts.through.objects
    known = uses.filter(strategy__lease_holder=holder).values("venueaccount_id")
    is_near = Exists(uses.filter(strategy_id=OuterRef("pk"), venueaccount_id__in=known))
    rows = Strategy.objects.filter(
        is_free(now), state=StrategyState.RUNNING, driver=StrategyDriver.STREAM
    ).exclude(pk__in=besides)
    rows = rows.only("pk", "tick_token", "tick_expires_at", "lease_fence", "lease_holder")
    rows = rows.select_for_update(skip_locked=True).order_by(is_near.desc(), "pk")
    return list(rows[:limit])


def list_by_accounts(strategy_ids: Collection[int]) -> list[int]:
    """Return strategies so that those on the same accounts stand side by side."""
    rows = Strategy.objects.filter(pk__in=strategy_ids).annotate(first=Min("accounts"))
    return list(rows.order_by("first", "pk").values_list("pk", flat=True))


def lock_claimed(tokens: Mapping[int, str], *, is_patient: bool) -> list[int]:
    """Return which strategies still bear these tokens, locked until the transaction ends.

    Args:
        tokens: by id of the strategy.
        is_patient: whether rows that others lock are waited for, or else left out.
    """
    rows = Strategy.objects.filter(pk__in=tokens, tick_token__in=set(tokens.values()))
    rows = rows.select_for_update(skip_locked=not is_patient, no_key=True).order_by("pk")
    found = rows.values_list("pk", "tick_token")
    return [pk for pk, token in found if tokens[pk] == token]


def list_claimed(tokens: Mapping[int, str]) -> dict[int, datetime | None]:
    """Return which strategies still bear these tokens, and until when.

    Args:
        tokens: by id of the strategy.
    """
    rows = Strategy.objects.filter(pk__in=tokens, tick_token__in=set(tokens.values())).order_by()
    found = rows.values_list("pk", "tick_token", "tick_expires_at")
    return {pk: expires_at for pk, token, expires_at in found if tokens[pk] == token}


def map_open_runs(strategy_ids: Collection[int]) -> dict[int, int]:
    """Return the open run of each strategy that has one, by strategy."""
    rows = Run.objects.filter(strategy_id__in=strategy_ids, stopped_at__isnull=True).order_by()
    return dict(rows.values_list("strategy_id", "pk"))


def map_starts(run_ids: Collection[int]) -> dict[int, datetime]:
    """Return when runs were started, of those that are open."""
    rows = Run.objects.filter(pk__in=run_ids, stopped_at__isnull=True).order_by()
    return dict(rows.values_list("pk", "started_at"))


def list_unfit(runs: Mapping[int, int]) -> list[int]:
    """Return which strategies an engine has to give up: they do not run, or in another run.

    Args:
        runs: the run in which the engine took each, by strategy.
    """
    rows = Run.objects.filter(
        stopped_at__isnull=True,
        strategy_id__in=runs,
        strategy__state=StrategyState.RUNNING,
        strategy__driver=StrategyDriver.STREAM,
    ).order_by()
    fit = {pk for pk, run_id in rows.values_list("strategy_id", "pk") if runs[pk] == run_id}
    return [pk for pk in runs if pk not in fit]


def list_begun_executions(strategy_ids: Collection[int]) -> list[Execution]:
    """Return the executions of some strategies that are not settled, oldest first."""
    rows = Execution.objects.select_related("strategy").filter(
        IS_NOT_OVER,
        strategy_id__in=strategy_ids,
        state__in=(ExecutionState.EXECUTING, ExecutionState.INCOMPLETE),
    )
    return list(rows.order_by("id"))


def list_stuck_leases(*, before: datetime, limit: int) -> list[tuple[int, str]]:
    """Return leases of engines under which an execution was begun and then left alone.

    Args:
        before: nothing of the execution has changed since this moment.
        limit: at most so many.

    Returns:
        Strategy and token of each.
    """
    rows = (
        list_not_over()
        .filter(state=ExecutionState.EXECUTING, lease_fence__gt=0)
        .exclude(strategy__tick_token="")
        .exclude(strategy__tick_token__startswith=REVOKED)
        .annotate(last_order_at=Coalesce(Max("orders__updated_at"), "created_at"))
        .filter(created_at__lt=before, last_order_at__lt=before)
        .order_by("id")
    )
    found = rows.values_list(
        "strategy_id", "strategy__tick_token", "lease_fence", "strategy__lease_fence"
    )[:limit]
    return [(pk, token) for pk, token, ours, newest in found if ours == newest]


def list_account_ids(strategy_ids: Collection[int]) -> list[int]:
    """Return the ids of the accounts that strategies use, each once."""
    rows = Strategy.objects.filter(pk__in=strategy_ids, accounts__isnull=False)
    return sorted(set(rows.order_by().values_list("accounts", flat=True)))
