"""Facts about customers as plain values: what the journal holds.

A record says what is true now (an order's state, an account's balances), never what to do: reading
it twice, or reading only a later one, cannot count anything double. Amounts are integers in
strings, because JSON readers round large numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from markets.domain.funds import Wallet
from markets.domain.orders import OrderKind, TimeInForce
from markets.simulator.exchange.accounts import Account, WalletTransfer
from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.orders import Execution, Order, OrderStatus, SelfTrade


@dataclass(slots=True)
class Facts:
    """What became true at one venue by one act.

    Attributes:
        venue: code.
        orders, executions, balances, wallet_transfers, transfers: rows.
        client_ids: by account label.
        grids: tick and lot by market id, in which the rows are counted [units].
    """

    venue: str
    orders: list[list[Any]] = field(default_factory=list)
    executions: list[list[Any]] = field(default_factory=list)
    balances: list[list[Any]] = field(default_factory=list)
    wallet_transfers: list[list[Any]] = field(default_factory=list)
    transfers: list[dict[str, Any]] = field(default_factory=list)
    client_ids: dict[str, list[str]] = field(default_factory=dict)
    grids: dict[str, list[str]] = field(default_factory=dict)

    def add_order(self, order: Order) -> None:
        """Add the present state of an order."""
        self.orders.append(order_to_row(order))

    def add_execution(self, execution: Execution) -> None:
        """Add an execution."""
        self.executions.append(execution_to_row(execution))

    def add_balances(self, account: Account, assets: Iterable[str]) -> None:
        """Add what an account owns of ``assets`` now."""
        for asset in assets:
            self.balances.append(
                [
                    account.label,
                    asset,
                    str(account.free[asset]),
                    str(account.held[asset]),
                    str(account.funding[asset]),
                ]
            )

    def add_wallet_transfer(self, transfer: WalletTransfer) -> None:
        """Add a movement between wallets."""
        self.wallet_transfers.append(
            [
                transfer.id,
                transfer.label,
                transfer.asset,
                str(transfer.amount),
                transfer.source.value,
                transfer.target.value,
                transfer.at_ms,
            ]
        )

    def add_grids(self, listings: Iterable[Listing]) -> None:
        """Add what prices and quantities of orders are counted in."""
        for listing in listings:
            self.grids[listing.id] = [str(listing.tick_units), str(listing.lot_units)]

    def to_json_value(self) -> dict[str, Any]:
        """Return the record, empty parts left out."""
        parts: dict[str, Any] = {
            "g": self.grids,
            "c": self.client_ids,
            "o": self.orders,
            "x": self.executions,
            "b": self.balances,
            "t": self.wallet_transfers,
            "w": self.transfers,
        }
        return {"v": self.venue} | {key: rows for key, rows in parts.items() if rows}


def order_to_row(order: Order) -> list[Any]:
    """Return an order as plain values."""
    return [
        order.id,
        order.account.label,
        order.listing.id,
        order.client_id,
        order.is_buy,
        order.kind.value,
        order.time_in_force.value,
        order.price,
        order.quantity,
        order.remaining,
        str(order.cost),
        str(order.quote_quantity),
        order.status.value,
        order.self_trade.value,
        order.created_ms,
        order.updated_ms,
    ]


def order_from_row(row: list[Any], account: Account, listing: Listing) -> Order:
    """Return the order of a row."""
    return Order(
        id=row[0],
        account=account,
        listing=listing,
        client_id=row[3],
        is_buy=row[4],
        kind=OrderKind(row[5]),
        time_in_force=TimeInForce(row[6]),
        price=row[7],
        quantity=row[8],
        remaining=row[9],
        cost=int(row[10]),
        quote_quantity=int(row[11]),
        status=OrderStatus(row[12]),
        self_trade=SelfTrade(row[13]),
        created_ms=row[14],
        updated_ms=row[15],
    )


FIELDS_WITHOUT_COIN = 9
"""Of the row of an execution whose fee was taken in the asset received."""


def execution_to_row(execution: Execution) -> list[Any]:
    """Return an execution as plain values."""
    coin = [execution.coin] if execution.coin else []
    return [
        execution.id,
        execution.order.account.label,
        execution.order.id,
        execution.price,
        execution.quantity,
        str(execution.cost),
        str(execution.fee),
        execution.is_maker,
        execution.at_ms,
        *coin,
    ]


def execution_from_row(row: list[Any], order: Order) -> Execution:
    """Return the execution of a row."""
    return Execution(
        id=row[0],
        order=order,
        price=row[3],
        quantity=row[4],
        cost=int(row[5]),
        fee=int(row[6]),
        is_maker=row[7],
        at_ms=row[8],
        coin=row[9] if len(row) > FIELDS_WITHOUT_COIN else "",
    )


def wallet_transfer_from_row(row: list[Any]) -> WalletTransfer:
    """Return the wallet transfer of a row."""
    return WalletTransfer(
        id=row[0],
        label=row[1],
        asset=row[2],
        amount=int(row[3]),
        source=Wallet(row[4]),
        target=Wallet(row[5]),
        at_ms=row[6],
    )
