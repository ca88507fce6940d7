"""ccxt's orders and trades become our values, or are refused."""

from decimal import Decimal as D
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.orders import OrderRequest, Side, VenueOrderStatus
from markets.gateway import order_data
from markets.gateway.error_map import Malformed

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


def _parse(**changes: Any) -> Any:
    return order_data.parse_new_order({**ORDER, **changes}, REQUEST)


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
        ("canceled", "0.5", VenueOrderStatus.CANCELED),
        ("expired", "0", VenueOrderStatus.CANCELED),
        ("rejected", "0", VenueOrderStatus.REJECTED),
    ],
)
def test_words_for_the_state_of_an_order_are_reduced(
    word: Any, filled: Any, expected: VenueOrderStatus
) -> None:
    assert _parse(status=word, filled=filled).status is expected


@pytest.mark.parametrize("word", ["canceled", "expired", "rejected", "open", None])
def test_that_nothing_was_filled_is_told_from_an_answer_that_does_not_say(word: Any) -> None:
    silent, stated = _parse(status=word, filled=None), _parse(status=word, filled="0")

    assert (silent.filled_quantity, silent.is_filled_stated) == (D(0), False)
    assert (stated.filled_quantity, stated.is_filled_stated) == (D(0), True)
    assert silent.status is stated.status


@pytest.mark.parametrize(
    ("answer", "filled"),
    [
        ({"remaining": "0.3"}, D("0.2")),
        ({"remaining": "0.5"}, D(0)),
        ({"trades": [{**TRADE, "info": {}, "amount": "0.2"}]}, D("0.2")),
        ({"filled": "0"}, D(0)),
        ({}, None),
        ({"average": "60000", "cost": "12000"}, None),
    ],
    ids=["rest", "all_is_left", "executions", "zero", "nothing", "cost_alone"],
)
def test_what_ccxt_concludes_from_a_venues_own_figures_is_stated(
    answer: dict[str, Any], filled: D | None
) -> None:
    bare = {name: value for name, value in ORDER.items() if name != "filled"}
    row = ccxt.Exchange().safe_order({**bare, "type": "limit", "status": "canceled", **answer})

    order = order_data.parse_new_order(row, REQUEST)

    assert order.is_filled_stated is (filled is not None)
    assert order.filled_quantity == (filled or 0)


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
        {"amount": "-0.5"},
        {"filled": True},
        {"filled": "-0.1"},
        {"filled": "1e999999"},
        {"timestamp": 1e15},
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


def test_a_fill_keeps_every_digit() -> None:
    fill = order_data.parse_fill(TRADE, symbol=SYMBOL)

    assert (fill.price, fill.quantity, fill.cost) == (D(60_000), D("0.5"), D(30_000))
    assert (fill.fee, fill.fee_asset, fill.is_maker) == (D("0.0005"), "BTC", False)


@pytest.mark.parametrize("missing", ["id", "order", "price", "amount", "side", "timestamp"])
def test_a_fill_without_what_identifies_it_is_refused(missing: str) -> None:
    with pytest.raises(Malformed):
        order_data.parse_fill({**TRADE, missing: None}, symbol=SYMBOL)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", "0"),
        ("price", "-60000"),
        ("price", "1e999999"),
        ("price", "1e-999999"),
        ("price", "0e999999"),
        ("amount", "0"),
        ("amount", "-0.5"),
        ("amount", "NaN"),
        ("amount", "Infinity"),
        ("cost", "-30000"),
        ("timestamp", -1),
        ("timestamp", 10**14),
        ("timestamp", "1e30"),
    ],
)
def test_a_fill_that_cannot_be_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Malformed):
        order_data.parse_fill({**TRADE, name: value}, symbol=SYMBOL)


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
