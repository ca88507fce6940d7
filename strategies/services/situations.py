"""What the leg table needs to know about an execution, read from plan, orders and ledger."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.services.balances import sync_balances
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.decimals import ONE, ZERO, Amount, Fraction, to_decimal
from arbplatform.core.errors import ArbError
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import execution_movements, order_movements, spendable_balances
from markets.domain.book import Book
from markets.domain.funds import Wallet
from markets.domain.orders import Side
from markets.errors import InsufficientFunds
from markets.models import Market
from markets.services.data import fetch_books
from strategies.domain.outcomes import Outcome, are_as_planned, planned_leftovers
from strategies.domain.repair import Action, LegState, Situation
from strategies.domain.repricing import Means
from strategies.models import Execution
from strategies.plugins.taking import LOSS_BPS_DEFAULT
from strategies.sdk import MarketKey
from strategies.selectors import list_legs, list_markets_of, list_outcomes

logger = logging.getLogger(__name__)

REFUSALS_MAX = 2
"""After so many refused orders on one side of a leg the other ways out are taken."""

ROOM_ORDERS = 3
"""After so many orders of a repair the next ones have all the room that the limit leaves."""

BOOK_DEPTH = 50
"""Levels of each side that a repair looks at."""

BOOK_AGE_MS_MAX = 2_000
"""A book that came longer ago is asked for once more before a repair decides [ms]."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An execution with the rows that a repair needs.

    Attributes:
        situation: for the leg table.
        orders: all that were written, by leg and attempt.
        markets: of each leg of the plan.
        account_ids: whose orders they are, by venue code.
    """

    situation: Situation
    orders: Sequence[Order]
    markets: Sequence[Market]
    account_ids: Mapping[str, int]


def read_scene(execution: Execution) -> Scene:
    """Return what is known of an execution now, by our own books."""
    orders = list_legs(execution.pk)
    outcomes = list_outcomes(execution.pk)
    keys = [MarketKey(leg["venue"], leg["symbol"]) for leg in execution.plan]
    found = list_markets_of(keys)
    markets = [found[key] for key in keys]
    filled = [order for order in orders if order.filled_quantity]
    situation = Situation(
        legs=[
            _leg_state(index, leg, market, [row for row in filled if row.leg_index == index])
            for index, (leg, market) in enumerate(zip(execution.plan, markets, strict=True))
        ],
        movements=_own_movements(execution, markets, outcomes),
        profit_asset=execution.profit_asset.code,
        is_live=any(outcome.is_open for outcome in outcomes),
        is_empty=not filled,
        is_as_planned=are_as_planned(outcomes, execution.plan),
        planned=planned_leftovers(
            execution.plan, [(market.base.code, market.quote.code) for market in markets]
        ),
        is_reversed=any(order.side != execution.plan[order.leg_index]["side"] for order in filled),
    )
    account_ids = {order.market.venue.code: order.account_id for order in orders}
    return Scene(situation, orders, markets, account_ids)


def _own_movements(
    execution: Execution, markets: Sequence[Market], outcomes: Sequence[Outcome]
) -> dict[str, Amount]:
    """Return what an execution moved, without the dust of earlier ones that it was to sell.

    That comes first: only what was sold beyond it counts for the arbitrage itself.
    """
    movements = dict(execution_movements(execution.pk))
    for index, (leg, market) in enumerate(zip(execution.plan, markets, strict=True)):
        carried = to_decimal(leg.get("carried", "0"))
        sold = sum(
            (
                row.filled - row.voided
                for row in outcomes
                if row.leg_index == index and row.side == leg["side"]
            ),
            ZERO,
        )
        if carried and sold:
            code = market.base.code
            movements[code] = movements.get(code, ZERO) + min(carried, sold)
    return movements


def count_repairs(execution: Execution, orders: Sequence[Order]) -> int:
    """Return how many orders the repair has sent since it began, or was begun anew."""
    reopened_after = _find_reopening(execution)
    if reopened_after is None:
        return len(orders) - len({row.leg_index for row in orders})
    return sum(order.pk > reopened_after for order in orders)


def read_means(execution: Execution, scene: Scene, *, is_anew: bool = False) -> Means:
    """Return fresh books, what the accounts hold, and the loss that the run allows.

    The first order of a repair names the price that was seen. Where books move faster than an order
    travels it meets nothing, however often it is sent, so those after it have more room.

    Args:
        execution: to repair.
        scene: what is known of it.
        is_anew: as if its repair were begun anew now: earlier orders and refusals do not count.
    """
    sent_count = 0 if is_anew else count_repairs(execution, scene.orders)
    reopened_after = _find_reopening(execution)
    judged = [row for row in scene.orders if reopened_after is None or row.pk > reopened_after]
    enabled = {
        index: market for index, market in enumerate(scene.markets) if market.venue.is_enabled
    }
    found = _fetch_books(list(enabled.values()))
    books = {
        index: found[market.venue.code, market.symbol]
        for index, market in enabled.items()
        if (market.venue.code, market.symbol) in found
        and not found[market.venue.code, market.symbol].is_crossed
    }
    balances = {
        code: _free_of(account_id, scene.orders) for code, account_id in scene.account_ids.items()
    }
    return Means(
        books=books,
        free={
            index: balances.get(market.venue.code, {}) for index, market in enumerate(scene.markets)
        },
        max_loss_bps=max_loss_bps(execution),
        room=min(Fraction(sent_count) / ROOM_ORDERS, ONE),
        refused=_find_refused([] if is_anew else judged),
    )


def _fetch_books(markets: Sequence[Market]) -> dict[tuple[str, str], Book]:
    """Return books that show what a repair did a moment ago: the venues themselves are asked.

    While one of them hangs, the books of the others grow old, so these are asked for once more: at
    the prices of ten seconds ago an order meets nothing.
    """
    wanted = list(dict.fromkeys((market.venue, market.symbol) for market in markets))
    found = fetch_books(wanted, depth=BOOK_DEPTH, is_live_enough=False).books
    before_ms = SYSTEM_CLOCK.now_ms() - BOOK_AGE_MS_MAX
    old = [
        (venue, symbol)
        for venue, symbol in wanted
        if (venue.code, symbol) in found and found[venue.code, symbol].received_at_ms < before_ms
    ]
    newer = fetch_books(old, depth=BOOK_DEPTH, is_live_enough=False, wait_ms=BOOK_AGE_MS_MAX).books
    return {**found, **newer}


def _free_of(account_id: int, orders: Sequence[Order]) -> Mapping[str, Amount]:
    """Return what an account may spend by the books.

    Once its venue has said that there is less, no more than it states now: somebody may have moved
    funds without the platform, and the same order would only be refused again.
    """
    free = spendable_balances(account_id)
    if not any(
        order.account_id == account_id and order.error_code == InsufficientFunds.code
        for order in orders
    ):
        return free
    try:
        stated = sync_balances(account_id=account_id)
    except ArbError as error:
        logger.warning("Account %s: what it holds could not be read: %s", account_id, error)
        return free
    there = {row.asset.code: row.free for row in stated if row.wallet == Wallet.SPOT}
    return {code: min(amount, there.get(code, ZERO)) for code, amount in free.items()}


def _find_reopening(execution: Execution) -> int | None:
    """Return the id of the last order before a person had the repair begun anew, if one has.

    Only so many steps are kept. Should this one be gone, all orders count: too many rather than
    too few.
    """
    for step in reversed(execution.steps):
        if step["action"] == Action.REOPEN:
            return int(step["after_order_id"])
    return None


def _find_refused(orders: Sequence[Order]) -> frozenset[tuple[int, Side]]:
    """Return what venues refused too often; an order that was given up unsent does not count."""
    refusals = Counter(
        (order.leg_index, Side(order.side))
        for order in orders
        if order.state == OrderState.REJECTED and order.submitted_at is not None
    )
    return frozenset(key for key, count in refusals.items() if count >= REFUSALS_MAX)


def _leg_state(
    index: int, leg: Mapping[str, Any], market: Market, filled: Sequence[Order]
) -> LegState:
    rules = market.to_rules()
    side = Side(leg["side"])
    spent_asset, received_asset = rules.base, rules.quote
    if side is Side.BUY:
        spent_asset, received_asset = received_asset, spent_asset
    spent = received = ZERO
    for order in filled:
        if order.side == side:
            movements = order_movements(order.pk)
            spent -= movements.get(spent_asset, ZERO)
            received += movements.get(received_asset, ZERO)
    if spent <= 0 or received <= 0:
        spent = to_decimal(leg["expected_spent"])
        received = to_decimal(leg["expected_received"])
    return LegState(
        index=index,
        rules=rules,
        side=side,
        limit_price=to_decimal(leg["limit_price"]),
        spent=spent,
        received=received,
    )


def max_loss_bps(execution: Execution) -> Amount:
    """Return the limit of the run; the default for a type that has none or is gone."""
    if "max_loss_bps" not in execution.run.params:
        return LOSS_BPS_DEFAULT
    return to_decimal(execution.run.params["max_loss_bps"])
