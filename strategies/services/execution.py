"""Carry out an intent: the only way from a decision to orders.

Plugins cannot reach the journal; they return intents, and this module turns an intent into rows
(opportunity, execution, orders: committed) and only then into orders at the venues.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext_noop as _

from accounts.errors import FundsReserved
from accounts.models import VenueAccount
from arbplatform.background.awake import HASTE
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.crashpoints import reached
from arbplatform.core.decimals import Quantity
from arbplatform.persistence.fields import to_document
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sequences import next_ids
from ledger.domain.moments import Moments
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.errors import TradingHalted
from ledger.models import LogLevel, Order
from ledger.selectors import execution_movements, spendable_balances
from ledger.services.batches import Statement, Unmet, insertion
from ledger.services.halts import share_trading_lock
from ledger.services.journal import (
    Door,
    Draft,
    Flight,
    OrderPlan,
    send_claimed,
    submit_orders,
    write_claimed,
    write_orders,
)
from ledger.services.logs import write_log
from markets.domain.orders import OrderKind, TimeInForce
from strategies.domain.legs import next_quantity, spent_asset
from strategies.domain.states import ExecutionState
from strategies.models import Execution, Opportunity
from strategies.sdk import ExecutionMode, Intent, LegIntent, MarketKey
from strategies.services.announcements import announce_execution
from strategies.services.claims import TickClaim, extend_claim, require_claim
from strategies.services.crashpoints import CrashPoint
from strategies.services.gates import require_standing
from strategies.services.opportunities import Sighting, draft_opportunity
from strategies.services.repairs import repair_execution
from strategies.services.settlement import settle_execution
from strategies.services.setups import Setup

_Values = dict[str, Any]

_NEW_EXECUTION: Mapping[str, object] = {
    "state": ExecutionState.EXECUTING.value,
    "residuals": "{}",
    "steps": "[]",
    "fence": 0,
}
"""What every execution begins with; columns that are not named begin empty."""

_TOO_LITTLE = _(
    "Execution {execution_id} ends before leg {leg} ({symbol}): what arrived is below the "
    "venue's minimum and stays where it is."
)
_TURN_LOST = _(
    "Execution {execution_id} ends before leg {leg} ({symbol}): the tick took too long and lost "
    "its turn."
)
_HALTED = _(
    "Execution {execution_id} ends before leg {leg} ({symbol}): trading was halted. What the legs "
    "before it brought stays where it is."
)
_RESERVED = _(
    "Execution {execution_id} ends before leg {leg} ({symbol}): what it would spend was set aside "
    "for other orders in the meantime. What the legs before it brought stays where it is."
)


@dataclass(frozen=True, slots=True)
class Engagement:
    """In whose name an intent is carried out.

    Attributes:
        claim: the tick's right to send orders.
        setup: accounts, markets and rules of the strategy.
        sighting: what was seen.
        accounts: by venue code, with their secrets.
        clock: tells the time.
        moments: where to note when each step was passed, if somebody wants to know.
        doors: gateways by account id, as far as they are open already.
    """

    claim: TickClaim
    setup: Setup
    sighting: Sighting
    accounts: Mapping[str, VenueAccount]
    clock: Clock
    moments: Moments | None = None
    doors: Mapping[int, Door] = field(default_factory=dict)


def execute_intent(*, engagement: Engagement, intent: Intent) -> Execution:
    """Write an intent down, send its orders and settle what came of them.

    Legs in parallel are all written and sent at once. Legs in sequence are written and sent one
    after the other, each for no more than what the one before brought; the sequence ends when
    nothing arrived, when too little is left for the venue, or when an outcome is not known.
    Their limit prices are those of the plan: an order that would lose what the plan had counted on
    does not trade, and the venue is the one who checks that, on the newest book there is. What
    falls short is then repaired on fresh books: completed, reversed or held.

    Args:
        engagement: in whose name; the caller has just extended its claim.
        intent: what to do.

    Returns:
        The execution as it stands now. No venue outcome raises.

    Raises:
        TradingHalted: trading was switched off in this moment; nothing was written.
        FundsReserved: others have set aside what it would spend; nothing was written.
        Unmet: the tick has lost its turn, or something forbids to trade; nothing was written.
    """
    is_parallel = intent.mode is ExecutionMode.PARALLEL
    first_count = len(intent.legs) if is_parallel else 1
    with HASTE:
        begun, orders, flight = _engage(engagement, intent, first_count)
    execution_id = begun["id"]
    with flight:
        reached(CrashPoint.LEGS_WRITTEN)
        orders = send_claimed(orders=orders, flight=flight, moments=engagement.moments)
    reached(CrashPoint.LEGS_SENT)
    _announce(begun)  # not before its orders have left
    if not is_parallel:
        _continue(engagement, execution_id, intent, orders[0])
    settled = settle_execution(
        execution_id=execution_id, claim=engagement.claim, clock=engagement.clock
    )
    if settled.state != ExecutionState.INCOMPLETE:
        return settled
    reached(CrashPoint.SETTLED)
    return repair_execution(execution_id=execution_id, clock=engagement.clock)


def _engage(
    engagement: Engagement, intent: Intent, first_count: int
) -> tuple[_Values, list[Order], Flight]:
    """Write opportunity, execution and first orders down, and claim the orders, all at once."""
    begun: _Values = {}
    setup = engagement.setup
    markets = [setup.markets[MarketKey(leg.venue, leg.symbol)] for leg in intent.legs]
    # of all legs: what cannot be ended is not begun
    traded = sorted({setup.accounts[leg.venue].id for leg in intent.legs})
    quantities = [leg.quantity for leg in intent.legs[:first_count]]

    def draft() -> Draft:
        # what may have to be asked for
        begun["id"] = next_ids(Execution, 1)[0]
        begun["opportunity_id"] = next_ids(Opportunity, 1)[0]
        begun["profit_asset_id"] = engagement.sighting.asset_id_of(intent)
        return Draft(
            account_ids=traded,
            strategy_id=engagement.sighting.strategy_id,
            required=[require_standing(engagement.claim, traded)],
            count=len(quantities),
            plans=lambda: _plan_legs(engagement, begun["id"], intent, quantities, start=0),
            statements=lambda: _draft_rows(engagement, intent, begun),
        )

    orders, flight = write_claimed(
        draft=draft,
        accounts={account.id: account for account in engagement.accounts.values()},
        markets={market.id: market for market in markets},
        doors=engagement.doors,
        moments=engagement.moments,
    )
    if engagement.moments is not None:
        engagement.moments.committed_ns = time.monotonic_ns()
    return begun, orders, flight


def _draft_rows(engagement: Engagement, intent: Intent, begun: _Values) -> list[Statement]:
    """Return what writes an execution and its opportunity down.

    Args:
        engagement: in whose name.
        intent: what is carried out.
        begun: ids of the execution by column; what else it begins with is added.
    """
    sighting, now = engagement.sighting, SYSTEM_CLOCK.now()
    opportunity = draft_opportunity(
        sighting=sighting,
        intent=intent,
        pk=begun["opportunity_id"],
        asset_id=begun["profit_asset_id"],
    )
    evidence = opportunity["evidence"]
    opportunity["evidence"] = to_document(evidence)
    begun |= {
        **_NEW_EXECUTION,
        "strategy_id": sighting.strategy_id,
        "run_id": sighting.run_id,
        "leg_count": len(intent.legs),
        "plan": to_document(evidence["intent"]["legs"]),
        "expected_profit": intent.expected_profit,
        "lease_fence": engagement.claim.fence,
        "lease_holder": engagement.claim.holder,
        "created_at": now,
        "updated_at": now,
    }
    return [_insertion(Opportunity, opportunity), _insertion(Execution, begun)]


def _insertion(model: type[Model], values: _Values) -> Statement:
    return insertion(model, tuple(values), [tuple(values.values())])


def _announce(begun: _Values) -> None:
    names = ("id", "strategy_id", "state", "leg_count", "expected_profit", "created_at")
    announce_execution(Execution(**{name: begun[name] for name in names}))


def _plan_legs(
    engagement: Engagement,
    execution_id: int,
    intent: Intent,
    quantities: Sequence[Quantity],
    *,
    start: int,
) -> list[OrderPlan]:
    setup = engagement.setup
    return [
        OrderPlan(
            # not ``pk``, which is looked up anew each time
            account_id=setup.accounts[leg.venue].id,
            market_id=setup.markets[MarketKey(leg.venue, leg.symbol)].id,
            strategy_id=engagement.sighting.strategy_id,
            execution_id=execution_id,
            leg_index=index,
            side=leg.side,
            quantity=quantity,
            price=leg.limit_price,
            kind=OrderKind.LIMIT,
            time_in_force=TimeInForce.IOC,
            # what follows in a sequence brings back what the first leg has exposed
            is_reducing=start > 0,
        )
        for index, (leg, quantity) in enumerate(
            zip(intent.legs[start:], quantities, strict=False), start=start
        )
    ]


def _continue(engagement: Engagement, execution_id: int, intent: Intent, order: Order) -> None:
    """Send the legs after the first, as long as the one before ended and brought something."""
    for index, leg in enumerate(intent.legs[1:], start=1):
        if OrderState(order.state) in LIVE_STATES or not order.filled_quantity:
            return
        quantity = _quantity_of(engagement, execution_id, leg)
        if quantity is None:
            _log_stopped(engagement, execution_id, index, _TOO_LITTLE, leg)
            return
        if not extend_claim(engagement.claim, clock=engagement.clock):
            _log_stopped(engagement, execution_id, index, _TURN_LOST, leg)
            return
        try:
            decided_ms = SYSTEM_CLOCK.monotonic_ms()
            plans = _plan_legs(engagement, execution_id, intent, [quantity], start=index)
            written = _write_leg(engagement, plans)
        except Unmet:
            _log_stopped(engagement, execution_id, index, _TURN_LOST, leg)
            return
        except TradingHalted:
            _log_stopped(engagement, execution_id, index, _HALTED, leg)
            return
        except FundsReserved:
            _log_stopped(engagement, execution_id, index, _RESERVED, leg)
            return
        reached(CrashPoint.NEXT_LEG_WRITTEN)
        order = submit_orders(
            order_ids=[written.pk], decided_ms=decided_ms, moments=engagement.moments
        )[0]
        reached(CrashPoint.NEXT_LEG_SENT)


@retried
@transaction.atomic
def _write_leg(engagement: Engagement, plans: Sequence[OrderPlan]) -> Order:
    """Write a later leg down while the turn is still ours: others may have taken it just now."""
    share_trading_lock()  # before any row, as everywhere
    require_claim(engagement.claim)
    return write_orders(plans=plans)[0]


def _quantity_of(engagement: Engagement, execution_id: int, leg: LegIntent) -> Quantity | None:
    rules = engagement.setup.rules[MarketKey(leg.venue, leg.symbol)]
    asset = spent_asset(leg, rules)
    account = engagement.setup.accounts[leg.venue]
    return next_quantity(
        leg=leg,
        rules=rules,
        arrived=execution_movements(execution_id).get(asset, Quantity(0)),
        free=spendable_balances(account.pk)[asset],
    )


def _log_stopped(
    engagement: Engagement, execution_id: int, index: int, template: str, leg: LegIntent
) -> None:
    write_log(
        strategy_id=engagement.sighting.strategy_id,
        level=LogLevel.WARNING,
        event="sequence_stopped",
        template=template,
        execution_id=execution_id,
        leg=index + 1,
        symbol=leg.symbol,
    )
