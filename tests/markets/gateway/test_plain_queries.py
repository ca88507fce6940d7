"""A query that needs no quoting is written at once, and is the one that the class would write."""

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.gateway.client import exchange_class

OURS = exchange_class("binance")()
VALUES = st.one_of(
    st.text(),
    st.text("abcXYZ019._~-"),
    st.sampled_from(["a&b", "a=b", "a b", "a/b", "ä", "1e+16", ""]),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=3), max_size=3),
)
ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "0.25",
    "price": "50000",
    "newClientOrderId": "x-TKT5PX2F0123456789abcdef",
    "timeInForce": "IOC",
    "timestamp": 1_795_685_377_571,
    "recvWindow": 5_000,
}


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=6), st.booleans())
def test_it_is_the_text_of_the_class(params, doseq):
    assert OURS.urlencode(params) == ccxt.binance.urlencode(params)
    assert OURS.urlencode(params, doseq) == ccxt.binance.urlencode(params, doseq)


def test_an_order_is_not_looked_at_for_what_to_quote(monkeypatch):
    expected = ccxt.binance.urlencode(ORDER)
    monkeypatch.setattr("urllib.parse.urlencode", lambda *_args, **_named: pytest.fail("quoted"))

    assert OURS.urlencode(ORDER) == expected
