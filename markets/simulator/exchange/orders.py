"""Orders, trades and refusals as the matching engine knows them."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from markets.domain.orders import OrderKind, Side, TimeInForce

if TYPE_CHECKING:
    from markets.simulator.exchange.accounts import Account
    from markets.simulator.exchange.listing import Listing


class OrderStatus(StrEnum):
    """Where an order stands."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    """Ended by its own terms: remainder of IOC and market orders, a FOK that did not fit."""
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
    """Ended because it would have traded with an order of the same account."""
    REJECTED = "REJECTED"
    """Given an id, and not taken all the same."""


LIVE_STATUSES = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


class SelfTrade(StrEnum):
    """What happens when an order meets another one of the same account."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


DEFAULT_SELF_TRADE = SelfTrade.EXPIRE_MAKER
"""The real exchange's default: the resting order expires, the new one trades on."""


class Refusal(StrEnum):
    """Why an order is not accepted."""

    PRICE_FILTER = "price is off the tick grid or not positive"
    LOT_SIZE = "quantity is off the lot grid or out of bounds"
    NOTIONAL = "price x quantity is too small"
    MAX_NUM_ORDERS = "too many open orders"
    INSUFFICIENT_BALANCE = "not enough free balance"
    DUPLICATE_CLIENT_ID = "the client order id was used before"
    WOULD_TAKE = "a post-only order would trade at once"
    MARKET_CLOSED = "the market is suspended"
    NO_LIQUIDITY = "nothing to trade with on the other side"


class OrderRefused(Exception):
    """The engine does not take the order; nothing was changed.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as its owner asks for it, in exact decimals.

    Attributes:
        side: buy or sell.
        quantity: [base]; ``None`` for a market order by ``quote_quantity``.
        price: limit [quote per base]; ``None`` for a market order.
        kind: limit or market.
        time_in_force: how long a limit order may rest; ``POST_ONLY`` never takes.
        client_id: the owner's own id, unique for ever within the account.
        quote_quantity: what a market order spends or brings in [quote].
        self_trade: what to do when it meets an order of the same account.
    """

    side: Side
    quantity: Decimal | None
    price: Decimal | None = None
    kind: OrderKind = OrderKind.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    client_id: str = ""
    quote_quantity: Decimal | None = None
    self_trade: SelfTrade = DEFAULT_SELF_TRADE


@dataclass(slots=True, eq=False)
class Order:
    """An accepted order.

    Attributes:
        id: the venue's id.
        client_id: the owner's id.
        account, listing: whose and where.
        is_buy: side.
        kind, time_in_force: as asked.
        price: limit [ticks]; 0 for a market order.
        quantity: ordered [lots].
        remaining: not traded yet [lots].
        cost: paid or received so far [quote units].
        quote_quantity: of a market order by quote amount [quote units]; else 0.
        status: where it stands.
        self_trade: as asked.
        created_ms, updated_ms: [ms since epoch].
    """

    id: int
    account: "Account"
    listing: "Listing"
    is_buy: bool
    price: int
    quantity: int
    remaining: int
    created_ms: int
    updated_ms: int
    client_id: str = ""
    kind: OrderKind = OrderKind.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    quote_quantity: int = 0
    self_trade: SelfTrade = DEFAULT_SELF_TRADE
    cost: int = 0
    status: OrderStatus = OrderStatus.NEW

    @property
    def executed(self) -> int:
        """What was traded so far [lots]."""
        return self.quantity - self.remaining

    @property
    def key(self) -> int:
        """The key of its level on its own side of the book."""
        return self.price if self.is_buy else -self.price

    @property
    def held(self) -> int:
        """What the rest of the order locks, if it rests [units of the asset it gives]."""
        if self.is_buy:
            return self.remaining * self.price * self.listing.cost_unit
        return self.remaining * self.listing.lot_units


@dataclass(slots=True, eq=False)
class Trade:
    """One execution: two orders, one price.

    Attributes:
        id: the venue's id, rising.
        maker, taker: the resting order and the one that came.
        price: [ticks].
        quantity: [lots].
        cost: [quote units].
        at_ms: [ms since epoch].
    """

    id: int
    maker: Order
    taker: Order
    price: int
    quantity: int
    cost: int
    at_ms: int


@dataclass(slots=True, eq=False)
class Execution:
    """A trade as one of its two parties sees it.

    Attributes:
        id: the trade's id.
        order: the party's own order.
        price: [ticks].
        quantity: [lots].
        cost: [quote units].
        fee: in ``fee_asset`` [units].
        is_maker: whether the party's order was resting.
        at_ms: [ms since epoch].
        coin: a third coin in which the fee was taken; empty for the asset received.
    """

    id: int
    order: Order
    price: int
    quantity: int
    cost: int
    fee: int
    is_maker: bool
    at_ms: int
    coin: str = ""

    @property
    def fee_asset(self) -> str:
        """The asset of the fee: the one that the party received, or a third coin."""
        if self.coin:
            return self.coin
        listing = self.order.listing
        return listing.base if self.order.is_buy else listing.quote


@dataclass(slots=True)
class Outcome:
    """What one request to the engine changed.

    Attributes:
        order: the order it was about; ``None`` for a change of the house's quotes.
        trades: what went over the tape, in order.
        executions: the customers' sides of them.
        expired: resting orders that ended because they would have traded with their own account.
    """

    order: Order | None
    trades: list[Trade] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    expired: list[Order] = field(default_factory=list)
