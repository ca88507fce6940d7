"""The inside of a small fake venue: accounts, books that are set by hand, orders, fills.

Protocols are put around it (``okx``, ``kraken``). Orders take what the book shows; what is left of
a limit order rests until it is cancelled. Every asset is conserved.
"""

import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, auto

from tests.markets.fakes.server import Reply, Request, ScriptedServer

Rows = Sequence[tuple[str, str]]

FEE_STEP = Decimal("1e-12")


class Refusal(Enum):
    """Why the venue does not do what was asked; each protocol has its own code for it."""

    BAD_KEY = auto()
    BAD_SIGNATURE = auto()
    UNKNOWN_MARKET = auto()
    INSUFFICIENT_FUNDS = auto()
    DUPLICATE_CLIENT_ID = auto()
    TOO_SMALL = auto()
    UNKNOWN_ORDER = auto()
    NOT_CANCELLABLE = auto()
    BAD_NONCE = auto()


class Refused(Exception):
    def __init__(self, reason: Refusal) -> None:
        self.reason = reason
        super().__init__(reason.name)


@dataclass(slots=True)
class Spec:
    """A market: symbol, price grid, quantity grid, smallest quantity."""

    symbol: str
    tick: str
    lot: str
    minimum: str

    @property
    def assets(self) -> tuple[str, str]:
        base, quote = self.symbol.split("/")
        return base, quote


DEFAULT_MARKETS = (
    Spec("BTC/USDT", "0.1", "0.00001", "0.00001"),
    Spec("ETH/USDT", "0.01", "0.0001", "0.001"),
    Spec("SOL/USDT", "0.01", "0.001", "0.01"),
    Spec("ETH/BTC", "0.00001", "0.0001", "0.001"),
    Spec("SOL/BTC", "0.0000001", "0.001", "0.01"),
)


@dataclass(slots=True)
class Account:
    secret: str
    passphrase: str
    trading: dict[str, Decimal] = field(default_factory=dict)
    frozen: dict[str, Decimal] = field(default_factory=dict)
    funding: dict[str, Decimal] = field(default_factory=dict)
    nonce: int = 0

    def total(self, asset: str) -> Decimal:
        return self.trading.get(asset, Decimal(0)) + self.frozen.get(asset, Decimal(0))


@dataclass(slots=True)
class Order:
    """``kind`` is one of limit, ioc, fok, post_only; ``state`` one of live, filled, canceled."""

    key: str
    number: str
    client_id: str
    spec: Spec
    side: str
    kind: str
    price: Decimal
    quantity: Decimal
    made_ms: int
    state: str = "live"
    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)

    @property
    def average(self) -> Decimal | None:
        return self.cost / self.filled if self.filled else None


@dataclass(frozen=True, slots=True)
class Fill:
    order: Order
    number: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    moment_ms: int


class FakeExchange:
    """The venue without a protocol.

    Attributes:
        taker_fee: fraction of the amount traded.
        is_fee_in_quote: taken in the quote asset on both sides, else in the received asset.
        accounts, orders, fills: what there is and what happened.
        server: where it listens; ``server.misbehave`` breaks answers.
    """

    taker_fee = Decimal("0.001")
    is_fee_in_quote = False

    def __init__(self, markets: Sequence[Spec] = DEFAULT_MARKETS) -> None:
        self.markets = {spec.symbol: replace(spec) for spec in markets}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.lock = threading.RLock()
        self.server = ScriptedServer(self.respond)
        self._books: dict[str, dict[str, list[list[Decimal]]]] = {}
        self._numbers = itertools.count(700_000_000_000_001)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve until the block ends; gives the address for ``rest_origin``."""
        with self.server.running() as server:
            yield server.url

    def respond(self, request: Request) -> Reply:
        """Answer in the venue's protocol."""
        raise NotImplementedError

    def add_account(
        self, key: str, secret: str, passphrase: str, trading: Mapping[str, str]
    ) -> None:
        balances = {asset: Decimal(amount) for asset, amount in trading.items()}
        self.accounts[key] = Account(secret, passphrase, trading=balances)

    def set_book(self, symbol: str, *, bids: Rows, asks: Rows) -> None:
        """Show these levels, best first; may be called at any time from any thread."""
        with self.lock:
            self._books[symbol] = {
                "bids": [[Decimal(price), Decimal(size)] for price, size in bids],
                "asks": [[Decimal(price), Decimal(size)] for price, size in asks],
            }

    def statement(self, key: str) -> dict[str, Decimal]:
        """Return what the trading account holds, free and frozen together, without zeros."""
        account = self.accounts[key]
        with self.lock:
            assets = account.trading.keys() | account.frozen.keys()
            return {asset: account.total(asset) for asset in assets if account.total(asset)}

    def new_number(self) -> str:
        return str(next(self._numbers))

    def levels(self, symbol: str) -> dict[str, list[list[Decimal]]]:
        return self._books.get(symbol, {"bids": [], "asks": []})

    def spec(self, symbol: str) -> Spec:
        if symbol not in self.markets:
            raise Refused(Refusal.UNKNOWN_MARKET)
        return self.markets[symbol]

    def place(
        self,
        key: str,
        *,
        symbol: str,
        side: str,
        kind: str,
        quantity: str,
        price: str,
        client_id: str,
    ) -> Order:
        spec = self.spec(symbol)
        if client_id and any(order.client_id == client_id for order in self.orders.values()):
            raise Refused(Refusal.DUPLICATE_CLIENT_ID)
        order = Order(
            key=key,
            number=self.new_number(),
            client_id=client_id,
            spec=spec,
            side=side,
            kind=kind,
            price=Decimal(price),
            quantity=Decimal(quantity),
            made_ms=now_ms(),
        )
        if order.quantity < Decimal(spec.minimum) or order.quantity % Decimal(spec.lot):
            raise Refused(Refusal.TOO_SMALL)
        asset, amount = self._needed(order, order.quantity)
        if self.accounts[key].trading.get(asset, Decimal(0)) < amount:
            raise Refused(Refusal.INSUFFICIENT_FUNDS)
        self.orders[order.number] = order
        self._match(order)
        return order

    def find(self, key: str, *, number: str | None, client_id: str | None) -> Order:
        for order in self.orders.values():
            is_it = order.number == number or (bool(client_id) and order.client_id == client_id)
            if is_it and order.key == key:
                return order
        raise Refused(Refusal.UNKNOWN_ORDER)

    def cancel(self, order: Order) -> None:
        if order.state != "live":
            raise Refused(Refusal.NOT_CANCELLABLE)
        self._hold(order, order.filled - order.quantity)
        order.state = "canceled"

    def live_orders(self, key: str) -> list[Order]:
        return [o for o in self.orders.values() if o.key == key and o.state == "live"]

    def _needed(self, order: Order, quantity: Decimal) -> tuple[str, Decimal]:
        base, quote = order.spec.assets
        return (quote, order.price * quantity) if order.side == "buy" else (base, quantity)

    def _match(self, order: Order) -> None:
        is_buy = order.side == "buy"
        levels = self.levels(order.spec.symbol)["asks" if is_buy else "bids"]
        reachable = [
            level
            for level in levels
            if (level[0] <= order.price if is_buy else level[0] >= order.price)
        ]
        offered = sum((level[1] for level in reachable), Decimal(0))
        if not (order.kind == "fok" and offered < order.quantity):
            for level in reachable:
                taken = min(level[1], order.quantity - order.filled)
                if taken > 0:
                    level[1] -= taken
                    self._fill(order, level[0], taken)
            levels[:] = [level for level in levels if level[1] > 0]
        if order.filled == order.quantity:
            order.state = "filled"
        elif order.kind in {"ioc", "fok"}:
            order.state = "canceled"
        else:
            self._hold(order, order.quantity - order.filled)

    def _hold(self, order: Order, quantity: Decimal) -> None:
        asset, amount = self._needed(order, quantity)
        account = self.accounts[order.key]
        account.trading[asset] -= amount
        account.frozen[asset] = account.frozen.get(asset, Decimal(0)) + amount

    def _fill(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        base, quote = order.spec.assets
        purse = self.accounts[order.key].trading
        cost = price * quantity
        bought, sold = (base, quote) if order.side == "buy" else (quote, base)
        gross, given = (quantity, cost) if order.side == "buy" else (cost, quantity)
        taxed, fee_asset = (cost, quote) if self.is_fee_in_quote else (gross, bought)
        fee = (taxed * self.taker_fee).quantize(FEE_STEP)
        for asset, change in ((sold, -given), (bought, gross), (fee_asset, -fee)):
            purse[asset] = purse.get(asset, Decimal(0)) + change
        order.filled += quantity
        order.cost += cost
        self.fills.append(Fill(order, self.new_number(), price, quantity, fee, fee_asset, now_ms()))


def text(value: Decimal) -> str:
    return format(value, "f")


def now_ms() -> int:
    return time.time_ns() // 1_000_000
