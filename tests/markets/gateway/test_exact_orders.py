"""Orders leave with exactly the digits they were given, class by class."""

from decimal import Decimal as D
from typing import Any
from urllib.parse import unquote

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.client import build_client
from markets.gateway.order_calls import wire_number

CREDENTIALS = Credentials("k" * 32, "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "pass")

# Classes whose orders go out with exactly the digits they were given; measured, and held here so
# that an upgrade of ccxt cannot change it unseen.
EXACT = [
    "alpaca", "bequant", "bigone", "bingx", "bit2c", "bitbank", "bitfinex", "bitflyer", "bitget",
    "bithumb", "bitopro", "bitso", "bitstamp", "bitteam", "blockchaincom", "btcbox", "btcmarkets",
    "btcturk", "btse", "coinbase", "coinbaseexchange", "coincheck", "coinmate", "coinsph",
    "cryptocom", "cryptomus", "deepcoin", "deribit", "digifinex", "fmfwio", "foxbit", "gate",
    "gateeu", "hashkey", "hitbtc", "hollaex", "independentreserve", "indodax", "kraken", "latoken",
    "lbank", "luno", "mercado", "mexc", "myokx", "okx", "okxus", "onetrading", "p2b", "poloniex",
    "toobit", "upbit", "weex", "whitebit", "woo", "xt",
]  # fmt: skip


class _Captured(Exception):
    pass


@pytest.mark.parametrize("ccxt_id", EXACT)
def test_orders_go_out_with_exactly_the_digits_they_were_given(ccxt_id: str) -> None:
    client = build_client(VenueSpec("v", ccxt_id), CREDENTIALS, timeout_ms=1)
    client.uid = "1"
    step = "0.00000001" if client.precisionMode == ccxt.TICK_SIZE else 8
    quantity, price = D("1.23456789"), D("12345.67890123")
    if client.precisionMode == ccxt.SIGNIFICANT_DIGITS:
        quantity, price = D("1.2345678"), D("12345.678")
    client.set_markets([_market(client, step)])
    sent: list[str] = []

    def capture(url: str, _method: str = "", _headers: Any = None, body: Any = None) -> None:
        sent.append(unquote(f"{url} {body}"))
        raise _Captured

    client.fetch = capture
    with pytest.raises(_Captured):
        client.create_order(
            "BTC/USDT", "limit", "buy", wire_number(quantity), wire_number(price),
            {"clientOrderId": "arbtests0000000000000001", "timeInForce": "IOC"},
        )  # fmt: skip

    assert str(quantity) in sent[-1]
    assert str(price) in sent[-1]


@given(st.decimals(min_value=0, max_value=10**15, places=18))
def test_a_number_for_ccxt_is_a_float_only_where_that_says_the_same(value: D) -> None:
    assert D(str(wire_number(value))) == value


def _market(client: Any, step: Any) -> dict[str, Any]:
    market: dict[str, Any] = client.safe_market_structure(
        {
            "id": "BTCUSDT",
            "lowercaseId": "btcusdt",
            "symbol": "BTC/USDT",
            "base": "BTC",
            "quote": "USDT",
            "baseId": "BTC",
            "quoteId": "USDT",
            "type": "spot",
            "spot": True,
            "contract": False,
            "active": True,
            "precision": {"amount": step, "price": step},
            "limits": {"amount": {}, "price": {}, "cost": {}},
            "info": {"baseAsset": "BTC", "quoteAsset": "USDT"},
        }
    )
    return market
