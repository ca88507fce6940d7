"""Orders that end otherwise than their owners expect; the venue's own books stay exact."""

import ccxt
import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import InvalidInput
from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import ASKS, BIDS, KEYS, RawClient, settle, two_venues

IOC = {"timeInForce": "IOC"}


def buy(exchange, amount=1.0, price=50010, **params):
    return exchange.create_order("BTC/USDT", "limit", "buy", amount, price, IOC | params)


def wait_for(condition):
    deadline_ms = SYSTEM_CLOCK.monotonic_ms() + 10_000
    while not condition():
        assert SYSTEM_CLOCK.monotonic_ms() < deadline_ms, "it did not happen"


def total_of(simulator, asset):
    engine = simulator.control.world.venues["alpha"].engine
    return simulator.control.call(lambda: engine.total_of(asset))


def fill_late(simulator, in_ms=10**9):
    venue = simulator.control.world.venues["alpha"]
    at_ms = SYSTEM_CLOCK.now_ms() + in_ms
    simulator.control.call(lambda: venue.fill_what_is_late(at_ms))


@pytest.mark.parametrize(
    ("part", "filled"), [({}, 0.5), ({"part": "0.25"}, 0.25), ({"part": 0}, 0.0)]
)
def test_an_immediate_order_is_filled_in_part_and_expires(simulator, exchange, spot, part, filled):
    before = total_of(simulator, "BTC")
    simulator.control.add_fault("alpha", "partial_fill", symbol="BTC/USDT", side="buy", **part)

    placed = buy(exchange)
    found = exchange.fetch_order(placed["id"], "BTC/USDT")
    trades = exchange.fetch_my_trades("BTC/USDT")

    assert (placed["status"], placed["filled"]) == ("expired", filled)
    assert (found["status"], found["filled"]) == ("expired", filled)
    assert sum(trade["amount"] for trade in trades) == filled
    assert float(spot()["BTC"][0]) == 2 + filled * 0.999
    assert float(spot()["USDT"][0]) == 100_000 - filled * 50_010
    assert spot()["USDT"][1] == "0.00000000"
    assert total_of(simulator, "BTC") == before
    assert buy(exchange, 0.1)["status"] == "closed"


def test_a_resting_order_is_ended_by_the_venue_after_a_part(simulator, ours, spot):
    simulator.control.add_fault("alpha", "partial_fill", part="0.5")

    status, placed = ours.order(price="50010", quantity="1.0")

    assert (status, placed["status"], placed["executedQty"]) == (200, "EXPIRED", "0.50000000")
    assert placed["timeInForce"] == "GTC"
    assert ours.get("api/v3/openOrders") == (200, [])
    assert spot()["USDT"][1] == "0.00000000"


def test_fill_or_kill_is_never_filled_in_part(simulator, ours):
    simulator.control.add_fault("alpha", "partial_fill")

    _, placed = ours.order(price="50010", quantity="1.0", timeInForce="FOK")

    assert (placed["status"], placed["executedQty"]) == ("EXPIRED", "0.00000000")


def test_a_market_order_is_filled_in_part(simulator, exchange):
    simulator.control.add_fault("alpha", "partial_fill", part="0.5")

    placed = exchange.create_order("BTC/USDT", "market", "sell", 1.0)

    assert (placed["status"], placed["filled"]) == ("expired", 0.5)


def test_an_order_is_rejected_with_an_id(simulator, exchange, spot):
    before = spot()
    simulator.control.add_fault("alpha", "reject", account="ours")

    placed = buy(exchange, clientOrderId="mine")
    found = exchange.fetch_order(None, "BTC/USDT", {"clientOrderId": "mine"})

    assert (placed["status"], placed["filled"]) == ("rejected", 0.0)
    assert (found["id"], found["status"]) == (placed["id"], "rejected")
    assert exchange.fetch_my_trades("BTC/USDT") == []
    assert spot() == before


def test_an_order_that_expired_is_filled_later(simulator, exchange, spot):
    before = total_of(simulator, "USDT")
    simulator.control.add_fault("alpha", "late_fill", delay_ms=600_000, part="0.4")

    placed = buy(exchange)
    untouched = exchange.fetch_order(placed["id"], "BTC/USDT")
    fill_late(simulator)
    late = exchange.fetch_order(placed["id"], "BTC/USDT")

    assert (placed["status"], placed["filled"]) == ("expired", 0.4)
    assert (untouched["status"], untouched["filled"]) == ("expired", 0.4)
    assert (late["status"], late["filled"]) == ("closed", 1.0)
    assert [t["amount"] for t in exchange.fetch_my_trades("BTC/USDT")] == [0.4, 0.6]
    assert spot()["BTC"][0] == "2.99900000"
    assert total_of(simulator, "USDT") == before


def test_a_fill_comes_after_the_order_was_cancelled_by_itself(simulator, exchange, spot):
    placed = exchange.create_order("BTC/USDT", "limit", "sell", 1.0, 60000)
    simulator.control.add_fault("alpha", "late_fill", delay_ms=1, side="sell")

    cancelled = exchange.cancel_order(placed["id"], "BTC/USDT")
    wait_for(lambda: exchange.fetch_order(placed["id"], "BTC/USDT")["filled"])
    late = exchange.fetch_order(placed["id"], "BTC/USDT")

    assert (cancelled["status"], cancelled["filled"]) == ("canceled", 0.0)
    assert (late["status"], late["filled"], late["average"]) == ("closed", 1.0, 60000.0)
    assert spot()["BTC"] == ("1.00000000", "0.00000000")
    assert spot()["USDT"] == ("159940.00000000", "0.00000000")


def test_a_late_fill_reaches_as_far_as_the_balance(simulator, exchange, spot):
    simulator.control.add_fault("alpha", "late_fill", delay_ms=600_000, side="sell")

    first = exchange.create_order("BTC/USDT", "limit", "sell", 1.5, 50000, IOC)
    exchange.create_order("BTC/USDT", "limit", "sell", 1.0, 50000, IOC)
    fill_late(simulator)
    late = exchange.fetch_order(first["id"], "BTC/USDT")

    assert (late["status"], late["filled"]) == ("expired", 1.0)
    assert spot()["BTC"] == ("0.00000000", "0.00000000")


def test_a_late_fill_spends_no_more_than_a_market_order_may(simulator, exchange, spot):
    simulator.control.add_fault("alpha", "late_fill", delay_ms=600_000)

    placed = exchange.create_market_buy_order_with_cost("BTC/USDT", 5001)
    simulator.control.set_book("alpha", "BTC/USDT", [("99990", "1")], [("100000", "1")])
    fill_late(simulator)
    late = exchange.fetch_order(placed["id"], "BTC/USDT")

    assert (placed["filled"], late["filled"], late["cost"]) == (0.0, 0.05, 5000.0)
    assert spot()["USDT"][0] == "95000.00000000"


def test_a_late_fill_is_not_early(simulator, exchange):
    simulator.control.add_fault("alpha", "late_fill", delay_ms=600_000)

    placed = buy(exchange)
    fill_late(simulator, in_ms=0)

    assert exchange.fetch_order(placed["id"], "BTC/USDT")["filled"] == 0.0


def test_what_a_fault_did_to_an_order_survives_a_restart(tmp_path):
    with start_in_thread(two_venues(), tmp_path) as simulator:
        simulator.control.set_book("alpha", "BTC/USDT", BIDS, ASKS)
        client = RawClient(simulator.url, key=KEYS["alpha"])
        for kind, more in (("late_fill", {"delay_ms": 600_000, "part": "0.4"}), ("reject", {})):
            simulator.control.add_fault("alpha", kind, **more)
            client.order(price="50010", quantity="1.0", timeInForce="IOC", newClientOrderId=kind)
        fill_late(simulator)
        simulator.control.add_fault("alpha", "refuse", times=None)
        before = simulator.control.statement("alpha", "ours")["balances"]
        client.close()
    with start_in_thread(two_venues(), tmp_path) as simulator:
        client = RawClient(simulator.url, key=KEYS["alpha"])
        found = {
            name: client.get("api/v3/order", symbol="BTCUSDT", origClientOrderId=name)[1]
            for name in ("late_fill", "reject")
        }
        client.close()

        assert simulator.control.statement("alpha", "ours")["balances"] == before
        assert simulator.control.list_faults("alpha") == []
    assert [(o["status"], o["executedQty"]) for o in found.values()] == [
        ("FILLED", "1.00000000"),
        ("REJECTED", "0.00000000"),
    ]


@pytest.mark.parametrize("status", ["BREAK", "HALT"])
def test_a_suspended_market_takes_no_order_and_nothing_trades(simulator, exchange, ours, status):
    ours.order(price="45000", newClientOrderId="resting")
    simulator.control.add_fault("alpha", "suspend_market", symbol="BTC/USDT", market_status=status)

    _, info = ours.get("api/v3/exchangeInfo")
    refused = ours.order(price="50010")
    tested = ours.call(
        "POST",
        "api/v3/order/test",
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity="0.1",
    )
    with pytest.raises(ccxt.MarketClosed):
        buy(exchange)
    simulator.control.set_book("alpha", "BTC/USDT", [("44000", "1")], [("44900", "1")])

    assert {row["symbol"]: row["status"] for row in info["symbols"]} == {
        "BTCUSDT": status,
        "ETHBTC": "TRADING",
    }
    assert exchange.load_markets(reload=True)["BTC/USDT"]["active"] is False
    assert refused == tested == (400, {"code": -1013, "msg": "Market is closed."})
    assert exchange.fetch_order_book("BTC/USDT")["asks"][0][0] == 50010.0
    assert exchange.fetch_my_trades("BTC/USDT") == []
    assert exchange.cancel_order(None, "BTC/USDT", {"clientOrderId": "resting"})["status"] == (
        "canceled"
    )
    [row] = simulator.control.list_faults("alpha")
    assert row["struck"] == 3
    simulator.control.clear_faults("alpha")
    assert buy(exchange, 0.1)["status"] == "closed"


def test_a_trade_by_hand_has_a_client_id_that_is_not_ours(simulator, exchange, spot):
    simulator.control.add_fault(
        "alpha", "manual_trade", account="ours", symbol="BTC/USDT", side="sell", amount="0.5"
    )

    [order] = exchange.fetch_orders("BTC/USDT")
    assert order["clientOrderId"].startswith("web_")
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.5, 50000.0)
    assert spot()["BTC"][0] == "1.50000000"
    assert simulator.control.list_faults("alpha") == []
    assert simulator.control.count_strikes("alpha") == {"manual_trade": 1}


def test_no_other_fault_strikes_a_trade_by_hand(simulator, exchange):
    simulator.control.add_fault("alpha", "partial_fill", times=None)
    simulator.control.add_fault(
        "alpha", "manual_trade", account="ours", symbol="BTC/USDT", side="sell", amount="0.5"
    )

    [order] = exchange.fetch_orders("BTC/USDT")
    assert (order["status"], order["filled"]) == ("closed", 0.5)
    assert simulator.control.count_strikes("alpha") == {"manual_trade": 1}


def test_a_resting_order_by_hand_keeps_its_price_and_id(simulator, exchange):
    simulator.control.add_fault(
        "alpha",
        "manual_trade",
        account="ours",
        symbol="BTC/USDT",
        side="sell",
        amount="0.5",
        price="60000",
        client_id="by-hand",
    )

    [order] = exchange.fetch_open_orders("BTC/USDT")
    assert (order["clientOrderId"], order["price"]) == ("by-hand", 60000.0)


def test_a_trade_by_hand_can_come_right_before_an_order(simulator, exchange, spot):
    simulator.control.add_fault(
        "alpha",
        "manual_trade",
        endpoint="order.create",
        account="ours",
        symbol="BTC/USDT",
        side="sell",
        amount="1.9",
    )
    untouched = spot()["BTC"][0]

    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order("BTC/USDT", "limit", "sell", 1.0, 50000, IOC)

    assert untouched == "2.00000000"
    assert spot()["BTC"][0] == "0.10000000"


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("manual_trade", {"symbol": "BTC/USDT", "side": "sell", "amount": "3"}),
        ("manual_withdrawal", {"asset": "BTC", "amount": "3"}),
    ],
)
def test_what_an_account_cannot_do_by_hand_is_refused(simulator, spot, kind, what):
    before = spot()

    with pytest.raises(InvalidInput, match="not enough free balance"):
        simulator.control.add_fault("alpha", kind, account="ours", **what)

    assert spot() == before
    assert simulator.control.count_strikes("alpha") == {}


def test_a_planned_act_that_is_not_possible_does_no_harm(simulator, ours, spot):
    simulator.control.add_fault(
        "alpha", "manual_withdrawal", endpoint="time", account="ours", asset="BTC", amount="3"
    )

    assert ours.get("api/v3/time")[0] == 200
    assert spot()["BTC"][0] == "2.00000000"


def test_a_withdrawal_by_hand_leaves_and_a_deposit_from_outside_arrives(simulator, exchange, spot):
    simulator.control.add_fault(
        "alpha", "manual_withdrawal", account="ours", asset="USDT", amount="1000"
    )
    simulator.control.add_fault(
        "alpha", "manual_deposit", account="ours", asset="BTC", amount="0.5"
    )
    wait_for(lambda: spot()["BTC"][0] != "2.00000000")
    settle(simulator)

    [withdrawal] = exchange.fetch_withdrawals("USDT")
    [deposit] = exchange.fetch_deposits("BTC")
    assert (withdrawal["status"], withdrawal["amount"]) == ("ok", 999.0)
    assert withdrawal["info"]["withdrawOrderId"] == ""
    assert (deposit["status"], deposit["amount"]) == ("ok", 0.5)
    assert deposit["txid"]
    assert (spot()["BTC"][0], spot()["USDT"][0]) == ("2.50000000", "99000.00000000")


def test_transfers_by_hand_survive_a_restart(tmp_path):
    with start_in_thread(two_venues(), tmp_path) as simulator:
        simulator.control.add_fault(
            "alpha", "manual_withdrawal", account="ours", asset="USDT", amount="1000"
        )
        simulator.control.add_fault(
            "alpha", "manual_deposit", account="ours", asset="BTC", amount="0.5", delay_ms=600_000
        )
    for _ in range(2):
        with start_in_thread(two_venues(), tmp_path) as simulator:
            settle(simulator)
            balances = simulator.control.statement("alpha", "ours")["balances"]["spot"]
            transfers = simulator.control.world.settlement.transfers
            kinds = [(t.venue, t.status.value) for t in transfers.values()]

            assert (balances["BTC"]["free"], balances["USDT"]["free"]) == (
                "2.50000000",
                "99000.00000000",
            )
            assert sorted(kinds) == [("", "completed"), ("alpha", "completed")]
