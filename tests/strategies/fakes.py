"""A venue in memory behind the gateway port, and the rows that point at it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal as D
from threading import Lock
from typing import Any

from accounts.models import VenueAccount
from arbplatform.core.clock import SYSTEM_CLOCK, Clock, SystemClock
from markets.domain.book import Book, Level
from markets.domain.fees import FeeSchedule
from markets.domain.funds import PermissionFinding, VenueBalance, Wallet
from markets.domain.orders import (
    OrderRequest,
    Side,
    VenueFill,
    VenueOrder,
    VenueOrderStatus,
)
from markets.domain.quote import Ticker
from markets.errors import OrderAbsent, VenueUnavailable
from markets.gateway.base import Credentials, VenueSpec
from markets.models import Asset, Market, Venue

FEE = D("0.001")
Levels = Sequence[tuple[str, str]]


@dataclass
class FakeVenue:
    """An exchange in memory: books are set by the test, IOC orders trade against them.

    Attributes:
        code: of the venue.
        free: spot balances by asset.
        books: bids and asks by symbol.
        keeps_open: an order that is not wholly filled is said to be open, whatever was asked for.
        book_age_ms: how old its books are when they are read [ms].
        before_submit: called before an order is looked at; what it raises never reached us.
        after_submit: called after an order was carried out; what it raises hides the answer.
        clock: by which it dates what it tells.
    """

    code: str
    free: dict[str, D]
    books: dict[str, tuple[list[list[D]], list[list[D]]]] = field(default_factory=dict)
    before_submit: Callable[[OrderRequest], None] | None = None
    after_submit: Callable[[OrderRequest], None] | None = None
    before_book: Callable[[str], object] | None = None
    book_age_ms: int = 0
    before_balances: Callable[[], object] | None = None
    orders: dict[str, VenueOrder] = field(default_factory=dict)
    requests: list[OrderRequest] = field(default_factory=list)
    is_reachable: bool = True
    keeps_open: bool = False
    lock: Lock = field(default_factory=Lock)
    clock: Clock = SYSTEM_CLOCK

    def set_book(self, symbol: str, *, bids: Levels, asks: Levels) -> None:
        """Put a book there, best level first."""
        self.books[symbol] = (
            [[D(price), D(quantity)] for price, quantity in bids],
            [[D(price), D(quantity)] for price, quantity in asks],
        )

    def execute(self, request: OrderRequest) -> VenueOrder:
        """Trade an IOC order against the book, fee in the received asset."""
        base, quote = request.symbol.split("/")
        bids, asks = self.books[request.symbol]
        levels = asks if request.side is Side.BUY else bids
        rest = request.quantity
        fills: list[VenueFill] = []
        while rest and levels and self._crosses(request, levels[0][0]):
            price, quantity = levels[0]
            taken = min(rest, quantity)
            fills.append(self._fill(request, price, taken, len(fills)))
            self._move(request.side, base, quote, taken, price)
            rest -= taken
            levels[0][1] -= taken
            if not levels[0][1]:
                levels.pop(0)
        ended = VenueOrderStatus.OPEN if self.keeps_open else VenueOrderStatus.CANCELED
        status = ended if rest else VenueOrderStatus.FILLED
        order = VenueOrder(
            venue_order_id=f"{self.code}-{len(self.orders) + 1}",
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            status=status,
            quantity=request.quantity,
            filled_quantity=request.quantity - rest,
            price=request.price,
            fills=tuple(fills),
            updated_at_ms=self.clock.now_ms(),
        )
        self.orders[request.client_order_id] = order
        return order

    @staticmethod
    def _crosses(request: OrderRequest, price: D) -> bool:
        assert request.price is not None
        return price <= request.price if request.side is Side.BUY else price >= request.price

    def _fill(self, request: OrderRequest, price: D, quantity: D, index: int) -> VenueFill:
        base, quote = request.symbol.split("/")
        is_buy = request.side is Side.BUY
        received = quantity if is_buy else quantity * price
        return VenueFill(
            venue_trade_id=f"{request.client_order_id}-{index}",
            venue_order_id=f"{self.code}-{len(self.orders) + 1}",
            symbol=request.symbol,
            side=request.side,
            price=price,
            quantity=quantity,
            fee=received * FEE,
            fee_asset=base if is_buy else quote,
            is_maker=False,
            executed_at_ms=self.clock.now_ms(),
        )

    def _move(self, side: Side, base: str, quote: str, quantity: D, price: D) -> None:
        cost = quantity * price
        spent, received = ((quote, cost), (base, quantity))
        if side is Side.SELL:
            spent, received = (base, quantity), (quote, cost)
        self.free[spent[0]] = self.free.get(spent[0], D(0)) - spent[1]
        self.free[received[0]] = self.free.get(received[0], D(0)) + received[1] * (1 - FEE)


class FakeGateway:
    """What the platform sees of a ``FakeVenue``: the parts of the port that trading uses."""

    def __init__(self, state: FakeVenue) -> None:
        self._state = state

    @property
    def venue(self) -> str:
        return self._state.code

    def fetch_tickers(self, symbols: Sequence[str] | None = None) -> Mapping[str, Ticker]:
        state = self._state
        if not state.is_reachable:
            raise VenueUnavailable(venue=state.code, cause="no answer")
        with state.lock:
            return {
                symbol: Ticker(
                    state.code,
                    symbol,
                    bid=bids[0][0] if bids else None,
                    ask=asks[0][0] if asks else None,
                    last=None,
                    received_at_ms=state.clock.now_ms(),
                )
                for symbol, (bids, asks) in state.books.items()
            }

    def fetch_book(self, symbol: str, depth: int = 20) -> Book:
        state = self._state
        if state.before_book:
            state.before_book(symbol)
        if not state.is_reachable or symbol not in state.books:
            raise VenueUnavailable(venue=state.code, cause="no answer")
        with state.lock:
            bids, asks = (
                tuple(Level(price, quantity) for price, quantity in side[:depth])
                for side in state.books[symbol]
            )
        received_at_ms = state.clock.now_ms() - state.book_age_ms
        return Book(state.code, symbol, bids, asks, received_at_ms)

    def fetch_balances(self, wallet: Wallet = Wallet.SPOT) -> Mapping[str, VenueBalance]:
        if self._state.before_balances:
            self._state.before_balances()
        if not self._state.is_reachable:
            raise VenueUnavailable(venue=self._state.code, cause="no answer")
        if wallet is not Wallet.SPOT:
            return {}
        return {
            asset: VenueBalance(asset, free=amount, held=D(0))
            for asset, amount in self._state.free.items()
            if amount
        }

    def fetch_permissions(self) -> Sequence[PermissionFinding]:
        return [PermissionFinding("trade", is_granted=True)]

    def fetch_fees(self, symbols: Sequence[str]) -> Mapping[str, FeeSchedule]:
        return {symbol: FeeSchedule(maker=FEE, taker=FEE) for symbol in symbols}

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        state = self._state
        if state.before_submit:
            state.before_submit(request)
        with state.lock:
            state.requests.append(request)
            order = state.execute(request)
        if state.after_submit:
            state.after_submit(request)
        return order

    def fetch_order(
        self, *, symbol: str, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> VenueOrder:
        for order in self._state.orders.values():
            if client_order_id == order.client_order_id or venue_order_id == order.venue_order_id:
                return order
        raise OrderAbsent(venue=self._state.code, cause="unknown")

    def fetch_open_orders(self, symbol: str | None = None) -> Sequence[VenueOrder]:
        return []

    def fetch_orders(self, symbol: str, *, since_ms: int) -> Sequence[VenueOrder]:
        return []

    def fetch_fills(
        self, symbol: str, *, since_ms: int | None = None, venue_order_id: str | None = None
    ) -> Sequence[VenueFill]:
        return [
            fill
            for order in self._state.orders.values()
            if order.symbol == symbol
            and (venue_order_id is None or order.venue_order_id == venue_order_id)
            for fill in order.fills
        ]

    def cancel_order(self, *, symbol: str, client_order_id: str) -> None:
        raise OrderAbsent(venue=self._state.code, cause="ended already")

    def close(self) -> None:
        """Nothing to give back."""


class FakeVenues:
    """All venues of a test, by code, and the builder of their gateways."""

    def __init__(self) -> None:
        self.by_code: dict[str, FakeVenue] = {}

    def __getitem__(self, code: str) -> FakeVenue:
        return self.by_code[code]

    def go_by(self, clock: Clock) -> None:
        """Have the venues that are there date what they tell by a clock of the test."""
        for state in self.by_code.values():
            state.clock = clock

    def build(self, spec: VenueSpec, credentials: Credentials | None = None) -> Any:
        """Return a gateway as ``markets.gateway.factory`` would, with what trading needs of it."""
        return FakeGateway(self.by_code[spec.code])

    def add(
        self, code: str, *, symbols: Sequence[str], free: Mapping[str, str], lot: str = "0.00001"
    ) -> VenueAccount:
        """Make a venue with its markets and one account."""
        self.by_code[code] = FakeVenue(
            code, free={asset: D(amount) for asset, amount in free.items()}
        )
        venue = Venue.objects.create(
            code=code, name=code.title(), ccxt_id="binance", synced_at=SYSTEM_CLOCK.now()
        )
        for symbol in symbols:
            base, quote = (
                Asset.objects.get_or_create(code=asset)[0] for asset in symbol.split("/")
            )
            Market.objects.create(
                venue=venue,
                symbol=symbol,
                base=base,
                quote=quote,
                tick=D("0.01") if quote.code == "USDT" else D("0.000001"),
                lot=D(lot),
                quantity_min=D(lot),
                notional_min=D(10) if quote.code == "USDT" else D("0.0001"),
                maker_fee=FEE,
                taker_fee=FEE,
                synced_at=SYSTEM_CLOCK.now(),
            )
        for asset in free:
            Asset.objects.get_or_create(code=asset)
        return VenueAccount.objects.create(
            venue=venue, label="main", api_key="key-" + code, api_secret="secret"
        )


class SkewedClock(SystemClock):
    """The system's clock after more time than a test has waited."""

    def __init__(self):
        self.ahead_ms = 0

    def now(self):
        return super().now() + timedelta(milliseconds=self.ahead_ms)

    def monotonic_ms(self):
        return super().monotonic_ms() + self.ahead_ms

    def advance_ms(self, duration_ms):
        self.ahead_ms += duration_ms
