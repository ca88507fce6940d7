"""Stock ccxt.binance trades on the simulator once the origins of its URLs are rewritten."""

from decimal import Decimal

import ccxt
import pytest

from tests.markets.simulator.worlds import KEYS, settle


def test_markets_are_loaded_with_their_rules(exchange):
    markets = exchange.load_markets()

    assert set(markets) == {"BTC/USDT", "ETH/BTC"}
    market = markets["BTC/USDT"]
    assert (market["spot"], market["active"]) == (True, True)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.0001)
    assert market["limits"]["amount"]["min"] == 0.0002
    assert market["limits"]["cost"]["min"] == 5.0


def test_currencies_come_with_networks(exchange):
    currencies = exchange.fetch_currencies()

    assert currencies["USDT"]["networks"]["TRC20"]["fee"] == 1.0


def test_public_data_is_understood(exchange):
    exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 50010, {"timeInForce": "IOC"})

    book = exchange.fetch_order_book("BTC/USDT", 5)
    ticker = exchange.fetch_ticker("BTC/USDT")
    assert book["bids"][0][:2] == [50000.0, 1.0]
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (50000.0, 50010.0, 50010.0)
    assert set(exchange.fetch_tickers()) == {"BTC/USDT", "ETH/BTC"}
    assert exchange.fetch_bids_asks(["BTC/USDT"])["BTC/USDT"]["ask"] == 50010.0
    assert exchange.fetch_trades("BTC/USDT")[0]["amount"] == 0.5
    assert exchange.fetch_ohlcv("BTC/USDT", "1m")[-1][4] == 50010.0
    assert exchange.fetch_time() > 0
    assert exchange.fetch_status()["status"] == "ok"


def test_an_order_is_taken_found_and_its_fills_are_exact(exchange):
    placed = exchange.create_order(
        "BTC/USDT", "limit", "buy", 1.5, 50010.5, {"timeInForce": "IOC", "clientOrderId": "mine"}
    )
    found = exchange.fetch_order(None, "BTC/USDT", {"clientOrderId": "mine"})
    trades = exchange.fetch_my_trades("BTC/USDT")

    assert (placed["status"], placed["filled"], placed["cost"]) == ("closed", 1.5, 75015.25)
    assert [fee["cost"] for fee in (trade["fee"] for trade in placed["trades"])] == [0.001, 0.0005]
    assert (found["id"], found["clientOrderId"]) == (placed["id"], "mine")
    assert sum(Decimal(trade["info"]["quoteQty"]) for trade in trades) == Decimal("75015.25")
    assert exchange.fetch_balance()["USDT"]["free"] == 24984.75


def test_resting_orders_are_listed_and_cancelled_by_both_ids(exchange):
    first = exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 45000)
    exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 45000, {"clientOrderId": "second"})

    assert len(exchange.fetch_open_orders("BTC/USDT")) == 2
    assert exchange.cancel_order(first["id"], "BTC/USDT")["status"] == "canceled"
    cancelled = exchange.cancel_order(None, "BTC/USDT", {"clientOrderId": "second"})
    assert cancelled["status"] == "canceled"
    assert exchange.fetch_open_orders("BTC/USDT") == []
    assert len(exchange.fetch_orders("BTC/USDT")) == 2


def test_market_and_post_only_orders_are_understood(exchange):
    bought = exchange.create_market_buy_order_with_cost("BTC/USDT", 5001)
    sold = exchange.create_order("BTC/USDT", "market", "sell", 0.1)
    rested = exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 50005, {"postOnly": True})

    assert (bought["filled"], bought["cost"]) == (0.1, 5001.0)
    assert (sold["status"], sold["average"]) == ("closed", 50000.0)
    assert (rested["status"], rested["postOnly"]) == ("open", True)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        exchange.private_post_order(
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "LIMIT_MAKER",
                "quantity": "0.1",
                "price": "50010",
            }
        )


@pytest.mark.parametrize(
    ("order", "error", "text"),
    [
        ((3, 50000, "new"), ccxt.InsufficientFunds, "insufficient balance"),
        ((0.0002, 10000, "new"), ccxt.BadRequest, "NOTIONAL"),
        ((0.1, 45000, "used"), ccxt.InvalidOrder, "Duplicate order sent."),
    ],
)
def test_refusals_raise_what_they_raise_on_the_real_exchange(exchange, order, error, text):
    amount, price, client_id = order
    exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 45000, {"clientOrderId": "used"})

    with pytest.raises(error, match=text):
        exchange.create_order(
            "BTC/USDT", "limit", "buy", amount, price, {"clientOrderId": client_id}
        )

    assert len(exchange.fetch_orders("BTC/USDT")) == 1


def test_unknown_orders_and_wrong_keys_raise_what_they_raise_on_the_real_exchange(connect):
    exchange = connect()

    with pytest.raises(ccxt.OrderNotFound):
        exchange.fetch_order("123", "BTC/USDT")
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("123", "BTC/USDT")
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        connect(key=(KEYS["alpha"][0], "guessed")).fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        connect(key=("stranger", "guessed")).fetch_balance()


def test_fees_and_permissions_are_read(exchange):
    fees = exchange.fetch_trading_fees()
    commission = exchange.private_get_account_commission({"symbol": "BTCUSDT"})
    rights = exchange.sapi_get_account_apirestrictions()

    assert (fees["BTC/USDT"]["maker"], fees["BTC/USDT"]["taker"]) == (0.001, 0.001)
    assert commission["standardCommission"]["maker"] == "0.00100000"
    assert rights["enableWithdrawals"] is True


def test_funds_move_between_wallets_and_venues(simulator, connect):
    alpha, beta = connect("alpha"), connect("beta")

    moved = alpha.transfer("USDT", 100, "spot", "funding")
    history = alpha.fetch_transfers("USDT", params={"toAccount": "funding"})
    address = beta.fetch_deposit_address("USDT")
    sent = alpha.withdraw("USDT", 51, address["address"], params={"withdrawOrderId": "w-1"})
    [on_its_way] = alpha.fetch_withdrawals("USDT")
    settle(simulator)
    [done] = alpha.fetch_withdrawals("USDT")
    [deposit] = beta.fetch_deposits("USDT")

    assert [row["id"] for row in history] == [moved["id"]]
    assert alpha.fetch_balance({"type": "funding"})["USDT"]["free"] == 100.0
    assert (on_its_way["id"], on_its_way["status"]) == (sent["id"], "pending")
    assert (done["status"], done["amount"], done["fee"]["cost"]) == ("ok", 50.0, 1.0)
    assert (deposit["status"], deposit["amount"], deposit["txid"]) == ("ok", 50.0, done["txid"])
