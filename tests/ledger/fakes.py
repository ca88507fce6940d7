"""A venue in memory behind the gateway port: it counts, it loses answers, it can be audited."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal as D
from threading import Lock
from typing import Any

from ledger.models import Order
from markets.domain.book import Book, Level
from markets.domain.funds import VenueBalance, VenueTransfer, Wallet
from markets.domain.orders import (
    OrderRequest,
    Side,
    VenueFill,
    VenueOrder,
    VenueOrderStatus,
)
from markets.errors import DuplicateClientId, NotSupportedByVenue, OrderAbsent, VenueUnavailable
from markets.gateway.base import Credentials, VenueSpec

NOW_MS = 1_767_225_600_000
FEE = D("0.001")

Hook = Callable[[OrderRequest], None]


@dataclass
class FakeVenue:
    """One account at one venue. An order executes ``fill_fraction`` of itself at its limit.

    Attributes:
        code: of the venue.
        balances: totals by wallet and asset.
        fill_fraction: part of an order that executes at once.
        rest_status: state of an order that was not wholly filled.
        before_submit: called before an order is looked at; what it raises: never arrived.
        after_submit: called when the order is accepted; what it raises: the answer is lost.
        sends_fills: whether the answer to a submission lists the executions.
        states_fee: whether executions carry their fee.
        knows_client_id: whether it looks up and echoes client ids.
        hides_orders: whether reads behave as if no order had arrived (eventual consistency).
        failures: errors that the next calls of a method raise.
        submissions: client ids in the order of their arrival, duplicates included.
        hidden: venue ids that lists of orders leave out.
        now_ms: its clock [ms since epoch].
        deposits, withdrawals, moves: what the histories of funds state.
        asked_since_ms: from when on histories were last asked for, by method [ms since epoch].
    """

    code: str
    balances: dict[Wallet, dict[str, D]] = field(
        default_factory=lambda: {
            Wallet.SPOT: {"BTC": D(2), "USDT": D(100_000)},
            Wallet.FUNDING: {},
        }
    )
    fill_fraction: D = D(1)
    rest_status: VenueOrderStatus = VenueOrderStatus.CANCELED
    before_submit: Hook | None = None
    after_submit: Hook | None = None
    sends_fills: bool = True
    states_fee: bool = True
    knows_client_id: bool = True
    hides_orders: bool = False
    fee_asset: str | None = None
    orders: dict[str, VenueOrder] = field(default_factory=dict)
    client_ids: dict[str, str] = field(default_factory=dict)
    fills: list[VenueFill] = field(default_factory=list)
    failures: dict[str, list[Exception]] = field(default_factory=lambda: defaultdict(list))
    calls: list[str] = field(default_factory=list)
    submissions: list[str] = field(default_factory=list)
    books: dict[str, Book] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    deposits: list[VenueTransfer] = field(default_factory=list)
    withdrawals: list[VenueTransfer] = field(default_factory=list)
    moves: list[tuple[Wallet, Wallet, VenueTransfer]] = field(default_factory=list)
    now_ms: int = NOW_MS
    asked_since_ms: dict[str, int | None] = field(default_factory=dict)
    on_call: Callable[[str], None] = lambda name: None
    lock: Any = field(default_factory=Lock)

    @property
    def venue(self) -> str:
        return self.code

    # the port ---------------------------------------------------------------------------------

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        self._begin("submit_order")
        if self.before_submit is not None:
            self.before_submit(request)
        with self.lock:
            self.submissions.append(request.client_order_id)
            if request.client_order_id in self.client_ids:
                raise DuplicateClientId(venue=self.code, cause="Duplicate order sent.")
            order = self._accept(request)
        if self.after_submit is not None:
            self.after_submit(request)
        return replace(order, fills=self._show(order) if self.sends_fills else ())

    def cancel_order(self, *, symbol: str, client_order_id: str) -> None:
        self._begin("cancel_order")
        order_id = self.client_ids.get(client_order_id)
        if order_id is None or self.orders[order_id].status is not VenueOrderStatus.OPEN:
            raise OrderAbsent(venue=self.code, cause="Unknown order sent.")
        self.orders[order_id] = replace(self.orders[order_id], status=VenueOrderStatus.CANCELED)

    def fetch_order(
        self, *, symbol: str, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> VenueOrder:
        self._begin("fetch_order")
        if venue_order_id is None:
            if not self.knows_client_id:
                raise NotSupportedByVenue(venue=self.code, cause="no look-up by client id")
            venue_order_id = self.client_ids.get(client_order_id or "")
        order = self.orders.get(venue_order_id or "")
        if order is None or self.hides_orders:
            raise OrderAbsent(venue=self.code, cause="Order does not exist.")
        return order

    def fetch_open_orders(self, symbol: str | None = None) -> Sequence[VenueOrder]:
        self._begin("fetch_open_orders")
        return [
            order
            for order in self.orders.values()
            if order.status is VenueOrderStatus.OPEN
            and not self.hides_orders
            and order.venue_order_id not in self.hidden
        ]

    def fetch_orders(self, symbol: str, *, since_ms: int) -> Sequence[VenueOrder]:
        self._begin("fetch_orders")
        self.asked_since_ms["fetch_orders"] = since_ms
        return [
            order
            for order in self.orders.values()
            if order.symbol == symbol
            and not self.hides_orders
            and order.venue_order_id not in self.hidden
        ]

    def fetch_fills(
        self, symbol: str, *, since_ms: int | None = None, venue_order_id: str | None = None
    ) -> Sequence[VenueFill]:
        self._begin("fetch_fills")
        self.asked_since_ms["fetch_fills"] = since_ms
        shown = [] if self.hides_orders else self.fills
        return tuple(
            self._dress(fill)
            for fill in shown
            if fill.symbol == symbol and venue_order_id in (None, fill.venue_order_id)
        )

    def fetch_balances(self, wallet: Wallet = Wallet.SPOT) -> dict[str, VenueBalance]:
        self._begin(f"fetch_balances:{wallet}")
        return {
            asset: VenueBalance(asset, total, D(0))
            for asset, total in self.balances[wallet].items()
            if total
        }

    def fetch_deposits(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        self._begin("fetch_deposits")
        return [row for row in self.deposits if row.asset == asset]

    def fetch_withdrawals(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        self._begin("fetch_withdrawals")
        return [row for row in self.withdrawals if row.asset == asset]

    def fetch_wallet_transfers(
        self, asset: str, *, from_wallet: Wallet, to_wallet: Wallet, since_ms: int | None = None
    ) -> Sequence[VenueTransfer]:
        self._begin("fetch_wallet_transfers")
        return [
            row
            for source, target, row in self.moves
            if (source, target, row.asset) == (from_wallet, to_wallet, asset)
        ]

    def fetch_book(self, symbol: str, depth: int = 20) -> Book:
        self._begin("fetch_book")
        if symbol not in self.books:
            raise VenueUnavailable(venue=self.code, cause="no book")
        return self.books[symbol]

    def close(self) -> None:
        self._begin("close")

    # what tests do to it ----------------------------------------------------------------------

    def execute(self, client_order_id: str, quantity: D) -> VenueFill:
        """Let a resting order execute a part."""
        order = self.orders[self.client_ids[client_order_id]]
        fill = self._trade(order, quantity)
        filled = order.filled_quantity + quantity
        self.orders[order.venue_order_id] = replace(
            order,
            filled_quantity=filled,
            status=VenueOrderStatus.FILLED if filled >= order.quantity else order.status,
        )
        return fill

    def set_book(self, symbol: str, bid: str, ask: str) -> None:
        """Put a book of one level a side there."""
        bids, asks = (Level(D(bid), D(1)),), (Level(D(ask), D(1)),)
        self.books[symbol] = Book(self.code, symbol, bids, asks, NOW_MS)

    # ------------------------------------------------------------------------------------------

    def _begin(self, name: str) -> None:
        self.calls.append(name)
        self.on_call(name)
        errors = self.failures[name.partition(":")[0]]
        if errors:
            raise errors.pop(0)

    def _accept(self, request: OrderRequest) -> VenueOrder:
        order_id = f"{self.code}-{len(self.orders) + 1}"
        filled = request.quantity * self.fill_fraction
        order = VenueOrder(
            venue_order_id=order_id,
            client_order_id=request.client_order_id if self.knows_client_id else None,
            symbol=request.symbol,
            side=request.side,
            status=VenueOrderStatus.FILLED if self.fill_fraction == 1 else self.rest_status,
            quantity=request.quantity,
            filled_quantity=filled,
            price=request.price,
        )
        self.orders[order_id] = order
        self.client_ids[request.client_order_id] = order_id
        if filled:
            self._trade(order, filled / 2)
            self._trade(order, filled - filled / 2)
        return order

    def _trade(self, order: VenueOrder, quantity: D) -> VenueFill:
        base, quote = order.symbol.split("/")
        price = order.price or D(1)
        cost = price * quantity
        is_buy = order.side is Side.BUY
        received, amount = (base, quantity) if is_buy else (quote, cost)
        fee_asset, fee = (
            (received, amount * FEE) if self.fee_asset is None else (self.fee_asset, D("0.01"))
        )
        purse = self.balances[Wallet.SPOT]
        sign = 1 if is_buy else -1
        purse[base] = purse.get(base, D(0)) + sign * quantity
        purse[quote] = purse.get(quote, D(0)) - sign * cost
        purse[fee_asset] = purse.get(fee_asset, D(0)) - fee
        fill = VenueFill(
            venue_trade_id=str(len(self.fills) + 1),
            venue_order_id=order.venue_order_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=fee_asset,
            is_maker=False,
            executed_at_ms=self.now_ms + len(self.fills),
        )
        self.fills.append(fill)
        return fill

    def _show(self, order: VenueOrder) -> tuple[VenueFill, ...]:
        return tuple(
            self._dress(fill) for fill in self.fills if fill.venue_order_id == order.venue_order_id
        )

    def _dress(self, fill: VenueFill) -> VenueFill:
        return fill if self.states_fee else replace(fill, fee=None, fee_asset=None)


class FakeWorld:
    """Builds gateways: one fake venue per API key."""

    def __init__(self) -> None:
        self.by_key: dict[str, FakeVenue] = {}
        self.public: dict[str, FakeVenue] = {}

    def __call__(self, spec: VenueSpec, credentials: Credentials | None) -> Any:
        if credentials is None:
            return self.public[spec.code]
        return self.by_key[credentials.api_key]


def make_fill(order: Order, trade_id: str = "t-1", **fields: Any) -> VenueFill:
    """An execution of an order, with a fee of 0.1 % in the asset that it brings."""
    quantity = fields.pop("quantity", order.quantity)
    price = fields.pop("price", order.price)
    is_buy = order.side == Side.BUY
    defaults: dict[str, Any] = {
        "venue_trade_id": trade_id,
        "venue_order_id": order.venue_order_id or "v-1",
        "symbol": order.market.symbol,
        "side": Side(order.side),
        "price": price,
        "quantity": quantity,
        "fee": (quantity if is_buy else quantity * price) * FEE,
        "fee_asset": order.market.base.code if is_buy else order.market.quote.code,
        "is_maker": False,
        "executed_at_ms": NOW_MS,
    }
    return VenueFill(**(defaults | fields))
