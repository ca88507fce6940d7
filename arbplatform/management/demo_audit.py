"""The reckoning at the end of a demo: bring everything to rest, then compare every book."""

import time
from collections import Counter
from typing import Any

from django.conf import settings

from accounts.selectors import list_accounts
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.decimals import Amount, to_plain
from arbplatform.core.errors import Message
from arbplatform.core.histograms import Histogram
from arbplatform.core.stages import Stage, merge_into
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import LogLevel
from ledger.selectors.books import (
    imbalances,
    list_holdings,
    list_total_errors,
    pnl_by_asset,
)
from ledger.selectors.equity import list_logs, value_in_reporting
from ledger.selectors.orders import count_orders, list_fills
from ledger.services.equity import take_snapshot
from ledger.services.reconciliation import compare_with_venue
from strategies.domain.states import FINISHED_STATES, ExecutionState, StrategyState
from strategies.selectors import (
    list_executions,
    list_result_errors,
    list_stopping,
    list_strategies,
)
from strategies.services.engine_stats import list_stats
from strategies.services.runs import settle_stopping, stop_strategy

SETTLE_TIMEOUT_S = 100.0
"""An order that was on its way when its sender died is given up as absent only after 45 s."""
POLL_S = 0.5
STOPPING_MAX = 1000


def settle() -> None:
    """Stop every strategy and wait, for a bounded time, until nothing moves any more."""
    for strategy in list_strategies().filter(state=StrategyState.RUNNING):
        stop_strategy(strategy_id=strategy.pk, user=None, reason=Message("The demo has ended."))
    deadline_ms = SYSTEM_CLOCK.monotonic_ms() + SETTLE_TIMEOUT_S * 1000
    while SYSTEM_CLOCK.monotonic_ms() < deadline_ms:
        for strategy_id in list_stopping(limit=STOPPING_MAX):
            settle_stopping(strategy_id=strategy_id)
        if not _count_moving():
            return
        time.sleep(POLL_S)


def audit() -> dict[str, Any]:
    """Return what was traded, and every difference between our books and the venues'."""
    take_snapshot()  # so that the profit is valued at fresh prices
    pnl = pnl_by_asset()
    worth = value_in_reporting(pnl)
    executed: Counter[str] = Counter()
    outcomes: dict[str, Counter[str]] = {}
    for slug, state in list_executions().values_list("strategy__type", "state"):
        outcomes.setdefault(slug, Counter())[state] += 1
        executed[slug] += state == ExecutionState.COMPLETED
    differences = [
        {
            "account": str(account),
            "wallet": difference.wallet,
            "asset": difference.asset,
            "booked": to_plain(difference.booked),
            "stated": to_plain(difference.stated),
        }
        for account in list_accounts()
        for difference in compare_with_venue(account_id=account.pk)
    ]
    return {
        "arbitrages": dict(executed),
        "outcomes": {slug: dict(states) for slug, states in outcomes.items()},
        "fills": list_fills().count(),
        "pnl": _plain(pnl),
        "pnl_total": to_plain(worth.total),
        "pnl_unpriced": list(worth.unpriced),
        "reporting_asset": settings.REPORTING_ASSET,
        "imbalance": _plain(imbalances() | list_total_errors() | list_result_errors()),
        "balances_compared": len(list_holdings()),
        "differences": differences,
        "orders_unknown": count_orders(OrderState.UNKNOWN),
        "orders_unfinished": sum(map(count_orders, LIVE_STATES - {OrderState.UNKNOWN})),
        "errors": list_logs().filter(level__gte=LogLevel.ERROR).count(),
        "speed": measure_speed(),
    }


def measure_speed() -> dict[str, dict[str, float]]:
    """Return how long each stage from the venues' books to booked fills took, in all engines.

    By stage, in the order of the way: how often it was measured, median and 99th percentile [µs].
    """
    total: dict[Stage, Histogram] = {}
    for stats in list_stats():
        merge_into(total, stats.stages)
    return {
        stage.value: {
            "count": total[stage].count,
            "p50_us": round(total[stage].percentile(0.5), 1),
            "p99_us": round(total[stage].percentile(0.99), 1),
        }
        for stage in Stage
        if stage in total
    }


def _count_moving() -> int:
    """Return how many strategies, orders and arbitrages have not come to rest."""
    unsettled = set(ExecutionState) - FINISHED_STATES
    return (
        len(list_stopping(limit=STOPPING_MAX))
        + sum(map(count_orders, LIVE_STATES))
        + list_executions().filter(state__in=unsettled).count()
    )


def _plain(amounts: dict[str, Amount]) -> dict[str, str]:
    return {name: to_plain(amount) for name, amount in sorted(amounts.items()) if amount}
