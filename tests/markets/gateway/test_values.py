"""ccxt's dictionaries become our values, or are refused; without any venue."""

from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.funds import DepositAddress, PermissionFinding, VenueTransferStatus
from markets.domain.orders import OrderRequest, Side, TimeInForce, VenueOrderStatus
from markets.errors import NotSupportedByVenue
from markets.gateway import account_data, answers, market_data, order_data
from markets.gateway.error_map import Malformed
from markets.gateway.funds_calls import withdraw
from markets.gateway.order_calls import check_order, own_id
from markets.gateway.permissions import findings
from markets.gateway.quirks import COMMON, PermissionProbe, Quirks

SYMBOL = "BTC/USDT"
REQUEST = OrderRequest(SYMBOL, Side.BUY, D("0.5"), "arbtests0000000000000001", price=D(60_000))
ORDER: dict[str, Any] = {
    "id": "77",
    "clientOrderId": REQUEST.client_order_id,
    "symbol": SYMBOL,
    "side": "buy",
    "status": "open",
    "amount": "0.5",
    "filled": "0",
    "price": "60000",
    "timestamp": 5,
}
TRADE: dict[str, Any] = {
    "id": "t1",
    "order": "77",
    "symbol": SYMBOL,
    "side": "buy",
    "price": "60000",
    "amount": "0.5",
    "cost": "30000",
    "timestamp": 9,
    "takerOrMaker": "taker",
    "fee": {"cost": "0.0005", "currency": "BTC"},
}
MARKET: dict[str, Any] = {
    "symbol": SYMBOL,
    "spot": True,
    "active": True,
    "precision": {"price": "0.1", "amount": "0.001"},
    "limits": {"amount": {"min": "0.001", "max": "100"}, "cost": {"min": "5"}},
    "maker": "0.0008",
    "taker": "0.001",
    "feeSide": "get",
}


def _parse(**changes: Any) -> Any:
    return order_data.parse_new_order({**ORDER, **changes}, REQUEST)


# -- orders


@pytest.mark.parametrize(
    ("word", "filled", "expected"),
    [
        ("open", "0", VenueOrderStatus.OPEN),
        ("open", "0.2", VenueOrderStatus.OPEN),
        (None, None, VenueOrderStatus.OPEN),
        ("canceling", "0", VenueOrderStatus.OPEN),
        ("closed", "0.5", VenueOrderStatus.FILLED),
        ("closed", "0.2", VenueOrderStatus.CANCELED),
        ("canceled", "0.2", VenueOrderStatus.CANCELED),
        ("canceled", "0.5", VenueOrderStatus.FILLED),
        ("expired", "0", VenueOrderStatus.CANCELED),
        ("rejected", "0", VenueOrderStatus.REJECTED),
    ],
)
def test_words_for_the_state_of_an_order_are_reduced(
    word: Any, filled: Any, expected: VenueOrderStatus
) -> None:
    assert _parse(status=word, filled=filled).status is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"id": "  "},
        {"id": []},
        {"symbol": "ETH/USDT"},
        {"side": "sell"},
        {"clientOrderId": "another"},
        {"amount": "much"},
        {"filled": True},
    ],
)
def test_an_answer_that_does_not_prove_our_order_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        _parse(**changes)


@pytest.mark.parametrize("answer", [None, [], "text", 7])
def test_an_answer_that_is_no_order_is_refused(answer: Any) -> None:
    with pytest.raises(Malformed):
        order_data.parse_new_order(answer, REQUEST)


def test_what_a_terse_acknowledgement_leaves_out_is_known_from_the_request() -> None:
    order = order_data.parse_new_order({"id": 77}, REQUEST)

    assert order.venue_order_id == "77"
    assert order.client_order_id == REQUEST.client_order_id
    assert (order.side, order.quantity, order.price) == (Side.BUY, D("0.5"), D(60_000))
    assert (order.status, order.filled_quantity) == (VenueOrderStatus.OPEN, D(0))


def test_an_order_that_is_asked_for_must_state_its_size_and_side() -> None:
    for missing in ("amount", "side"):
        with pytest.raises(Malformed):
            order_data.parse_order(
                {**ORDER, missing: None}, symbol=SYMBOL, venue_order_id="77", client_order_id=None
            )


def test_another_order_than_the_one_asked_for_is_refused() -> None:
    for ids in (("78", None), (None, "another")):
        with pytest.raises(Malformed):
            order_data.parse_order(
                ORDER, symbol=SYMBOL, venue_order_id=ids[0], client_order_id=ids[1]
            )


def test_fills_that_come_with_the_order_are_read() -> None:
    sparse = {"id": "t1", "price": "60000", "amount": "0.5", "fee": {}}

    order = _parse(status="closed", filled="0.5", average="60000", trades=[sparse])

    (fill,) = order.fills
    assert (fill.venue_trade_id, fill.venue_order_id, fill.side) == ("t1", "77", Side.BUY)
    assert (fill.symbol, fill.executed_at_ms, fill.fee) == (SYMBOL, 5, None)
    assert order.average_price == D(60_000)


@pytest.mark.parametrize(
    "trades",
    [
        None,
        "none",
        [{"id": "t1"}],
        [{**TRADE, "amount": "0.4"}],
        [{**TRADE, "symbol": "ETH/USDT"}],
        [TRADE, TRADE],
    ],
)
def test_fills_that_do_not_add_up_are_left_out_so_that_they_are_asked_for(trades: Any) -> None:
    assert _parse(status="closed", filled="0.5", trades=trades).fills == ()


def test_a_cancellation_must_name_an_order_or_have_a_place_for_one() -> None:
    order_data.check_cancellation({"id": "7"}, {})
    order_data.check_cancellation({"clientOrderId": "x"}, {})
    order_data.check_cancellation({"id": None}, {"result": {"count": 1}})
    for answer in (None, {"id": None}, {}):
        with pytest.raises(Malformed):
            order_data.check_cancellation(answer, {"status": "maintenance"})


# -- fills


def test_a_fill_keeps_every_digit() -> None:
    fill = order_data.parse_fill(TRADE, symbol=SYMBOL)

    assert (fill.price, fill.quantity, fill.cost) == (D(60_000), D("0.5"), D(30_000))
    assert (fill.fee, fill.fee_asset, fill.is_maker) == (D("0.0005"), "BTC", False)


@pytest.mark.parametrize("missing", ["id", "order", "price", "amount", "side", "timestamp"])
def test_a_fill_without_what_identifies_it_is_refused(missing: str) -> None:
    with pytest.raises(Malformed):
        order_data.parse_fill({**TRADE, missing: None}, symbol=SYMBOL)


@pytest.mark.parametrize(
    ("fees", "expected"),
    [
        ({"fee": None}, (None, None)),
        ({"fee": {"cost": None, "currency": "BTC"}}, (None, None)),
        ({"fee": {"cost": "1", "currency": None}}, (None, None)),
        ({"fees": [{"cost": "1", "currency": "X"}, {"cost": "2", "currency": "X"}]}, (D(3), "X")),
        ({"fees": [{"cost": "1", "currency": "X"}, {"cost": "2", "currency": "Y"}]}, (None, None)),
        ({"fee": {"cost": "-0.1", "currency": "BTC"}}, (D("-0.1"), "BTC")),
    ],
)
def test_a_fee_is_taken_over_only_if_it_is_stated_in_one_asset(
    fees: dict[str, Any], expected: tuple[Any, Any]
) -> None:
    fill = order_data.parse_fill({**TRADE, "fee": None, **fees}, symbol=SYMBOL)

    assert (fill.fee, fill.fee_asset) == expected


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from(["1", "2"]))))
def test_fills_come_once_each_oldest_first_and_of_the_order_only(
    rows: list[tuple[int, int, str]],
) -> None:
    trades = [
        {**TRADE, "id": f"{order}-{number}", "timestamp": number, "order": order}
        for number, _same, order in rows
    ]

    fills = order_data.parse_fills(trades, symbol=SYMBOL, order_id="1", is_of_order=False)

    wanted = sorted({number for number, _same, order in rows if order == "1"})
    assert [fill.executed_at_ms for fill in fills] == wanted


def test_trades_of_an_order_may_leave_it_unsaid() -> None:
    trade = {**TRADE, "order": None}

    (fill,) = order_data.parse_fills([trade], symbol=SYMBOL, order_id="77", is_of_order=True)
    assert fill.venue_order_id == "77"
    with pytest.raises(Malformed):
        order_data.parse_fills([trade], symbol=SYMBOL, order_id="77", is_of_order=False)


# -- market data


@pytest.mark.parametrize(
    ("fee_side", "own", "expected"),
    [
        ("get", None, FeeMode.RECEIVED),
        ("give", None, FeeMode.GIVEN),
        ("quote", None, FeeMode.QUOTE),
        ("other", None, FeeMode.RECEIVED),
        (None, None, FeeMode.RECEIVED),
        ("get", FeeMode.QUOTE, FeeMode.QUOTE),
    ],
)
def test_the_coin_of_the_fee_is_ccxts_word_unless_we_know_better(
    fee_side: Any, own: Any, expected: FeeMode
) -> None:
    quirks = Quirks(fee_mode=own)

    rules = market_data.parse_rules({**MARKET, "feeSide": fee_side}, "v", quirks, ccxt.TICK_SIZE)

    assert rules is not None
    assert rules.fees == FeeSchedule(D("0.0008"), D("0.001"), expected)


@pytest.mark.parametrize(
    ("mode", "stated", "expected"),
    [
        (ccxt.TICK_SIZE, "0.05", "0.05"),
        (ccxt.TICK_SIZE, 1e-10, "1e-10"),
        (ccxt.TICK_SIZE, "0", "1e-8"),
        (ccxt.TICK_SIZE, None, "1e-8"),
        (ccxt.DECIMAL_PLACES, 3, "0.001"),
        (ccxt.DECIMAL_PLACES, "0", "1"),
        (ccxt.DECIMAL_PLACES, "-2", "100"),
        (ccxt.SIGNIFICANT_DIGITS, 5, "1e-8"),
    ],
)
def test_every_way_to_state_a_step_is_understood(mode: int, stated: Any, expected: str) -> None:
    market = {**MARKET, "precision": {"price": stated, "amount": stated}}

    rules = market_data.parse_rules(market, "v", COMMON, mode)

    assert rules is not None
    assert (rules.tick, rules.lot) == (D(expected), D(expected))


@pytest.mark.parametrize(
    "changes",
    [{"spot": False}, {"contract": True}, {"symbol": "BTC/USDT:USDT"}, {"symbol": None},
     {"symbol": "币安人生/USDT"}],
)  # fmt: skip
def test_markets_that_are_not_spot_or_cannot_be_named_are_left_out(changes: Any) -> None:
    assert market_data.parse_rules({**MARKET, **changes}, "v", COMMON, ccxt.TICK_SIZE) is None


def test_limits_that_are_not_stated_bind_nothing() -> None:
    bare = {**MARKET, "limits": None, "maker": None, "taker": None, "active": None}

    rules = market_data.parse_rules(bare, "v", COMMON, ccxt.TICK_SIZE)

    assert rules is not None
    assert (rules.quantity_min, rules.quantity_max, rules.notional_min) == (D(0), None, D(0))
    assert (rules.fees.maker, rules.fees.taker, rules.is_active) == (D(0), D(0), True)


def _book(answer: Any, raw: Any = None, depth: int = 5) -> Any:
    return market_data.parse_book(
        answer, raw, venue="v", symbol=SYMBOL, depth=depth, received_at_ms=1
    )


def test_levels_without_quantity_or_price_are_dropped() -> None:
    book = _book({"bids": [["9", "0"], ["8", "1"]], "asks": [["0", "1"]]})

    assert [level.price for level in book.bids] == [D(8)]
    assert book.asks == ()


@pytest.mark.parametrize(
    "raw",
    [
        {"bids": [], "asks": []},
        {"data": [{"asks": [], "bids": []}]},
        {"result": {"b": [], "a": []}},
        {"result": {"XBTUSDT": {"bids": [], "asks": []}}},
        [{"bids": [], "asks": []}],
    ],
)
def test_an_empty_book_is_believed_where_the_venue_has_its_sides(raw: Any) -> None:
    assert _book({"bids": [], "asks": []}, raw).bids == ()


@pytest.mark.parametrize(
    ("answer", "raw"),
    [
        (None, None),
        ({}, {}),
        ({"bids": [], "asks": []}, {"status": "maintenance"}),
        ({"bids": [], "asks": []}, None),
        ({"bids": [], "asks": []}, {"a": {"b": {"c": {"d": {"bids": [], "asks": []}}}}}),
        ({"bids": [["x", "1"]], "asks": []}, None),
        ({"bids": [[None, "1"]], "asks": []}, None),
        ({"bids": [], "asks": [], "symbol": "ETH/USDT"}, {"bids": [], "asks": []}),
    ],
)
def test_what_is_no_book_of_this_market_is_refused(answer: Any, raw: Any) -> None:
    with pytest.raises(Malformed):
        _book(answer, raw)


def _ticker(answer: Any) -> Any:
    return market_data.parse_ticker(answer, venue="v", symbol=SYMBOL, received_at_ms=1)


def test_a_ticker_needs_one_price_of_this_market() -> None:
    assert _ticker({"symbol": SYMBOL, "last": "5"}).last == D(5)
    for answer in (None, {}, {"symbol": SYMBOL}, {"symbol": SYMBOL, "bid": "0"},
                   {"symbol": "ETH/USDT", "last": "5"}):  # fmt: skip
        with pytest.raises(Malformed):
            _ticker(answer)


def _tickers(answer: Any, raw: Any) -> Any:
    return market_data.parse_tickers(
        answer, raw, venue="v", symbols=[SYMBOL, "ETH/USDT"], received_at_ms=1
    )


def test_tickers_without_any_price_are_left_out() -> None:
    rows = {SYMBOL: {"symbol": SYMBOL, "last": "5"}, "ETH/USDT": {"symbol": "ETH/USDT"}, "X/Y": 1}

    assert list(_tickers(rows, [])) == [SYMBOL]
    assert _tickers({}, []) == {}
    with pytest.raises(Malformed):
        _tickers({}, {"status": "maintenance"})


def test_bars_are_sorted_and_broken_ones_refused() -> None:
    rows = [[2, "1", "2", "0.5", "1.5", None], [1, "1", "2", "0.5", "1.5", "7"]]

    bars = market_data.parse_candles(rows, rows)

    assert [(bar.opened_at_ms, bar.volume) for bar in bars] == [(1, D(7)), (2, D(0))]
    for broken in ([[1, "1"]], ["x"], [[None, "1", "1", "1", "1", "1"]], [[1, None, 1, 1, 1, 1]]):
        with pytest.raises(Malformed):
            market_data.parse_candles(broken, broken)


# -- funds


def _balances(answer: Any, raw: Any = None) -> Any:
    return {
        asset: (balance.free, balance.held)
        for asset, balance in account_data.parse_balances(answer, raw).items()
    }


def test_balances_are_completed_from_two_of_the_three_numbers() -> None:
    rows = {
        "A": {"free": "1", "used": "2", "total": "3"},
        "B": {"free": None, "used": "2", "total": "3"},
        "C": {"free": "1", "used": None, "total": "3"},
        "D": {"free": None, "used": None, "total": "3"},
        "E": {"free": "1", "used": None, "total": None},
        "F": {"free": "0", "used": "0", "total": "0"},
    }

    assert _balances({**rows, "total": dict.fromkeys(rows)}) == {
        "A": (D(1), D(2)),
        "B": (D(1), D(2)),
        "C": (D(1), D(2)),
        "D": (D(3), D(0)),
        "E": (D(1), D(0)),
    }


def test_an_empty_account_is_believed_where_the_venue_has_a_place_for_balances() -> None:
    assert _balances({"total": {}}, {"balances": []}) == {}
    assert _balances({"total": {}}, []) == {}
    for answer, raw in (({"total": {}}, {"status": "maintenance"}), ({}, None), (None, []),
                        ({"total": {"A": "1"}}, [])):  # fmt: skip
        with pytest.raises(Malformed):
            _balances(answer, raw)


def test_fees_that_the_venue_does_not_tell_are_left_out() -> None:
    rows = {SYMBOL: {"maker": "0.1", "taker": "0.2"}, "A/B": {"maker": None, "taker": "1"}, "C": 1}
    markets = {SYMBOL: {"feeSide": "give"}}

    found = account_data.parse_fees(rows, [], markets, [SYMBOL, "A/B", "C", "D"], COMMON)

    assert found == {SYMBOL: FeeSchedule(D("0.1"), D("0.2"), FeeMode.GIVEN)}
    with pytest.raises(Malformed):
        account_data.parse_fees({}, {"status": "maintenance"}, {}, [SYMBOL], COMMON)


ROW: dict[str, Any] = {
    "id": "w1",
    "txid": "0xabc",
    "type": "withdrawal",
    "amount": "9",
    "fee": {"cost": "1", "currency": "USDT"},
    "status": "ok",
    "address": "addr",
    "tag": "memo",
    "timestamp": 5,
    "info": {"ownId": "ours"},
}
OURS = Quirks(withdraw_id_key="ownId")


def _transfer(quirks: Quirks = OURS, **changes: Any) -> Any:
    return account_data.parse_transfer({**ROW, **changes}, asset="USDT", quirks=quirks)


def test_a_withdrawal_is_read_with_our_id() -> None:
    transfer = _transfer()

    assert (transfer.venue_transfer_id, transfer.client_transfer_id) == ("w1", "ours")
    assert (transfer.amount, transfer.fee, transfer.tx_id) == (D(9), D(1), "0xabc")
    assert (transfer.address, transfer.tag, transfer.updated_at_ms) == ("addr", "memo", 5)
    assert transfer.status is VenueTransferStatus.DONE


def test_what_left_is_stated_even_where_the_venue_states_what_arrives() -> None:
    net = Quirks(is_withdrawal_amount_net=True)

    assert _transfer(net).amount == D(10)
    assert _transfer(net, fee=None).amount == D(9)
    assert _transfer(net, type="deposit").amount == D(9)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("ok", VenueTransferStatus.DONE),
        ("pending", VenueTransferStatus.PENDING),
        (None, VenueTransferStatus.PENDING),
        ("failed", VenueTransferStatus.FAILED),
        ("canceled", VenueTransferStatus.FAILED),
        ("rejected", VenueTransferStatus.FAILED),
    ],
)
def test_words_for_the_state_of_a_transfer_are_reduced(
    word: Any, expected: VenueTransferStatus
) -> None:
    assert _transfer(status=word).status is expected


def test_a_transfer_needs_an_id_and_an_amount() -> None:
    assert _transfer(id=None).venue_transfer_id == "0xabc"
    assert _transfer(info=None).client_transfer_id is None
    with pytest.raises(Malformed):
        _transfer(id=None, txid=None)
    with pytest.raises(Malformed):
        _transfer(amount=None)


def test_transfers_come_oldest_first() -> None:
    rows = [{**ROW, "timestamp": moment} for moment in (3, None, 1)]

    found = account_data.parse_transfers(rows, asset="USDT", quirks=OURS)

    assert [transfer.updated_at_ms for transfer in found] == [None, 1, 3]


def test_an_address_must_be_there_and_for_the_asset() -> None:
    row = {"currency": "USDT", "address": "addr", "tag": "", "network": "TRC20"}

    found = account_data.parse_deposit_address(row, asset="USDT", network=None)

    assert found == DepositAddress("USDT", "addr", None, "TRC20")
    for changes in ({"address": None}, {"currency": "BTC"}):
        with pytest.raises(Malformed):
            account_data.parse_deposit_address({**row, **changes}, asset="USDT", network=None)


# -- bits


@pytest.mark.parametrize("value", ["x", True, "NaN", "Infinity", {}])
def test_numbers_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        answers.number_or_none(value)


def test_lists_must_be_lists() -> None:
    assert answers.require_list([1], None, "rows") == [1]
    assert answers.require_list([], {"data": []}, "rows") == []
    for value, raw in ((None, []), ({}, []), ([], {"error": []}), ([], None)):
        with pytest.raises(Malformed):
            answers.require_list(value, raw, "rows")


def test_moments_and_sequences_are_whole_numbers() -> None:
    assert answers.whole_or_none("12.9") == 12
    assert answers.whole_or_none(None) is None


@pytest.mark.parametrize(
    ("value", "expected"), [("t-arb1", "arb1"), ("arb1", "arb1"), (None, None), ("", None)]
)
def test_what_a_venue_puts_in_front_of_our_id_is_taken_off(value: Any, expected: Any) -> None:
    assert own_id({"clientOrderId": value}, Quirks(client_id_prefix="t-")) == expected


PROBE = PermissionProbe(
    method="m", path=("data", 0), flags={"read": ("r", ""), "trade": ("p", "trade")}
)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"r": True, "p": "read,trade"}, (True, True)),
        ({"r": "true", "p": ["trade"]}, (True, True)),
        ({"r": False, "p": "read"}, (False, False)),
        ({}, (None, None)),
    ],
)
def test_rights_are_read_from_flags_and_lists(flags: Any, expected: tuple[Any, Any]) -> None:
    found = {f.name: f.is_granted for f in findings({"data": [flags]}, PROBE)}

    assert (found["read"], found["trade"]) == expected
    assert found["withdraw"] is None


def test_a_key_that_could_read_may_read_if_nothing_else_is_known() -> None:
    assert findings(None, None)[0] == PermissionFinding("read", True)
    only_trade = PermissionProbe(method="m", flags={"trade": ("t", "")})
    assert findings({"t": True}, only_trade)[0] == PermissionFinding("read", True)


@pytest.mark.parametrize("answer", [None, {}, {"data": []}, {"data": ["x"]}, {"data": {}}, 5])
def test_an_answer_without_rights_is_refused(answer: Any) -> None:
    with pytest.raises(Malformed):
        findings(answer, PROBE)


class FakeClient:
    """Stands in for a ccxt instance: notes what is withdrawn."""

    currencies: Any = {
        "USDT": {
            "networks": {
                "ERC20": {"id": "USDT-ERC20", "fee": "5"},
                "TRC20": {"id": "USDT-TRC20", "fee": "1.5"},
                "XXX": {"id": "USDT-XXX", "fee": None},
            }
        },
        "BTC": {"networks": {"BTC": {"id": "BTC-BTC", "fee": 0.0001}}},
    }
    features: Any = None

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def withdraw(self, *arguments: Any) -> dict[str, Any]:
        self.sent.append(arguments)
        return {"id": "1"}

    amount_to_precision: Callable[..., str] = staticmethod(lambda _symbol, value: str(value))
    price_to_precision = amount_to_precision


ON_TOP = Quirks(is_withdrawal_fee_on_top=True, withdraw_id_param="clientId")


def _withdraw(quirks: Quirks, destination: DepositAddress, amount: str = "10") -> list[Any]:
    client = FakeClient()
    withdraw(client, quirks, amount=D(amount), destination=destination, client_transfer_id="ours")
    return client.sent


def test_a_withdrawal_names_tag_network_and_our_id() -> None:
    destination = DepositAddress("USDT", "addr", "memo", "TRC20")

    assert _withdraw(Quirks(withdraw_id_param="own"), destination) == [
        ("USDT", D(10), "addr", {"tag": "memo", "network": "TRC20", "own": "ours"})
    ]
    assert _withdraw(COMMON, DepositAddress("USDT", "addr")) == [("USDT", D(10), "addr", {})]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (DepositAddress("USDT", "a", network="TRC20"), "8.5"),
        (DepositAddress("USDT", "a", network="USDT-ERC20"), "5"),
        (DepositAddress("BTC", "a"), "9.9999"),
    ],
)
def test_where_the_fee_comes_on_top_exactly_the_amount_leaves(
    destination: DepositAddress, expected: str
) -> None:
    assert _withdraw(ON_TOP, destination)[0][1] == D(expected)


@pytest.mark.parametrize(
    "destination",
    [
        DepositAddress("USDT", "a"),
        DepositAddress("USDT", "a", network="XXX"),
        DepositAddress("USDT", "a", network="nosuch"),
        DepositAddress("SOL", "a"),
    ],
)
def test_a_fee_that_is_not_known_sends_nothing(destination: DepositAddress) -> None:
    with pytest.raises(ccxt.NotSupported):
        _withdraw(ON_TOP, destination)


def test_a_fee_that_leaves_nothing_sends_nothing() -> None:
    with pytest.raises(ccxt.InvalidOrder):
        _withdraw(ON_TOP, DepositAddress("USDT", "a", network="ERC20"), amount="5")


@pytest.mark.parametrize(
    ("time_in_force", "name"),
    [(TimeInForce.IOC, "IOC"), (TimeInForce.FOK, "FOK"), (TimeInForce.POST_ONLY, "PO")],
)
def test_a_time_in_force_that_the_class_has_not_is_refused_before_it_would_rest(
    time_in_force: TimeInForce, name: str
) -> None:
    client = FakeClient()
    request = OrderRequest(SYMBOL, Side.BUY, D(1), "id", price=D(1), time_in_force=time_in_force)
    check_order(client, request, "v")

    client.features = {"spot": {"createOrder": {"timeInForce": {name: False}}}}
    with pytest.raises(NotSupportedByVenue, match=time_in_force.value):
        check_order(client, request, "v")
