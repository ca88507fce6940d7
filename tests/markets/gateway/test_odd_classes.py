"""Paths that only classes with gaps take; a ccxt class of our own has exactly those gaps."""

from collections.abc import Iterator
from decimal import Decimal as D
from typing import Any

import ccxt
import pytest

from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import OrderRequest, Side
from markets.errors import NotSupportedByVenue, OrderAbsent, VenueRateLimited, VenueUnavailable
from markets.gateway import client as client_module
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.catalog import Catalog
from markets.gateway.ccxt_rest import CcxtRestGateway
from markets.gateway.client import RateKept
from markets.gateway.limiter import TooManyRequests, in_background
from markets.gateway.quirks import Lookup, Quirks

SYMBOL = "BTC/USDT"


class Odd(ccxt.Exchange):  # type: ignore[misc]  # ccxt has no types
    """A class that says of itself what a test wants, and sends nothing."""

    abilities: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    asked: list[tuple[Any, ...]] = []

    def describe(self) -> Any:
        return self.deep_extend(
            super().describe(),
            {"id": "odd", "has": {"spot": True, **self.abilities}, "timeframes": {"1m": "1m"},
             "precisionMode": ccxt.TICK_SIZE, "fees": {"trading": {"maker": 0, "taker": 0}}},
        )  # fmt: skip

    def fetch_markets(self, params: Any = None) -> Any:
        return [
            {"id": name, "symbol": name, "base": name.split("/")[0], "quote": "USDT", "spot": True,
             "precision": {"amount": "1", "price": "1"}, "limits": {}, "feeSide": "quote"}
            for name in (SYMBOL, "ETH/USDT")
        ]  # fmt: skip


def _add(name: str) -> None:
    def call(self: Odd, *arguments: Any) -> Any:
        Odd.asked.append((name, *arguments))
        answer = Odd.answers[name]
        answer = answer(*arguments) if callable(answer) else answer
        self.raw_answer = [answer]
        self.sent_count += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    setattr(Odd, name, call)


for _name in ("fetch_ticker", "fetch_tickers", "fetch_order", "fetch_open_orders",
              "fetch_closed_orders", "fetch_my_trades", "fetch_trading_fee", "cancel_order",
              "fetch_order_book", "fetch_currencies", "fetch_deposit_address"):  # fmt: skip
    _add(_name)


@pytest.fixture(autouse=True)
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Odd]]:
    monkeypatch.setattr(Odd, "abilities", {})
    monkeypatch.setattr(Odd, "answers", {})
    monkeypatch.setattr(Odd, "asked", [])
    monkeypatch.setattr(ccxt, "odd", Odd, raising=False)
    monkeypatch.setattr(ccxt, "exchanges", [*ccxt.exchanges, "odd"])
    yield Odd
    client_module._checked_class.cache_clear()
    client_module._market_options.cache_clear()


def _gateway(quirks: Quirks | None = None) -> VenueGateway:
    spec = VenueSpec("odd-venue", "odd", "http://127.0.0.1:9")
    gateway = CcxtRestGateway(spec, Credentials("k", "s"), Catalog(spec, timeout_ms=100))
    if quirks is not None:
        gateway._session.quirks = gateway._quirks = quirks
    return gateway


def _ticker(symbol: str) -> dict[str, Any]:
    return {"symbol": symbol, "bid": "1", "ask": "2"}


def test_a_class_without_single_tickers_is_asked_for_many() -> None:
    Odd.abilities = {"fetchTicker": False, "fetchTickers": True}
    Odd.answers = {"fetch_tickers": {SYMBOL: _ticker(SYMBOL)}}

    assert _gateway().fetch_ticker(SYMBOL).bid == D(1)
    assert Odd.asked == [("fetch_tickers", [SYMBOL])]


def test_a_class_without_many_tickers_is_asked_one_by_one_but_not_for_all() -> None:
    Odd.abilities = {"fetchTicker": True, "fetchTickers": False}
    Odd.answers = {"fetch_ticker": _ticker}

    assert list(_gateway().fetch_tickers([SYMBOL, "ETH/USDT"])) == [SYMBOL, "ETH/USDT"]
    with pytest.raises(NotSupportedByVenue):
        _gateway().fetch_tickers()


def test_fees_are_asked_one_by_one_or_not_at_all() -> None:
    Odd.abilities = {"fetchTradingFee": True, "fetchTradingFees": False}
    Odd.answers = {"fetch_trading_fee": {"maker": "0.1", "taker": "0.2"}}
    expected = FeeSchedule(D("0.1"), D("0.2"), FeeMode.QUOTE)
    assert _gateway().fetch_fees([SYMBOL]) == {SYMBOL: expected}

    Odd.abilities = {"fetchTradingFee": False, "fetchTradingFees": False}
    client_module._checked_class.cache_clear()
    assert _gateway().fetch_fees([SYMBOL]) == {}


@pytest.mark.parametrize(("wanted", "asked"), [(1, 5), (5, 5), (6, 20), (21, 20)])
def test_a_depth_that_the_venue_has_not_becomes_the_next_one_and_is_cut(
    wanted: int, asked: int
) -> None:
    rows = [[str(100 - n), "1"] for n in range(30)]
    Odd.answers = {"fetch_order_book": {"symbol": SYMBOL, "bids": rows, "asks": []}}

    book = _gateway(Quirks(book_depths=(5, 20))).fetch_book(SYMBOL, wanted)

    assert Odd.asked == [("fetch_order_book", SYMBOL, asked)]
    assert len(book.bids) == wanted


ROW = {"id": "7", "clientOrderId": "ours", "symbol": SYMBOL, "side": "buy", "amount": "1",
       "filled": "0", "status": "open"}  # fmt: skip


def test_an_order_is_searched_where_it_cannot_be_asked_for() -> None:
    Odd.abilities = {"fetchOrder": False, "fetchOpenOrders": True, "fetchClosedOrders": True}
    Odd.answers = {"fetch_open_orders": [], "fetch_closed_orders": [ROW]}
    gateway = _gateway(Quirks(lookup=Lookup.BY_PARAM, lookup_params=("own",)))

    assert gateway.fetch_order(symbol=SYMBOL, client_order_id="ours").venue_order_id == "7"
    assert gateway.fetch_order(symbol=SYMBOL, venue_order_id="7").client_order_id == "ours"
    assert Odd.asked[0] == ("fetch_open_orders", SYMBOL, None, None, {"own": "ours"})
    with pytest.raises(OrderAbsent):
        gateway.fetch_order(symbol=SYMBOL, client_order_id="another")
    with pytest.raises(OrderAbsent):
        gateway.fetch_order(symbol=SYMBOL, venue_order_id="8")


def test_lists_that_do_not_show_our_ids_prove_no_absence() -> None:
    Odd.abilities = {"fetchOrder": False, "fetchOpenOrders": True}
    Odd.answers = {"fetch_open_orders": [{**ROW, "clientOrderId": None}]}

    with pytest.raises(NotSupportedByVenue):
        _gateway().fetch_order(symbol=SYMBOL, client_order_id="ours")


def test_without_lists_there_is_no_look_up() -> None:
    Odd.abilities = {"fetchOrder": False}

    with pytest.raises(NotSupportedByVenue):
        _gateway().fetch_order(symbol=SYMBOL, client_order_id="ours")


def test_an_order_that_can_only_be_cancelled_by_the_venues_id_is_looked_up_first() -> None:
    Odd.abilities = {"fetchOrder": False, "fetchOpenOrders": True}
    Odd.answers = {"fetch_open_orders": [ROW], "cancel_order": {"id": "7"}}

    _gateway().cancel_order(symbol=SYMBOL, client_order_id="ours")

    assert Odd.asked[-1] == ("cancel_order", "7", SYMBOL, {})


def test_a_cancellation_that_is_pending_was_accepted() -> None:
    Odd.abilities = {"fetchOpenOrders": True}
    Odd.answers = {"fetch_open_orders": [ROW], "cancel_order": ccxt.CancelPending("soon")}

    _gateway().cancel_order(symbol=SYMBOL, client_order_id="ours")


def test_networks_that_cannot_be_had_are_gone_without_and_asked_for_again() -> None:
    Odd.abilities = {"fetchDepositAddress": True, "fetchCurrencies": True}
    Odd.answers = {
        "fetch_currencies": ccxt.NetworkError("down"),
        "fetch_deposit_address": {"currency": "USDT", "address": "here"},
    }
    gateway = _gateway()

    assert gateway.fetch_deposit_address("USDT").address == "here"
    Odd.answers["fetch_currencies"] = {"USDT": {"id": "usdt", "code": "USDT"}}
    gateway.fetch_deposit_address("USDT")
    gateway.fetch_deposit_address("USDT")

    assert [name for name, *_ in Odd.asked].count("fetch_currencies") == 2


def test_a_bug_of_a_class_is_a_failed_read_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Odd.abilities = {"fetchTicker": True}
    Odd.answers = {"fetch_ticker": KeyError("no such key")}

    with pytest.raises(VenueUnavailable):
        _gateway().fetch_ticker(SYMBOL)

    assert "Unforeseen error in a call to odd-venue" in caplog.text


def test_the_time_of_a_class_that_tells_none_is_not_supported() -> None:
    with pytest.raises(NotSupportedByVenue):
        _gateway().fetch_time_ms()


def test_orders_of_a_class_that_creates_none_are_refused_unsent() -> None:
    Odd.answers = {}

    with pytest.raises(NotSupportedByVenue):
        _gateway().submit_order(OrderRequest(SYMBOL, Side.BUY, D(1), "ours", price=D(1)))

    assert Odd.asked == []


@pytest.mark.parametrize("is_blocked", [False, True])
def test_a_read_that_was_held_back_goes_again_in_the_background_only(is_blocked: bool) -> None:
    refusals: list[Any] = [RateKept(TooManyRequests(2, is_blocked=is_blocked))] * 2
    Odd.abilities = {"fetchOpenOrders": True}
    Odd.answers = {"fetch_open_orders": lambda _symbol: refusals.pop() if refusals else []}

    with pytest.raises(VenueRateLimited):
        _gateway().fetch_open_orders(SYMBOL)
    with in_background():
        if is_blocked:
            with pytest.raises(VenueRateLimited):
                _gateway().fetch_open_orders(SYMBOL)
        else:
            assert _gateway().fetch_open_orders(SYMBOL) == []

    assert len(Odd.asked) == (2 if is_blocked else 3)


@pytest.fixture
def addresses() -> None:
    """A venue that calls Tron "tron-id", and its word for it is TRC20."""
    Odd.abilities = {"fetchDepositAddress": True, "fetchCurrencies": True}
    networks = {"TRC20": {"id": "tron-id"}, "ERC20": {"id": "ether-id"}}
    Odd.answers = {
        "fetch_currencies": {"USDT": {"id": "usdt", "code": "USDT", "networks": networks}},
        "fetch_deposit_address": {"currency": "USDT", "address": "here"},
    }


@pytest.mark.parametrize(
    ("asked", "stated", "told"),
    [
        ("TRC20", "TRC20", "TRC20"),
        ("TRC20", "tron-id", "TRC20"),
        ("tron-id", "tron-id", "tron-id"),
        ("TRC20", "ERC20", "ERC20"),
        ("TRC20", "ether-id", "ether-id"),
        ("TRC20", None, None),
        (None, "ERC20", "ERC20"),
    ],
)
def test_an_address_is_on_the_network_that_the_venue_says_whatever_was_asked_for(
    addresses: None, asked: str | None, stated: str | None, told: str | None
) -> None:
    Odd.answers["fetch_deposit_address"]["network"] = stated

    assert _gateway().fetch_deposit_address("USDT", asked).network == told


@pytest.mark.parametrize("error", [KeyError("a table"), ccxt.ExchangeError("load the markets")])
def test_a_class_that_stumbles_over_the_name_of_a_network_does_not_know_it(
    addresses: None, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def stumble(*_names: Any) -> Any:
        raise error

    monkeypatch.setattr(Odd, "network_id_to_code", stumble)
    monkeypatch.setattr(Odd, "network_code_to_id", stumble)

    for stated in ("TRC20", "ERC20"):
        Odd.answers["fetch_deposit_address"]["network"] = stated
        assert _gateway().fetch_deposit_address("USDT", "TRC20").network == stated
