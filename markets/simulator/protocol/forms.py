"""How orders, trades and balances are written on the wire."""

from collections.abc import Iterable
from typing import Any

from markets.domain.orders import OrderKind, TimeInForce
from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.orders import LIVE_STATUSES, Execution, Order
from markets.simulator.exchange.units import format_units

NO_ORDER_LIST = -1


def price_text(listing: Listing, ticks: int) -> str:
    """Return a price [ticks] as text [quote per base]."""
    return format_units(ticks * listing.tick_units)


def quantity_text(listing: Listing, lots: int) -> str:
    """Return a quantity [lots] as text [base]."""
    return format_units(lots * listing.lot_units)


def type_text(order: Order) -> str:
    """Return the order type's name on the wire."""
    if order.kind is OrderKind.MARKET:
        return "MARKET"
    return "LIMIT_MAKER" if order.time_in_force is TimeInForce.POST_ONLY else "LIMIT"


def time_in_force_text(order: Order) -> str:
    """Return the time in force's name on the wire."""
    if order.time_in_force is TimeInForce.POST_ONLY:
        return "GTC"
    return order.time_in_force.value.upper()


def side_text(order: Order) -> str:
    """Return the side's name on the wire."""
    return "BUY" if order.is_buy else "SELL"


def order_core(order: Order) -> dict[str, Any]:
    """Return what every form of an order has."""
    listing = order.listing
    return {
        "symbol": listing.id,
        "orderId": order.id,
        "orderListId": NO_ORDER_LIST,
        "clientOrderId": order.client_id,
        "price": price_text(listing, order.price),
        "origQty": quantity_text(listing, order.quantity),
        "executedQty": quantity_text(listing, order.executed),
        "origQuoteOrderQty": format_units(order.quote_quantity),
        "cummulativeQuoteQty": format_units(order.cost),
        "status": order.status.value,
        "timeInForce": time_in_force_text(order),
        "type": type_text(order),
        "side": side_text(order),
        "selfTradePreventionMode": order.self_trade.value,
    }


def placed_order(order: Order, executions: Iterable[Execution], form: str) -> dict[str, Any]:
    """Return the answer to a new order.

    Args:
        order: just taken.
        executions: its own immediate ones.
        form: ``ACK``, ``RESULT`` or ``FULL``.
    """
    if form == "ACK":
        return {
            "symbol": order.listing.id,
            "orderId": order.id,
            "orderListId": NO_ORDER_LIST,
            "clientOrderId": order.client_id,
            "transactTime": order.created_ms,
        }
    made = order_core(order)
    made["transactTime"] = made["workingTime"] = order.created_ms
    if form == "FULL":
        made["fills"] = [fill_of(execution) for execution in executions]
    return made


def fill_of(execution: Execution) -> dict[str, Any]:
    """Return an execution inside the answer to a new order."""
    listing = execution.order.listing
    return {
        "price": price_text(listing, execution.price),
        "qty": quantity_text(listing, execution.quantity),
        "commission": format_units(execution.fee),
        "commissionAsset": execution.fee_asset,
        "tradeId": execution.id,
    }


def queried_order(order: Order) -> dict[str, Any]:
    """Return the answer to a look-up."""
    return order_core(order) | {
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "workingTime": order.created_ms,
        "isWorking": order.status in LIVE_STATUSES,
    }


def cancelled_order(order: Order, cancel_id: str) -> dict[str, Any]:
    """Return the answer to a cancellation: it has an id of its own."""
    return order_core(order) | {
        "origClientOrderId": order.client_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
    }


def own_trade(execution: Execution) -> dict[str, Any]:
    """Return an execution in the account's trade list."""
    order = execution.order
    listing = order.listing
    return {
        "symbol": listing.id,
        "id": execution.id,
        "orderId": order.id,
        "orderListId": NO_ORDER_LIST,
        "price": price_text(listing, execution.price),
        "qty": quantity_text(listing, execution.quantity),
        "quoteQty": format_units(execution.cost),
        "commission": format_units(execution.fee),
        "commissionAsset": execution.fee_asset,
        "time": execution.at_ms,
        "isBuyer": order.is_buy,
        "isMaker": execution.is_maker,
        "isBestMatch": True,
    }
