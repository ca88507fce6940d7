"""What the owner of an account hears: orders, executions, balances, as they happen."""

from collections.abc import Iterable, Iterator
from typing import Any

from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.orders import LIVE_STATUSES, Execution, Order, OrderStatus, Outcome
from markets.simulator.exchange.units import format_units
from markets.simulator.faults.feeds import USER, Wire, is_silent, target_of
from markets.simulator.faults.plan import FaultPlan
from markets.simulator.protocol.connection import Connection
from markets.simulator.protocol.forms import (
    NO_ORDER_LIST,
    price_text,
    quantity_text,
    side_text,
    time_in_force_text,
    type_text,
)

_NO_TRADE = -1


class UserStreams:
    """Who listens to which account of one venue.

    A listener that subscribed over a request socket has a number, with which its events are
    wrapped; one that came by listen key has that.
    """

    def __init__(self, faults: FaultPlan) -> None:
        self._faults = faults
        self._wire = Wire(faults)
        self._listeners: dict[str, dict[Connection, int | str]] = {}

    @property
    def is_heard(self) -> bool:
        """Whether anyone listens at all."""
        return bool(self._listeners)

    def subscribe(self, label: str, connection: Connection, number: int | str) -> None:
        """Let a connection listen to an account."""
        self._listeners.setdefault(label, {})[connection] = number

    def unsubscribe(self, connection: Connection) -> None:
        """Let a connection listen no more."""
        for label in [one for one, found in self._listeners.items() if connection in found]:
            del self._listeners[label][connection]
            if not self._listeners[label]:
                del self._listeners[label]
                self._wire.forget(label)

    def send(self, account: Account, event: dict[str, Any]) -> None:
        """Tell the account's listeners."""
        listeners = self._listeners.get(account.label, {})
        target = target_of(stream=USER, account=account.label)
        if is_silent(self._faults, target):
            return
        for arriving in self._wire.carry(account.label, event, target=target, listeners=listeners):
            for connection, number in list(listeners.items()):
                if isinstance(number, int):
                    connection.send({"subscriptionId": number, "event": arriving})
                elif connection.is_combined:
                    connection.send({"stream": number, "data": arriving})
                else:
                    connection.send(arriving)


def events_of_outcome(outcome: Outcome, now_ms: int) -> Iterator[tuple[Account, dict[str, Any]]]:
    """Yield every account's events of one act, in the order in which things happened."""
    order = outcome.order
    is_own = order is not None and not order.account.is_house
    if is_own and order is not None:
        yield order.account, _report(order, "NEW", now_ms, executed=0, cost=0)
    yield from _executions(outcome.executions, now_ms)
    for expired in outcome.expired:
        yield expired.account, _report(expired, "TRADE_PREVENTION", now_ms)
    if is_own and order is not None and order.status not in _NOT_EXPIRED:
        kind = "REJECTED" if order.status is OrderStatus.REJECTED else "EXPIRED"
        yield order.account, _report(order, kind, now_ms)
    touched = [execution.order for execution in outcome.executions] + outcome.expired
    if is_own and order is not None:
        touched.append(order)
    coins = {execution.coin for execution in outcome.executions if execution.coin}
    yield from positions_of(touched, now_ms, coins)


_NOT_EXPIRED = LIVE_STATUSES | {OrderStatus.FILLED, OrderStatus.CANCELED}


def events_of_end(order: Order, now_ms: int) -> Iterator[tuple[Account, dict[str, Any]]]:
    """Yield the owner's events of a cancellation."""
    yield order.account, _report(order, "CANCELED", now_ms)
    yield from positions_of([order], now_ms)


def balance_event(asset: str, delta: int, now_ms: int) -> dict[str, Any]:
    """Return the event of a movement that no trade caused."""
    return {
        "e": "balanceUpdate",
        "E": now_ms,
        "a": asset,
        "d": format_units(delta),
        "T": now_ms,
    }


def positions_of(
    orders: Iterable[Order], now_ms: int, coins: Iterable[str] = ()
) -> Iterator[tuple[Account, dict[str, Any]]]:
    """Yield, for each owner of the orders, what it has of their assets and ``coins`` now."""
    assets_by_label: dict[str, tuple[Account, dict[str, None]]] = {}
    for order in orders:
        _, assets = assets_by_label.setdefault(order.account.label, (order.account, {}))
        assets.update(dict.fromkeys((order.listing.base, order.listing.quote, *coins)))
    for account, assets in assets_by_label.values():
        yield account, position_event(account, assets, now_ms)


def position_event(account: Account, assets: Iterable[str], now_ms: int) -> dict[str, Any]:
    """Return the event that tells what an account has of ``assets``."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [
            {
                "a": asset,
                "f": format_units(account.free[asset]),
                "l": format_units(account.held[asset]),
            }
            for asset in assets
        ],
    }


def _executions(
    executions: list[Execution], now_ms: int
) -> Iterator[tuple[Account, dict[str, Any]]]:
    """Yield executions with the order's sums as they were after each of them."""
    sums: dict[int, list[int]] = {}
    for execution in executions:
        order = execution.order
        done = sums.setdefault(order.id, [order.executed, order.cost])
        done[0] -= execution.quantity
        done[1] -= execution.cost
    for execution in executions:
        order = execution.order
        done = sums[order.id]
        done[0] += execution.quantity
        done[1] += execution.cost
        report = _report(order, "TRADE", now_ms, executed=done[0], cost=done[1])
        listing = order.listing
        report |= {
            "l": quantity_text(listing, execution.quantity),
            "L": price_text(listing, execution.price),
            "Y": format_units(execution.cost),
            "n": format_units(execution.fee),
            "N": execution.fee_asset,
            "t": execution.id,
            "m": execution.is_maker,
            "T": execution.at_ms,
        }
        yield order.account, report


def _report(
    order: Order, kind: str, now_ms: int, *, executed: int | None = None, cost: int | None = None
) -> dict[str, Any]:
    """Return an execution report; ``executed`` and ``cost`` as they were at that moment."""
    listing = order.listing
    done = order.executed if executed is None else executed
    paid = order.cost if cost is None else cost
    status = order.status
    if kind == "NEW":
        status = OrderStatus.NEW
    elif kind == "TRADE":
        is_filled = done == order.quantity
        status = OrderStatus.FILLED if is_filled else OrderStatus.PARTIALLY_FILLED
    return {
        "e": "executionReport",
        "E": now_ms,
        "s": listing.id,
        "c": order.client_id,
        "S": side_text(order),
        "o": type_text(order),
        "f": time_in_force_text(order),
        "q": quantity_text(listing, order.quantity),
        "p": price_text(listing, order.price),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": NO_ORDER_LIST,
        "C": order.client_id if kind == "CANCELED" else "",
        "x": kind,
        "X": status.value,
        "r": "NONE",
        "i": order.id,
        "l": "0.00000000",
        "z": quantity_text(listing, done),
        "L": "0.00000000",
        "n": "0",
        "N": None,
        "T": order.updated_ms,
        "t": _NO_TRADE,
        "I": order.id,
        "w": status in LIVE_STATUSES,
        "m": False,
        "M": False,
        "O": order.created_ms,
        "Z": format_units(paid),
        "Y": "0.00000000",
        "Q": format_units(order.quote_quantity),
        "W": order.created_ms,
        "V": order.self_trade.value,
    }
