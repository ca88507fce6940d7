"""The figures that risk limits are compared with, read for many strategies together."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from arbplatform.core.clock import Clock, to_ms
from arbplatform.core.decimals import ONE, ZERO, Amount, to_decimal
from ledger.selectors import list_holdings, list_prices, pnl_by_strategy, start_of_utc_day
from strategies.domain.risk import Limits, RiskFigures
from strategies.selectors import (
    LeftOver,
    count_live_orders,
    count_open_executions,
    list_left_overs,
    sum_executed,
)
from strategies.services.setups import Candidate

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

_NEED_PRICES = (
    "day_notional_max",
    "unhedged_max",
    "day_loss_max",
    "order_notional_max",
    "venue_share_max",
    "price_band_bps",
    "unhedged_seconds_max",
    "position_max",
)


def read_figures(
    candidates: Sequence[Candidate], limits: Mapping[int, Limits], clock: Clock
) -> dict[int, RiskFigures]:
    """Return what the limits of strategies need, and nothing else: it is read before each decision.

    Args:
        candidates: strategies that are about to decide.
        limits: that are in force for each.
        clock: tells the time.
    """

    def limited(*names: str) -> list[int]:
        """Return the strategies for which one of these limits is set."""
        return [
            pk
            for pk, each in limits.items()
            if any(getattr(each, name) is not None for name in names)
        ]

    now = clock.now()
    midnight = start_of_utc_day(now)
    with_prices = frozenset(limited(*_NEED_PRICES))
    with_held = frozenset(limited("venue_share_max", "position_max"))
    by_orders = frozenset(limited("open_orders_max"))
    prices = list_prices(now=now) if with_prices else {}
    held = _read_held() if with_held else {}
    notional = _if_any(limited("day_notional_max"), lambda ids: sum_executed(ids, since=midnight))
    results = _if_any(
        limited("day_loss_max"), lambda ids: pnl_by_strategy(midnight, strategy_ids=ids)
    )
    left = _if_any(
        limited("unhedged_max", "unhedged_seconds_max"),
        lambda ids: list_left_overs(ids, since=midnight),
    )
    executions = _if_any(limited("open_executions_max"), count_open_executions)
    orders = _if_any(
        [
            account.pk
            for each in candidates
            if each.strategy_id in by_orders
            for account in each.setup.accounts.values()
        ],
        count_live_orders,
    )
    figures = {}
    for each in candidates:
        pk = each.strategy_id
        rows = left.get(pk, ())
        figures[pk] = RiskFigures(
            prices=prices if pk in with_prices else {},
            day_notional=notional.get(pk, {}),
            open_executions=executions.get(pk, 0),
            left_over=_add_up(rows, lambda _row: ONE),
            left_over_seconds=_add_up(rows, lambda row: _age_s(row, now)),
            day_result=results.get(pk, {}),
            held=held if pk in with_held else {},
            open_orders={
                code: orders[account.pk]
                for code, account in each.setup.accounts.items()
                if pk in by_orders and account.pk in orders
            },
        )
    return figures


def _if_any(
    ids: Sequence[int], read: Callable[[Sequence[int]], Mapping[KeyT, ValueT]]
) -> Mapping[KeyT, ValueT]:
    return read(ids) if ids else {}


def _read_held() -> dict[str, dict[str, Amount]]:
    held: defaultdict[str, dict[str, Amount]] = defaultdict(dict)
    for holding in list_holdings():
        amounts = held[holding.venue]
        amounts[holding.asset] = amounts.get(holding.asset, ZERO) + holding.amount
    return dict(held)


def _add_up(rows: Sequence[LeftOver], weight: Callable[[LeftOver], Amount]) -> dict[str, Amount]:
    """Return left-overs by asset: what one execution bought too much another sold too much."""
    totals: defaultdict[str, Amount] = defaultdict(lambda: ZERO)
    for row in rows:
        factor = weight(row)
        for asset, amount in row.residuals.items():
            totals[asset] += to_decimal(amount) * factor
    return dict(totals)


def _age_s(row: LeftOver, now: datetime) -> Amount:
    return Amount(max(0, to_ms(now) - to_ms(row.created_at))) / 1000
