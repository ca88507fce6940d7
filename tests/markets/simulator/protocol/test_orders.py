"""Orders over HTTP."""

import pytest


def test_a_taken_order_is_answered_with_its_fills(ours, spot):
    status, answer = ours.order(
        price="50010.5", quantity="1.5", timeInForce="IOC", newClientOrderId="mine-1"
    )

    assert status == 200
    assert (answer["status"], answer["clientOrderId"]) == ("FILLED", "mine-1")
    assert (answer["executedQty"], answer["cummulativeQuoteQty"]) == (
        "1.50000000",
        "75015.25000000",
    )
    assert [
        (fill["price"], fill["qty"], fill["commission"], fill["commissionAsset"])
        for fill in answer["fills"]
    ] == [
        ("50010.00000000", "1.00000000", "0.00100000", "BTC"),
        ("50010.50000000", "0.50000000", "0.00050000", "BTC"),
    ]
    assert spot()["BTC"] == ("3.49850000", "0.00000000")
    assert spot()["USDT"] == ("24984.75000000", "0.00000000")


def test_the_form_of_the_answer_can_be_chosen(ours):
    _, acknowledged = ours.order(newOrderRespType="ACK")
    _, result = ours.order(newOrderRespType="RESULT")

    assert set(acknowledged) == {
        "symbol",
        "orderId",
        "orderListId",
        "clientOrderId",
        "transactTime",
    }
    assert result["status"] == "NEW"
    assert "fills" not in result


def test_an_order_without_a_client_id_is_given_one(ours):
    _, answer = ours.order()

    status, found = ours.get(
        "api/v3/order", symbol="BTCUSDT", origClientOrderId=answer["clientOrderId"]
    )
    assert (status, found["orderId"]) == (200, answer["orderId"])


def test_an_order_is_found_by_both_ids_and_only_by_its_owner(ours, other):
    _, placed = ours.order(price="45000", newClientOrderId="mine")

    _, by_id = ours.get("api/v3/order", symbol="BTCUSDT", orderId=placed["orderId"])
    _, by_client_id = ours.get("api/v3/order", symbol="BTCUSDT", origClientOrderId="mine")
    status, refusal = other.get("api/v3/order", symbol="BTCUSDT", orderId=placed["orderId"])

    assert by_id == by_client_id
    assert (by_id["status"], by_id["isWorking"], by_id["price"]) == ("NEW", True, "45000.00000000")
    assert (status, refusal) == (400, {"code": -2013, "msg": "Order does not exist."})


def test_a_look_up_needs_an_id_and_both_must_fit(ours):
    _, placed = ours.order(price="45000", newClientOrderId="mine")

    status, answer = ours.get("api/v3/order", symbol="BTCUSDT")
    assert (status, answer["code"]) == (400, -1102)
    for wrong in (
        {"symbol": "ETHBTC", "orderId": placed["orderId"]},
        {"symbol": "BTCUSDT", "orderId": placed["orderId"], "origClientOrderId": "yours"},
        {"symbol": "BTCUSDT", "origClientOrderId": "yours"},
    ):
        status, answer = ours.get("api/v3/order", **wrong)
        assert (status, answer["code"]) == (400, -2013)


@pytest.mark.parametrize("by", ["orderId", "origClientOrderId"])
def test_a_resting_order_is_cancelled_by_either_id_once(ours, spot, by):
    _, placed = ours.order(price="45000", newClientOrderId="mine")
    name = {"orderId": placed["orderId"], "origClientOrderId": "mine"}[by]
    held = spot()["USDT"]

    status, answer = ours.call("DELETE", "api/v3/order", symbol="BTCUSDT", **{by: name})
    again, refusal = ours.call("DELETE", "api/v3/order", symbol="BTCUSDT", **{by: name})

    assert held == ("95500.00000000", "4500.00000000")
    assert (status, answer["status"]) == (200, "CANCELED")
    assert answer["origClientOrderId"] == "mine"
    assert answer["clientOrderId"] != "mine"
    assert (again, refusal) == (400, {"code": -2011, "msg": "Unknown order sent."})
    assert spot()["USDT"] == ("100000.00000000", "0.00000000")


def test_all_orders_of_a_market_are_cancelled_at_once(ours, spot):
    for price in ("45000", "46000"):
        ours.order(price=price)

    status, answer = ours.call("DELETE", "api/v3/openOrders", symbol="BTCUSDT")
    again, refusal = ours.call("DELETE", "api/v3/openOrders", symbol="BTCUSDT")

    assert (status, [row["status"] for row in answer]) == (200, ["CANCELED", "CANCELED"])
    assert (again, refusal["code"]) == (400, -2011)
    assert spot()["USDT"] == ("100000.00000000", "0.00000000")


def test_open_and_all_orders_are_listed(ours):
    _, first = ours.order(price="45000")
    _, second = ours.order(price="50010", timeInForce="IOC")
    _, third = ours.order(price="46000")

    _, of_market = ours.get("api/v3/openOrders", symbol="BTCUSDT")
    _, of_all = ours.get("api/v3/openOrders")
    _, everything = ours.get("api/v3/allOrders", symbol="BTCUSDT")
    _, later = ours.get("api/v3/allOrders", symbol="BTCUSDT", orderId=second["orderId"])
    _, newest = ours.get("api/v3/allOrders", symbol="BTCUSDT", limit=1)

    ids = [order["orderId"] for order in (first, second, third)]
    assert [row["orderId"] for row in of_market] == [ids[0], ids[2]]
    assert of_all == of_market
    assert [row["orderId"] for row in everything] == ids
    assert [row["orderId"] for row in later] == ids[1:]
    assert [row["orderId"] for row in newest] == ids[2:]


def test_both_parties_see_their_own_side_of_a_trade(ours, other):
    _, resting = other.order(side="SELL", price="50001", quantity="0.3")
    _, taken = ours.order(price="50001", quantity="0.3", timeInForce="IOC")

    _, [bought] = ours.get("api/v3/myTrades", symbol="BTCUSDT")
    _, [sold] = other.get("api/v3/myTrades", symbol="BTCUSDT")

    assert bought["id"] == sold["id"] == taken["fills"][0]["tradeId"]
    assert (bought["orderId"], sold["orderId"]) == (taken["orderId"], resting["orderId"])
    assert (bought["isBuyer"], bought["isMaker"]) == (True, False)
    assert (sold["isBuyer"], sold["isMaker"]) == (False, True)
    assert (bought["commission"], bought["commissionAsset"]) == ("0.00030000", "BTC")
    assert (sold["commission"], sold["commissionAsset"]) == ("15.00030000", "USDT")
    assert bought["quoteQty"] == "15000.30000000"


def test_own_trades_can_be_chosen_by_order_id_and_time(ours):
    _, first = ours.order(price="50010", timeInForce="IOC")
    _, second = ours.order(price="50010", timeInForce="IOC")
    trade = second["fills"][0]["tradeId"]

    def ask(**params):
        return ours.get("api/v3/myTrades", symbol="BTCUSDT", **params)[1]

    assert [row["id"] for row in ask(orderId=second["orderId"])] == [trade]
    assert [row["id"] for row in ask(fromId=trade)] == [trade]
    assert [row["orderId"] for row in ask(startTime=first["transactTime"], limit=1)] == [
        first["orderId"]
    ]
    assert ask(endTime=first["transactTime"] - 1) == []


REFUSALS = [
    ({"symbol": None}, -1102, "'symbol'"),
    ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
    ({"side": None}, -1102, "'side'"),
    ({"side": "HOLD"}, -1117, "Invalid side."),
    ({"type": None}, -1102, "'type'"),
    ({"type": "STOP_LOSS"}, -1116, "Invalid orderType."),
    ({"timeInForce": None}, -1102, "'timeInForce'"),
    ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
    ({"quantity": None}, -1102, "'quantity'"),
    ({"quantity": "-1"}, -1100, "'quantity'"),
    ({"quantity": "1e3"}, -1100, "'quantity'"),
    ({"quantity": "NaN"}, -1100, "'quantity'"),
    ({"price": None}, -1102, "'price'"),
    ({"price": "50000.01"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"price": "0"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"quantity": "0.10001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0.0001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "501"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0.0002", "price": "10000"}, -1013, "Filter failure: NOTIONAL"),
    ({"icebergQty": "0.05"}, -1013, "Filter failure: ICEBERG_PARTS"),
    ({"quantity": "3"}, -2010, "Account has insufficient balance for requested action."),
    ({"side": "SELL", "quantity": "2.1"}, -2010, "insufficient balance"),
    ({"newClientOrderId": "not allowed!"}, -1100, "'newClientOrderId'"),
    ({"newClientOrderId": "x" * 37}, -1100, "'newClientOrderId'"),
    ({"newOrderRespType": "LONG"}, -1100, "'newOrderRespType'"),
    ({"selfTradePreventionMode": "MAYBE"}, -1100, "'selfTradePreventionMode'"),
    ({"type": "LIMIT_MAKER"}, -1106, "'timeInForce'"),
    (
        {"type": "LIMIT_MAKER", "timeInForce": None, "price": "50010"},
        -2010,
        "Order would immediately match and take.",
    ),
    ({"type": "MARKET"}, -1106, "'price'"),
    ({"type": "MARKET", "price": None}, -1106, "'timeInForce'"),
    ({"type": "MARKET", "price": None, "timeInForce": None, "quantity": None}, -1102, "'quantity'"),
    (
        {"type": "MARKET", "price": None, "timeInForce": None, "quoteOrderQty": "100"},
        -1106,
        "'quoteOrderQty'",
    ),
    (
        {"type": "MARKET", "price": None, "timeInForce": None, "quantity": "0.0001"},
        -1013,
        "Filter failure: MARKET_LOT_SIZE",
    ),
    (
        {"symbol": "ETHBTC", "type": "MARKET", "price": None, "timeInForce": None},
        -1112,
        "No orders on book for symbol.",
    ),
]


@pytest.mark.parametrize("path", ["api/v3/order", "api/v3/order/test"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_a_bad_order_is_refused_in_the_exchanges_words_and_leaves_no_trace(
    ours, spot, path, refusal
):
    change, code, text = refusal
    before = spot()
    sent = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "50000",
    } | change

    status, answer = ours.call(
        "POST", path, **{name: value for name, value in sent.items() if value is not None}
    )

    assert (status, answer["code"]) == (400, code)
    assert text in answer["msg"]
    assert spot() == before
    assert ours.get("api/v3/allOrders", symbol="BTCUSDT") == (200, [])


def test_a_client_id_is_refused_a_second_time_even_after_its_order_ended(ours):
    _, first = ours.order(price="50010", timeInForce="IOC", newClientOrderId="once")

    status, answer = ours.order(price="50010", timeInForce="IOC", newClientOrderId="once")

    assert (status, answer) == (400, {"code": -2010, "msg": "Duplicate order sent."})
    assert len(ours.get("api/v3/allOrders", symbol="BTCUSDT")[1]) == 1
    assert first["status"] == "FILLED"


def test_a_test_order_is_checked_and_not_taken(ours, spot):
    before = spot()

    status, answer = ours.call(
        "POST",
        "api/v3/order/test",
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quoteOrderQty="100",
    )

    assert (status, answer) == (200, {})
    assert spot() == before
    assert ours.get("api/v3/allOrders", symbol="BTCUSDT") == (200, [])


def test_a_market_order_by_quote_amount_is_filled(ours):
    status, answer = ours.order(
        type="MARKET", price=None, timeInForce=None, quantity=None, quoteOrderQty="5001"
    )

    assert status == 200
    assert (answer["status"], answer["executedQty"]) == ("FILLED", "0.10000000")
    assert answer["cummulativeQuoteQty"] == "5001.00000000"
    assert answer["origQuoteOrderQty"] == "5001.00000000"


@pytest.mark.parametrize(
    ("tif", "status", "executed"),
    [("IOC", "EXPIRED", "1.00000000"), ("FOK", "EXPIRED", "0.00000000")],
)
def test_what_may_not_rest_expires(ours, tif, status, executed):
    _, answer = ours.order(price="50010", quantity="1.5", timeInForce=tif)

    assert (answer["status"], answer["executedQty"]) == (status, executed)
    assert ours.get("api/v3/openOrders") == (200, [])


def test_the_account_shows_its_commissions(ours):
    _, account = ours.get("api/v3/account", omitZeroBalances="true")
    _, commission = ours.get("api/v3/account/commission", symbol="BTCUSDT")
    _, fees = ours.get("sapi/v1/asset/tradeFee")

    assert [row["asset"] for row in account["balances"]] == ["BTC", "USDT"]
    assert (account["makerCommission"], account["takerCommission"]) == (10, 10)
    assert commission["standardCommission"]["taker"] == "0.00100000"
    assert fees == [
        {"symbol": "BTCUSDT", "makerCommission": "0.001", "takerCommission": "0.001"},
        {"symbol": "ETHBTC", "makerCommission": "0.001", "takerCommission": "0.001"},
    ]
