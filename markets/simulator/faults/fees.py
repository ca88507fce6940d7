"""Fees in a third coin: cheaper, while the account has any of it."""

from decimal import ROUND_CEILING, Decimal

from markets.simulator.exchange.orders import Execution, Outcome
from markets.simulator.exchange.units import FEE_STEP, RATE_SCALE
from markets.simulator.faults.config import FaultConfig
from markets.simulator.faults.engine import FaultyEngine
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import FaultPlan, Thing

DISCOUNT = Decimal("0.25")


def charge_in_coin(engine: FaultyEngine, plan: FaultPlan, outcome: Outcome) -> None:
    """Take the fees of executions in the coin that the account chose, where it has enough."""
    for execution in outcome.executions:
        order = execution.order
        target = Thing(market_id=order.listing.id, account=order.account.label)
        fault = plan.shows(FaultKind.FEE_COIN, target)
        if fault is None:
            continue
        amount = _amount_of(engine, execution, fault)
        free = order.account.free
        if amount is None or free[fault.coin] < amount:
            continue
        plan.state(FaultKind.FEE_COIN, target)
        received = execution.fee_asset
        free[received] += execution.fee
        engine.fees[received] -= execution.fee
        free[fault.coin] -= amount
        engine.fees[fault.coin] += amount
        execution.fee, execution.coin = amount, fault.coin


def discount_of(fault: FaultConfig | None) -> Decimal:
    """Return the discount on fees in the coin [fraction]; none without a coin."""
    if fault is None:
        return Decimal(0)
    return DISCOUNT if fault.discount is None else fault.discount


def _amount_of(engine: FaultyEngine, execution: Execution, fault: FaultConfig) -> int | None:
    """Return the fee [units of the coin]; ``None`` when nobody knows what the coin is worth."""
    listing = execution.order.listing
    price = _price_of(engine, fault, listing.quote)
    if not price:
        return None
    rate = listing.maker_rate if execution.is_maker else listing.taker_rate
    value = Decimal(execution.cost) * rate / RATE_SCALE * (1 - discount_of(fault))
    steps = (value / price / FEE_STEP).to_integral_value(rounding=ROUND_CEILING)
    return int(steps) * FEE_STEP


def _price_of(engine: FaultyEngine, fault: FaultConfig, quote: str) -> Decimal | None:
    """Return what the coin costs [quote per coin]."""
    if fault.price is not None:
        return fault.price
    if quote == fault.coin:
        return Decimal(1)
    market = engine.listings.get(f"{fault.coin}/{quote}")
    if market is None:
        return None
    best = market.book.asks.best() or market.book.bids.best()
    ticks = best[0] if best else market.last_price
    return market.rules.tick * ticks
