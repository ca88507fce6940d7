"""A small venue that speaks the OKX v5 protocol, for tests that need another class than binance.

    venue = FakeOkx()
    venue.add_account("key", "secret", "pass", {"USDT": "100000", "BTC": "2"})
    venue.set_book("BTC/USDT", bids=[("59990", "1")], asks=[("60000", "2")])
    with venue.running() as url:
        ...  # Venue(ccxt_id="okx", rest_origin=url), account with that key, secret and passphrase

Orders take what the book shows (``set_book`` replaces it, a thread may do so at any time); what
is left of a limit order rests until it is cancelled. The taker fee of 0.1 % is taken from the
received asset, as the real venue does, and every asset is conserved. ``statement`` gives the exact
balances for audits; ``orders`` and ``fills`` what happened. Signatures are checked.
"""

import base64
import hashlib
import hmac
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.markets.fakes.server import Reply, Request, ScriptedServer

Rows = Sequence[tuple[str, str]]

TAKER_FEE = Decimal("0.001")
FEE_STEP = Decimal("1e-12")
KNOWN_ERRORS = {
    "50113": "Invalid Sign",
    "50111": "Invalid OK-ACCESS-KEY",
    "51001": "Instrument ID does not exist",
    "51008": "Order failed. Insufficient USDT balance in account",
    "51016": "Client order ID already exists.",
    "51020": "Your order should meet or exceed the minimum order amount.",
    "51603": "Order does not exist",
    "51400": "Cancellation failed as the order has been filled, canceled or does not exist.",
}


@dataclass(slots=True)
class Spec:
    symbol: str
    tick: str
    lot: str
    minimum: str

    @property
    def inst_id(self) -> str:
        return self.symbol.replace("/", "-")


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


@dataclass(slots=True)
class Order:
    key: str
    number: str
    client_id: str
    spec: Spec
    side: str
    kind: str
    price: Decimal
    quantity: Decimal
    state: str
    made_ms: int
    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Fill:
    order: Order
    number: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    moment_ms: int


class OkxError(Exception):
    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class FakeOkx:
    """The venue: state, matching, and its REST protocol."""

    def __init__(self, markets: Sequence[Spec] = DEFAULT_MARKETS) -> None:
        self.markets = {spec.inst_id: replace(spec) for spec in markets}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.withdrawals: list[dict[str, Any]] = []
        self.server = ScriptedServer(self._respond)
        self._books: dict[str, dict[str, list[list[Decimal]]]] = {}
        self._numbers = itertools.count(700_000_000_000_001)
        self._lock = threading.RLock()
        self._routes: Mapping[tuple[str, str], Callable[[Request, str], Any]] = {
            ("GET", "public/time"): lambda _r, _k: [{"ts": str(_now_ms())}],
            ("GET", "public/instruments"): self._instruments,
            ("GET", "market/books"): self._book,
            ("GET", "market/ticker"): self._ticker,
            ("GET", "market/tickers"): self._tickers,
            ("GET", "market/candles"): self._candles,
            ("GET", "account/config"): lambda _r, _k: [{"perm": "read_only,trade", "ip": ""}],
            ("GET", "account/balance"): self._balance,
            ("GET", "account/trade-fee"): lambda _r, _k: [{"maker": "-0.0008", "taker": "-0.001"}],
            ("GET", "asset/balances"): self._funding,
            ("GET", "asset/currencies"): self._currencies,
            ("GET", "asset/deposit-address"): self._address,
            ("GET", "asset/withdrawal-history"): lambda _r, _k: list(self.withdrawals),
            ("GET", "asset/deposit-history"): lambda _r, _k: [],
            ("POST", "asset/transfer"): self._transfer,
            ("POST", "asset/withdrawal"): self._withdraw,
            ("POST", "trade/batch-orders"): lambda r, k: [self._place(r.json[0], k)],
            ("POST", "trade/order"): lambda r, k: [self._place(r.json, k)],
            ("POST", "trade/cancel-order"): self._cancel,
            ("GET", "trade/order"): lambda r, k: [_order_row(self._find(r.query, k))],
            ("GET", "trade/orders-pending"): self._pending,
            ("GET", "trade/fills-history"): self._fill_rows,
        }

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve until the block ends; gives the address for ``rest_origin``."""
        with self.server.running() as server:
            yield server.url

    def add_account(
        self, key: str, secret: str, passphrase: str, trading: Mapping[str, str]
    ) -> None:
        balances = {asset: Decimal(amount) for asset, amount in trading.items()}
        self.accounts[key] = Account(secret, passphrase, trading=balances)

    def set_book(self, symbol: str, *, bids: Rows, asks: Rows) -> None:
        """Show these levels; best first."""
        with self._lock:
            self._books[symbol.replace("/", "-")] = {
                "bids": [[Decimal(price), Decimal(size)] for price, size in bids],
                "asks": [[Decimal(price), Decimal(size)] for price, size in asks],
            }

    def statement(self, key: str) -> dict[str, Decimal]:
        """Return what the trading account holds, free and frozen together, without zeros."""
        account = self.accounts[key]
        with self._lock:
            assets = account.trading.keys() | account.frozen.keys()
            totals = {a: account.trading.get(a, 0) + account.frozen.get(a, 0) for a in assets}
            return {asset: Decimal(total) for asset, total in totals.items() if total}

    def _respond(self, request: Request) -> Reply:
        path = request.path.partition("/api/v5/")[2]
        call = self._routes.get((request.method, path))
        if call is None:
            return Reply({"code": "50000", "msg": f"no such path {path}", "data": []}, 404)
        try:
            is_public = path.startswith(("public/", "market/"))
            key = "" if is_public else self._authenticate(request)
            with self._lock:
                return Reply({"code": "0", "msg": "", "data": call(request, key)})
        except OkxError as error:
            words = KNOWN_ERRORS[error.code]
            if path == "trade/batch-orders":
                row = {"clOrdId": "", "ordId": "", "sCode": error.code, "sMsg": words, "tag": ""}
                return Reply({"code": "1", "msg": "All operations failed", "data": [row]})
            status = 401 if error.code.startswith("5011") else 200
            return Reply({"code": error.code, "msg": words, "data": []}, status)

    def _authenticate(self, request: Request) -> str:
        headers = request.headers
        key = headers.get("ok-access-key", "")
        account = self.accounts.get(key)
        if account is None or headers.get("ok-access-passphrase") != account.passphrase:
            raise OkxError("50111")
        target = "/api/v5/" + request.target.partition("/api/v5/")[2]
        text = headers.get("ok-access-timestamp", "") + request.method + target + request.body
        digest = hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).digest()
        if headers.get("ok-access-sign") != base64.b64encode(digest).decode():
            raise OkxError("50113")
        return key

    def _spec(self, inst_id: str) -> Spec:
        if inst_id not in self.markets:
            raise OkxError("51001")
        return self.markets[inst_id]

    def _instruments(self, request: Request, _key: str) -> list[Any]:
        if request.query.get("instType") != "SPOT":
            return []
        return [
            {
                "instType": "SPOT",
                "instId": spec.inst_id,
                "baseCcy": spec.symbol.split("/")[0],
                "quoteCcy": spec.symbol.split("/")[1],
                "tickSz": spec.tick,
                "lotSz": spec.lot,
                "minSz": spec.minimum,
                "maxLmtSz": "9999999999",
                "state": "live",
            }
            for spec in self.markets.values()
        ]

    def _book(self, request: Request, _key: str) -> list[Any]:
        spec = self._spec(request.query["instId"])
        size = int(request.query.get("sz", "1"))
        book = self._books.get(spec.inst_id, {"bids": [], "asks": []})
        rows = {
            side: [[_text(price), _text(left), "0", "1"] for price, left in levels[:size]]
            for side, levels in book.items()
        }
        return [{**rows, "ts": str(_now_ms())}]

    def _ticker(self, request: Request, _key: str) -> list[Any]:
        return [self._ticker_row(self._spec(request.query["instId"]))]

    def _tickers(self, _request: Request, _key: str) -> list[Any]:
        return [self._ticker_row(spec) for spec in self.markets.values()]

    def _ticker_row(self, spec: Spec) -> dict[str, str]:
        book = self._books.get(spec.inst_id, {})
        bid = next(iter(book.get("bids", [])), None)
        ask = next(iter(book.get("asks", [])), None)
        return {
            "instType": "SPOT",
            "instId": spec.inst_id,
            "last": _text(bid[0]) if bid else "",
            "bidPx": _text(bid[0]) if bid else "",
            "bidSz": _text(bid[1]) if bid else "",
            "askPx": _text(ask[0]) if ask else "",
            "askSz": _text(ask[1]) if ask else "",
            "open24h": "",
            "high24h": "",
            "low24h": "",
            "vol24h": "12.5",
            "volCcy24h": "750000",
            "ts": str(_now_ms()),
        }

    def _candles(self, request: Request, _key: str) -> list[Any]:
        self._spec(request.query["instId"])
        start = _now_ms() // 60_000 * 60_000
        return [
            [str(start - 60_000 * i), "10.1", "10.9", "9.8", "10.5", "3.25", "34", "34", "1"]
            for i in range(3)
        ]

    def _balance(self, _request: Request, key: str) -> list[Any]:
        account = self.accounts[key]
        assets = sorted(account.trading.keys() | account.frozen.keys())
        details = [
            {
                "ccy": asset,
                "availBal": _text(account.trading.get(asset, Decimal(0))),
                "frozenBal": _text(account.frozen.get(asset, Decimal(0))),
                "cashBal": _text(
                    account.trading.get(asset, Decimal(0)) + account.frozen.get(asset, Decimal(0))
                ),
                "eq": _text(
                    account.trading.get(asset, Decimal(0)) + account.frozen.get(asset, Decimal(0))
                ),
                "availEq": "",
            }
            for asset in assets
        ]
        return [{"details": details, "uTime": str(_now_ms()), "totalEq": ""}]

    def _funding(self, _request: Request, key: str) -> list[Any]:
        return [
            {"ccy": asset, "bal": _text(amount), "availBal": _text(amount), "frozenBal": "0"}
            for asset, amount in self.accounts[key].funding.items()
        ]

    def _currencies(self, _request: Request, _key: str) -> list[Any]:
        return [
            {
                "ccy": asset,
                "chain": f"{asset}-{asset}",
                "name": asset,
                "canDep": True,
                "canWd": True,
                "canInternal": True,
                "minFee": "0.0001",
                "maxFee": "0.0001",
                "fee": "0.0001",
                "minWd": "0.001",
                "wdTickSz": "8",
                "mainNet": True,
            }
            for asset in ("BTC", "USDT")
        ]

    def _address(self, request: Request, key: str) -> list[Any]:
        asset = request.query["ccy"]
        return [
            {
                "ccy": asset,
                "chain": f"{asset}-{asset}",
                "addr": f"fake-{asset}-{key}",
                "tag": "",
                "to": "6",
                "selected": True,
            }
        ]

    def _transfer(self, request: Request, key: str) -> list[Any]:
        body, account = request.json, self.accounts[key]
        purses = {"6": account.funding, "18": account.trading}
        source, target = purses[body["from"]], purses[body["to"]]
        asset, amount = body["ccy"], Decimal(body["amt"])
        if source.get(asset, Decimal(0)) < amount:
            raise OkxError("51008")
        source[asset] -= amount
        target[asset] = target.get(asset, Decimal(0)) + amount
        return [{"transId": str(next(self._numbers)), **body}]

    def _withdraw(self, request: Request, key: str) -> list[Any]:
        body, funding = request.json, self.accounts[key].funding
        amount, fee = Decimal(body["amt"]), Decimal(body.get("fee", "0.0001"))
        if funding.get(body["ccy"], Decimal(0)) < amount + fee:
            raise OkxError("51008")
        funding[body["ccy"]] -= amount + fee
        number = str(next(self._numbers))
        self.withdrawals.append(
            {
                "ccy": body["ccy"], "chain": f"{body['ccy']}-{body['ccy']}", "amt": body["amt"],
                "fee": _text(fee), "wdId": number, "clientId": body.get("clientId", ""),
                "to": body["toAddr"], "state": "2", "txId": f"tx{number}", "ts": str(_now_ms()),
            }
        )  # fmt: skip
        return [{"amt": body["amt"], "wdId": number, "ccy": body["ccy"]}]

    def _place(self, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        spec = self._spec(body["instId"])
        client_id = body.get("clOrdId", "")
        if client_id and any(o.client_id == client_id for o in self.orders.values()):
            raise OkxError("51016")
        quantity, price = Decimal(body["sz"]), Decimal(body["px"])
        if quantity < Decimal(spec.minimum) or quantity % Decimal(spec.lot):
            raise OkxError("51020")
        order = Order(
            key=key,
            number=str(next(self._numbers)),
            client_id=client_id,
            spec=spec,
            side=body["side"],
            kind=body["ordType"],
            price=price,
            quantity=quantity,
            state="live",
            made_ms=_now_ms(),
        )
        self._need_funds(order)
        self.orders[order.number] = order
        self._match(order)
        return {"clOrdId": client_id, "ordId": order.number, "sCode": "0", "sMsg": "", "tag": ""}

    def _need_funds(self, order: Order) -> None:
        base, quote = order.spec.symbol.split("/")
        asset, amount = (
            (quote, order.price * order.quantity) if order.side == "buy" else (base, order.quantity)
        )
        if self.accounts[order.key].trading.get(asset, Decimal(0)) < amount:
            raise OkxError("51008")

    def _match(self, order: Order) -> None:
        book = self._books.get(order.spec.inst_id, {"bids": [], "asks": []})
        is_buy = order.side == "buy"
        levels = book["asks" if is_buy else "bids"]
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
                    self._book_fill(order, level[0], taken)
            levels[:] = [level for level in levels if level[1] > 0]
        if order.filled == order.quantity:
            order.state = "filled"
        elif order.kind in {"ioc", "fok"}:
            order.state = "canceled"
        else:
            self._rest(order)

    def _rest(self, order: Order) -> None:
        order.state = "partially_filled" if order.filled else "live"
        self._move_held(order, order.quantity - order.filled)

    def _move_held(self, order: Order, quantity: Decimal) -> None:
        base, quote = order.spec.symbol.split("/")
        asset, amount = (quote, order.price * quantity) if order.side == "buy" else (base, quantity)
        account = self.accounts[order.key]
        account.trading[asset] -= amount
        account.frozen[asset] = account.frozen.get(asset, Decimal(0)) + amount

    def _book_fill(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        base, quote = order.spec.symbol.split("/")
        purse = self.accounts[order.key].trading
        cost = price * quantity
        bought, sold = (base, quote) if order.side == "buy" else (quote, base)
        gross, given = (quantity, cost) if order.side == "buy" else (cost, quantity)
        fee = (gross * TAKER_FEE).quantize(FEE_STEP)
        purse[sold] = purse.get(sold, Decimal(0)) - given
        purse[bought] = purse.get(bought, Decimal(0)) + gross - fee
        order.filled += quantity
        order.cost += cost
        number = str(next(self._numbers))
        self.fills.append(Fill(order, number, price, quantity, fee, bought, _now_ms()))

    def _find(self, wanted: Mapping[str, Any], key: str) -> Order:
        for order in self.orders.values():
            is_it = order.number == wanted.get("ordId") or (
                bool(order.client_id) and order.client_id == wanted.get("clOrdId")
            )
            if is_it and order.key == key:
                return order
        raise OkxError("51603")

    def _cancel(self, request: Request, key: str) -> list[Any]:
        try:
            order = self._find(request.json, key)
        except OkxError:
            raise OkxError("51400") from None
        if order.state not in {"live", "partially_filled"}:
            raise OkxError("51400")
        self._move_held(order, order.filled - order.quantity)
        order.state = "canceled"
        return [{"ordId": order.number, "clOrdId": order.client_id, "sCode": "0", "sMsg": ""}]

    def _pending(self, request: Request, key: str) -> list[Any]:
        inst_id = request.query.get("instId")
        return [
            _order_row(order)
            for order in self.orders.values()
            if order.key == key
            and order.state in {"live", "partially_filled"}
            and inst_id in {None, order.spec.inst_id}
        ]

    def _fill_rows(self, request: Request, key: str) -> list[Any]:
        query = request.query
        return [
            {
                "instType": "SPOT",
                "instId": fill.order.spec.inst_id,
                "tradeId": fill.number,
                "ordId": fill.order.number,
                "clOrdId": fill.order.client_id,
                "fillPx": _text(fill.price),
                "fillSz": _text(fill.quantity),
                "side": fill.order.side,
                "execType": "T",
                "feeCcy": fill.fee_asset,
                "fee": _text(-fill.fee),
                "ts": str(fill.moment_ms),
            }
            for fill in reversed(self.fills)
            if fill.order.key == key
            and query.get("instId") in {None, fill.order.spec.inst_id}
            and query.get("ordId") in {None, fill.order.number}
            and fill.moment_ms >= int(query.get("begin", "0"))
        ]


def _order_row(order: Order) -> dict[str, str]:
    average = order.cost / order.filled if order.filled else None
    return {
        "instType": "SPOT",
        "instId": order.spec.inst_id,
        "ordId": order.number,
        "clOrdId": order.client_id,
        "px": _text(order.price),
        "sz": _text(order.quantity),
        "accFillSz": _text(order.filled),
        "avgPx": _text(average) if average is not None else "",
        "side": order.side,
        "ordType": order.kind,
        "state": order.state,
        "fee": "",
        "feeCcy": "",
        "cTime": str(order.made_ms),
        "uTime": str(order.made_ms),
    }


def _text(value: Decimal) -> str:
    return format(value, "f")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
