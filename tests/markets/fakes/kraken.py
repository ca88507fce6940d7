"""A small venue that speaks the Kraken REST protocol: as unlike binance as ccxt knows.

Used like ``FakeOkx``; the secret must be base64. Orders are acknowledged with nothing but their
id, our own id is found by search only, fees are taken in the quote asset, nonces must rise.
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
    Fill,
    Order,
    Refusal,
    Refused,
    Spec,
    now_ms,
    text,
)
from tests.markets.fakes.server import Reply, Request

ERRORS: Mapping[Refusal, str] = {
    Refusal.BAD_SIGNATURE: "EAPI:Invalid signature",
    Refusal.BAD_KEY: "EAPI:Invalid key",
    Refusal.BAD_NONCE: "EAPI:Invalid nonce",
    Refusal.UNKNOWN_MARKET: "EQuery:Unknown asset pair",
    Refusal.INSUFFICIENT_FUNDS: "EOrder:Insufficient funds",
    Refusal.DUPLICATE_CLIENT_ID: "EOrder:Duplicate client order id",
    Refusal.TOO_SMALL: "EGeneral:Invalid arguments:volume minimum not met",
    Refusal.UNKNOWN_ORDER: "EOrder:Unknown order",
    Refusal.NOT_CANCELLABLE: "EOrder:Unknown order",
}
NAMES = {"BTC": "XXBT", "ETH": "XETH"}
PAIR_NAMES = {"BTC": "XBT"}
ROWS_MAX = 50


class FakeKraken(FakeExchange):
    """The venue and its REST protocol."""

    taker_fee = Decimal("0.0026")
    is_fee_in_quote = True

    def __init__(self, markets: Sequence[Spec] = DEFAULT_MARKETS) -> None:
        super().__init__(markets)
        self._routes: Mapping[str, Callable[[Mapping[str, str], str], Any]] = {
            "public/Time": lambda _p, _k: {"unixtime": now_ms() // 1_000},
            "public/AssetPairs": self._pairs,
            "public/Depth": self._depth,
            "public/Ticker": self._ticker,
            "public/OHLC": self._candles,
            "private/BalanceEx": self._balance,
            "private/AddOrder": self._add,
            "private/CancelOrder": self._cancel,
            "private/QueryOrders": self._query,
            "private/OpenOrders": lambda p, k: {"open": self._rows(p, self.live_orders(k))},
            "private/ClosedOrders": self._closed,
            "private/TradesHistory": self._trades,
            "private/TradeVolume": lambda _p, _k: {"currency": "ZUSD", "fees": {}},
        }

    def respond(self, request: Request) -> Reply:
        path = request.path.partition("/0/")[2]
        call = self._routes.get(path)
        if call is None:
            return Reply({"error": ["EGeneral:Unknown method"]}, 404)
        try:
            key = "" if path.startswith("public/") else self._authenticate(request)
            with self.lock:
                params = request.form if request.method == "POST" else request.query
                return Reply({"error": [], "result": call(params, key)})
        except Refused as refused:
            return Reply({"error": [ERRORS[refused.reason]]})

    def _authenticate(self, request: Request) -> str:
        key = request.headers.get("api-key", "")
        account = self.accounts.get(key)
        if account is None:
            raise Refused(Refusal.BAD_KEY)
        nonce = request.form.get("nonce", "0")
        path = "/0/" + request.path.partition("/0/")[2]
        digest = hashlib.sha256((nonce + request.body).encode()).digest()
        signed = hmac.new(
            base64.b64decode(account.secret), path.encode() + digest, hashlib.sha512
        ).digest()
        if request.headers.get("api-sign") != base64.b64encode(signed).decode():
            raise Refused(Refusal.BAD_SIGNATURE)
        with self.lock:
            if int(nonce) <= account.nonce:
                raise Refused(Refusal.BAD_NONCE)
            account.nonce = int(nonce)
        return key

    def _pair(self, params: Mapping[str, str]) -> Spec:
        for spec in self.markets.values():
            if _pair_name(spec) == params.get("pair"):
                return spec
        raise Refused(Refusal.UNKNOWN_MARKET)

    def _pairs(self, _params: Mapping[str, str], _key: str) -> dict[str, Any]:
        return {
            _pair_name(spec): {
                "altname": _pair_name(spec),
                "wsname": spec.symbol,
                "base": NAMES.get(spec.assets[0], spec.assets[0]),
                "quote": NAMES.get(spec.assets[1], spec.assets[1]),
                "pair_decimals": _decimals(spec.tick),
                "lot_decimals": _decimals(spec.lot),
                "tick_size": spec.tick,
                "ordermin": spec.minimum,
                "costmin": "0.5",
                "fees": [[0, 0.26]],
                "fees_maker": [[0, 0.16]],
                "leverage_buy": [],
                "leverage_sell": [],
                "status": "online",
            }
            for spec in self.markets.values()
        }

    def _depth(self, params: Mapping[str, str], _key: str) -> dict[str, Any]:
        spec, size = self._pair(params), int(params.get("count", "100"))
        moment = now_ms() // 1_000
        sides = {
            side: [[text(price), text(left), moment] for price, left in levels[:size]]
            for side, levels in self.levels(spec.symbol).items()
        }
        return {_pair_name(spec): sides}

    def _ticker(self, params: Mapping[str, str], _key: str) -> dict[str, Any]:
        wanted = params.get("pair", "").split(",") if params.get("pair") else None
        rows = {}
        for spec in self.markets.values():
            book = self.levels(spec.symbol)
            if (wanted is None or _pair_name(spec) in wanted) and book["bids"] and book["asks"]:
                (bid, bid_size), (ask, ask_size) = book["bids"][0], book["asks"][0]
                rows[_pair_name(spec)] = {
                    "a": [text(ask), "1", text(ask_size)],
                    "b": [text(bid), "1", text(bid_size)],
                    "c": [text(bid), "0.1"],
                    "v": ["1.0", "2.5"],
                    "p": [text(bid), text(bid)],
                    "t": [1, 2],
                    "l": [text(bid), text(bid)],
                    "h": [text(ask), text(ask)],
                    "o": text(bid),
                }
        return rows

    def _candles(self, params: Mapping[str, str], _key: str) -> dict[str, Any]:
        start = now_ms() // 60_000 * 60
        row = ["10.1", "10.9", "9.8", "10.5", "10.2", "3.25", 7]
        return {_pair_name(self._pair(params)): [[start - 60, *row], [start, *row]], "last": start}

    def _balance(self, _params: Mapping[str, str], key: str) -> dict[str, Any]:
        account = self.accounts[key]
        return {
            NAMES.get(asset, asset): {
                "balance": text(account.total(asset)),
                "hold_trade": text(account.frozen.get(asset, Decimal(0))),
            }
            for asset in sorted(account.trading.keys() | account.frozen.keys())
        }

    def _add(self, params: Mapping[str, str], key: str) -> dict[str, Any]:
        spec = self._pair(params)
        order = self.place(
            key,
            symbol=spec.symbol,
            side=params["type"],
            kind={"IOC": "ioc", "FOK": "fok"}.get(params.get("timeinforce", ""), "limit"),
            quantity=params["volume"],
            price=params["price"],
            client_id=params.get("cl_ord_id", ""),
        )
        return {"descr": {"order": _description(order)}, "txid": [order.number]}

    def _cancel(self, params: Mapping[str, str], key: str) -> dict[str, Any]:
        self.cancel(self.find(key, number=params.get("txid"), client_id=params.get("cl_ord_id")))
        return {"count": 1}

    def _query(self, params: Mapping[str, str], key: str) -> dict[str, Any]:
        order = self.find(key, number=params.get("txid"), client_id=None)
        return {order.number: self._row(order)}

    def _closed(self, params: Mapping[str, str], key: str) -> dict[str, Any]:
        ended = [o for o in self.orders.values() if o.key == key and o.state != "live"]
        rows = self._rows(params, ended)
        return {"closed": rows, "count": len(rows)}

    def _rows(self, params: Mapping[str, str], orders: Sequence[Order]) -> dict[str, Any]:
        wanted = params.get("cl_ord_id")
        return {o.number: self._row(o) for o in orders if wanted in {None, o.client_id}}

    def _row(self, order: Order) -> dict[str, Any]:
        fills = [fill for fill in self.fills if fill.order is order]
        return {
            "refid": None,
            "userref": None,
            "cl_ord_id": order.client_id,
            "status": {"live": "open", "filled": "closed"}.get(order.state, order.state),
            "opentm": order.made_ms / 1_000,
            "descr": {
                "pair": _pair_name(order.spec),
                "type": order.side,
                "ordertype": "limit",
                "price": text(order.price),
                "price2": "0",
                "order": _description(order),
            },
            "vol": text(order.quantity),
            "vol_exec": text(order.filled),
            "cost": text(order.cost),
            "fee": text(sum((fill.fee for fill in fills), Decimal(0))),
            "price": text(order.average or Decimal(0)),
            "misc": "",
            "oflags": "fciq",
            "trades": [fill.number for fill in fills],
        }

    def _trades(self, params: Mapping[str, str], key: str) -> dict[str, Any]:
        since = float(params.get("start", "0"))
        fills = [
            fill
            for fill in reversed(self.fills)
            if fill.order.key == key and fill.moment_ms / 1_000 >= since
        ]
        start = int(params.get("ofs", "0"))
        rows = {fill.number: _trade_row(fill) for fill in fills[start : start + ROWS_MAX]}
        return {"trades": rows, "count": len(fills)}


def _trade_row(fill: Fill) -> dict[str, Any]:
    return {
        "ordertxid": fill.order.number,
        "pair": _pair_name(fill.order.spec),
        "time": fill.moment_ms / 1_000,
        "type": fill.order.side,
        "ordertype": "limit",
        "price": text(fill.price),
        "cost": text(fill.price * fill.quantity),
        "fee": text(fill.fee),
        "vol": text(fill.quantity),
        "maker": False,
    }


def _description(order: Order) -> str:
    pair = _pair_name(order.spec)
    return f"{order.side} {text(order.quantity)} {pair} @ limit {text(order.price)}"


def _pair_name(spec: Spec) -> str:
    return "".join(PAIR_NAMES.get(asset, asset) for asset in spec.assets)


def _decimals(step: str) -> int:
    return len(step.partition(".")[2])
