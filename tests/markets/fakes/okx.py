"""A small venue that speaks the OKX v5 protocol, for tests that need another class than binance.

    venue = FakeOkx()
    venue.add_account("key", "secret", "pass", {"USDT": "100000", "BTC": "2"})
    venue.set_book("BTC/USDT", bids=[("59990", "1")], asks=[("60000", "2")])
    with venue.running() as url:
        ...  # Venue(ccxt_id="okx", rest_origin=url), account with that key, secret and passphrase

Orders take what the book shows (``set_book`` replaces it, a thread may do so at any time). The
taker fee of 0.1 % is taken from the received asset. ``statement`` gives the exact balances for
audits; ``orders`` and ``fills`` what happened. Signatures are checked.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.markets.fakes.exchange import (
    DEFAULT_MARKETS,
    FakeExchange,
    Order,
    Refusal,
    Refused,
    Spec,
    now_ms,
    text,
)
from tests.markets.fakes.server import Reply, Request

ROOT = "/api/v5/"
ERRORS: Mapping[Refusal, tuple[str, str]] = {
    Refusal.BAD_SIGNATURE: ("50113", "Invalid Sign"),
    Refusal.BAD_KEY: ("50111", "Invalid OK-ACCESS-KEY"),
    Refusal.UNKNOWN_MARKET: ("51001", "Instrument ID does not exist"),
    Refusal.INSUFFICIENT_FUNDS: ("51008", "Order failed. Insufficient balance in account"),
    Refusal.DUPLICATE_CLIENT_ID: ("51016", "Client order ID already exists."),
    Refusal.TOO_SMALL: ("51020", "Your order should meet the minimum order amount."),
    Refusal.UNKNOWN_ORDER: ("51603", "Order does not exist"),
    Refusal.NOT_CANCELLABLE: ("51400", "Cancellation failed as the order does not exist."),
}
WITHDRAWAL_FEE = "0.0001"
ROWS_MAX = 100


class FakeOkx(FakeExchange):
    """The venue and its REST protocol."""

    def __init__(self, markets: Sequence[Spec] = DEFAULT_MARKETS) -> None:
        super().__init__(markets)
        self.withdrawals: list[dict[str, Any]] = []
        self._routes: Mapping[tuple[str, str], Callable[[Request, str], Any]] = {
            ("GET", "public/time"): lambda _r, _k: [{"ts": str(now_ms())}],
            ("GET", "public/instruments"): self._instruments,
            ("GET", "market/books"): self._book,
            ("GET", "market/ticker"): lambda r, _k: [self._ticker(self._spec(r))],
            ("GET", "market/tickers"): lambda _r, _k: [
                self._ticker(spec) for spec in self.markets.values()
            ],
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

    def respond(self, request: Request) -> Reply:
        path = request.path.partition(ROOT)[2]
        call = self._routes.get((request.method, path))
        if call is None:
            return Reply({"code": "50000", "msg": f"no such path {path}", "data": []}, 404)
        try:
            is_public = path.startswith(("public/", "market/"))
            key = "" if is_public else self._authenticate(request)
            with self.lock:
                return Reply({"code": "0", "msg": "", "data": call(request, key)})
        except Refused as refused:
            code, words = ERRORS[refused.reason]
            if path == "trade/batch-orders":
                row = {"clOrdId": "", "ordId": "", "sCode": code, "sMsg": words, "tag": ""}
                return Reply({"code": "1", "msg": "All operations failed", "data": [row]})
            status = 401 if refused.reason in {Refusal.BAD_KEY, Refusal.BAD_SIGNATURE} else 200
            return Reply({"code": code, "msg": words, "data": []}, status)

    def _authenticate(self, request: Request) -> str:
        headers = request.headers
        key = headers.get("ok-access-key", "")
        account = self.accounts.get(key)
        if account is None or headers.get("ok-access-passphrase") != account.passphrase:
            raise Refused(Refusal.BAD_KEY)
        target = ROOT + request.target.partition(ROOT)[2]
        signed = headers.get("ok-access-timestamp", "") + request.method + target + request.body
        digest = hmac.new(account.secret.encode(), signed.encode(), hashlib.sha256).digest()
        if headers.get("ok-access-sign") != base64.b64encode(digest).decode():
            raise Refused(Refusal.BAD_SIGNATURE)
        return key

    def _spec(self, request: Request) -> Spec:
        return self.spec(request.query["instId"].replace("-", "/"))

    def _instruments(self, request: Request, _key: str) -> list[Any]:
        if request.query.get("instType") != "SPOT":
            return []
        return [
            {
                "instType": "SPOT",
                "instId": _inst_id(spec),
                "baseCcy": spec.assets[0],
                "quoteCcy": spec.assets[1],
                "tickSz": spec.tick,
                "lotSz": spec.lot,
                "minSz": spec.minimum,
                "maxLmtSz": "9999999999",
                "state": "live",
            }
            for spec in self.markets.values()
        ]

    def _book(self, request: Request, _key: str) -> list[Any]:
        size = int(request.query.get("sz", "1"))
        rows = {
            side: [[text(price), text(left), "0", "1"] for price, left in levels[:size]]
            for side, levels in self.levels(self._spec(request).symbol).items()
        }
        return [{**rows, "ts": str(now_ms())}]

    def _ticker(self, spec: Spec) -> dict[str, str]:
        book = self.levels(spec.symbol)
        bid, ask = (next(iter(book[side]), None) for side in ("bids", "asks"))
        return {
            "instType": "SPOT",
            "instId": _inst_id(spec),
            "last": text(bid[0]) if bid else "",
            "bidPx": text(bid[0]) if bid else "",
            "bidSz": text(bid[1]) if bid else "",
            "askPx": text(ask[0]) if ask else "",
            "askSz": text(ask[1]) if ask else "",
            "open24h": "",
            "high24h": "",
            "low24h": "",
            "vol24h": "12.5",
            "volCcy24h": "750000",
            "ts": str(now_ms()),
        }

    def _candles(self, request: Request, _key: str) -> list[Any]:
        self._spec(request)
        start = now_ms() // 60_000 * 60_000
        return [
            [str(start - 60_000 * i), "10.1", "10.9", "9.8", "10.5", "3.25", "34", "34", "1"]
            for i in range(3)
        ]

    def _balance(self, _request: Request, key: str) -> list[Any]:
        account = self.accounts[key]
        details = [
            {
                "ccy": asset,
                "availBal": text(account.trading.get(asset, Decimal(0))),
                "frozenBal": text(account.frozen.get(asset, Decimal(0))),
                "cashBal": text(account.total(asset)),
                "eq": text(account.total(asset)),
                "availEq": "",
            }
            for asset in sorted(account.trading.keys() | account.frozen.keys())
        ]
        return [{"details": details, "uTime": str(now_ms()), "totalEq": ""}]

    def _funding(self, _request: Request, key: str) -> list[Any]:
        return [
            {"ccy": asset, "bal": text(amount), "availBal": text(amount), "frozenBal": "0"}
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
                "fee": WITHDRAWAL_FEE,
                "minFee": WITHDRAWAL_FEE,
                "maxFee": WITHDRAWAL_FEE,
                "minWd": "0.001",
                "wdTickSz": "8",
                "mainNet": True,
            }
            for asset in ("BTC", "USDT")
        ]

    def _address(self, request: Request, key: str) -> list[Any]:
        asset = request.query["ccy"]
        row = {"ccy": asset, "chain": f"{asset}-{asset}", "addr": f"fake-{asset}-{key}", "tag": ""}
        return [{**row, "to": "6", "selected": True}]

    def _transfer(self, request: Request, key: str) -> list[Any]:
        body, account = request.json, self.accounts[key]
        purses = {"6": account.funding, "18": account.trading}
        source, target = purses[body["from"]], purses[body["to"]]
        asset, amount = body["ccy"], Decimal(body["amt"])
        if source.get(asset, Decimal(0)) < amount:
            raise Refused(Refusal.INSUFFICIENT_FUNDS)
        source[asset] -= amount
        target[asset] = target.get(asset, Decimal(0)) + amount
        return [{"transId": self.new_number(), **body}]

    def _withdraw(self, request: Request, key: str) -> list[Any]:
        body, funding = request.json, self.accounts[key].funding
        asset, amount = body["ccy"], Decimal(body["amt"])
        fee = Decimal(body.get("fee", WITHDRAWAL_FEE))
        if funding.get(asset, Decimal(0)) < amount + fee:
            raise Refused(Refusal.INSUFFICIENT_FUNDS)
        funding[asset] -= amount + fee
        number = self.new_number()
        self.withdrawals.append(
            {
                "ccy": asset,
                "chain": f"{asset}-{asset}",
                "amt": body["amt"],
                "fee": text(fee),
                "wdId": number,
                "clientId": body.get("clientId", ""),
                "to": body["toAddr"],
                "state": "2",
                "txId": f"tx{number}",
                "ts": str(now_ms()),
            }
        )
        return [{"amt": body["amt"], "wdId": number, "ccy": asset}]

    def _place(self, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        order = self.place(
            key,
            symbol=body["instId"].replace("-", "/"),
            side=body["side"],
            kind=body["ordType"],
            quantity=body["sz"],
            price=body["px"],
            client_id=body.get("clOrdId", ""),
        )
        row = {"clOrdId": order.client_id, "ordId": order.number}
        return {**row, "sCode": "0", "sMsg": "", "tag": ""}

    def _find(self, wanted: Mapping[str, Any], key: str) -> Order:
        return self.find(key, number=wanted.get("ordId"), client_id=wanted.get("clOrdId"))

    def _cancel(self, request: Request, key: str) -> list[Any]:
        try:
            order = self._find(request.json, key)
        except Refused:
            raise Refused(Refusal.NOT_CANCELLABLE) from None
        self.cancel(order)
        return [{"ordId": order.number, "clOrdId": order.client_id, "sCode": "0", "sMsg": ""}]

    def _pending(self, request: Request, key: str) -> list[Any]:
        inst_id = request.query.get("instId")
        return [
            _order_row(order)
            for order in self.live_orders(key)
            if inst_id in {None, _inst_id(order.spec)}
        ]

    def _fill_rows(self, request: Request, key: str) -> list[Any]:
        query = request.query
        rows = [
            {
                "instType": "SPOT",
                "instId": _inst_id(fill.order.spec),
                "tradeId": fill.number,
                "ordId": fill.order.number,
                "clOrdId": fill.order.client_id,
                "fillPx": text(fill.price),
                "fillSz": text(fill.quantity),
                "side": fill.order.side,
                "execType": "T",
                "feeCcy": fill.fee_asset,
                "fee": text(-fill.fee),
                "ts": str(fill.moment_ms),
            }
            for fill in reversed(self.fills)
            if fill.order.key == key
            and query.get("instId") in {None, _inst_id(fill.order.spec)}
            and query.get("ordId") in {None, fill.order.number}
            and int(query.get("begin", "0")) <= fill.moment_ms <= int(query.get("end", 10**13))
        ]
        return rows[: min(int(query.get("limit", ROWS_MAX)), ROWS_MAX)]


def _inst_id(spec: Spec) -> str:
    return spec.symbol.replace("/", "-")


def _order_row(order: Order) -> dict[str, str]:
    is_part = order.state == "live" and order.filled
    return {
        "instType": "SPOT",
        "instId": _inst_id(order.spec),
        "ordId": order.number,
        "clOrdId": order.client_id,
        "px": text(order.price),
        "sz": text(order.quantity),
        "accFillSz": text(order.filled),
        "avgPx": text(order.average) if order.average is not None else "",
        "side": order.side,
        "ordType": order.kind,
        "state": "partially_filled" if is_part else order.state,
        "fee": "",
        "feeCcy": "",
        "cTime": str(order.made_ms),
        "uTime": str(order.made_ms),
    }
