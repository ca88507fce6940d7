"""Fees in a third coin: with a discount while there is any, as usual after."""

from decimal import Decimal

import pytest

from arbplatform.core.errors import InvalidInput
from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import ASKS, BIDS, KEYS, RawClient, two_venues

BNB_USDT = {
    "symbol": "BNB/USDT",
    "tick": "0.1",
    "lot": "0.001",
    "quantity_min": "0.001",
}


def venues(bnb="1"):
    config = two_venues()
    alpha = config["venues"][0]
    alpha["assets"] = ["BTC", "ETH", "USDT", "BNB"]
    alpha["markets"] = [*alpha["markets"], BNB_USDT]
    balances = alpha["accounts"][0]["balances"]
    balances["spot"] = balances["spot"] | {"BNB": bnb}
    return config


@pytest.fixture
def start():
    running = []

    def begin(bnb="1", state_dir=None):
        simulator = start_in_thread(venues(bnb), state_dir)
        simulator.control.set_book("alpha", "BTC/USDT", BIDS, ASKS)
        simulator.control.set_book("alpha", "BNB/USDT", [("599", "10")], [("600", "10")])
        client = RawClient(simulator.url, key=KEYS["alpha"])
        running.append((simulator, client))
        return simulator, client

    yield begin
    for simulator, client in running:
        client.close()
        simulator.stop()


def balances(simulator):
    found = simulator.control.statement("alpha", "ours")["balances"]["spot"]
    return {asset: Decimal(row["free"]) for asset, row in found.items()}


def buy(client, quantity="0.4"):
    _, placed = client.order(price="50010", quantity=quantity, timeInForce="IOC")
    return [(fill["commission"], fill["commissionAsset"]) for fill in placed["fills"]]


def test_the_fee_is_taken_in_the_coin_at_its_price_with_a_discount(start):
    simulator, client = start()
    total = simulator.control.world.venues["alpha"].engine.total_of
    before = {asset: total(asset) for asset in ("BTC", "USDT", "BNB")}
    simulator.control.add_fault("alpha", "fee_coin", coin="BNB", account="ours")

    fees = buy(client)

    # 0.4 x 50010 x 0.1 % x 75 % / 600, rounded up to 8 places
    fee = Decimal("0.02500500")
    assert fees == [("0.02500500", "BNB")]
    assert balances(simulator) == {
        "BTC": Decimal("2.4"),
        "ETH": 0,
        "USDT": Decimal(100_000) - Decimal("0.4") * 50_010,
        "BNB": 1 - fee,
    }
    assert {asset: total(asset) for asset in before} == before
    [trade] = client.get("api/v3/myTrades", symbol="BTCUSDT")[1]
    assert (trade["commission"], trade["commissionAsset"]) == ("0.02500500", "BNB")


def test_the_fee_is_taken_as_usual_once_the_coin_runs_out(start):
    simulator, client = start(bnb="0.03")
    simulator.control.add_fault("alpha", "fee_coin", coin="BNB")

    fees = [buy(client)[0], buy(client)[0], buy(client, "0.01")[0]]

    assert fees == [("0.02500500", "BNB"), ("0.00040000", "BTC"), ("0.00062513", "BNB")]
    assert balances(simulator)["BNB"] == Decimal("0.00436987")
    assert simulator.control.count_strikes("alpha") == {"fee_coin": 2}


def test_one_order_pays_in_both_when_the_coin_runs_out_in_between(start):
    simulator, client = start(bnb="0.07")
    simulator.control.add_fault("alpha", "fee_coin", coin="BNB")

    _, placed = client.order(price="50010.5", quantity="1.5", timeInForce="IOC")

    assert [fill["commissionAsset"] for fill in placed["fills"]] == ["BNB", "BTC"]


def test_price_and_discount_can_be_given(start):
    simulator, client = start()
    simulator.control.add_fault("alpha", "fee_coin", coin="BNB", price="500", discount="0")

    assert buy(client) == [("0.04000800", "BNB")]


def test_a_coin_that_nothing_prices_is_not_taken(start):
    simulator, client = start()
    simulator.control.add_fault("alpha", "fee_coin", coin="ETH")

    assert buy(client) == [("0.00040000", "BTC")]


def test_the_account_says_that_it_pays_in_the_coin(start):
    simulator, client = start()
    before = client.get("sapi/v1/bnbBurn")[1]
    simulator.control.add_fault("alpha", "fee_coin", coin="BNB")

    _, found = client.get("api/v3/account/commission", symbol="BTCUSDT")

    assert before == {"spotBNBBurn": False, "interestBNBBurn": False}
    assert client.get("sapi/v1/bnbBurn")[1]["spotBNBBurn"] is True
    assert found["discount"] == {
        "enabledForAccount": True,
        "enabledForSymbol": True,
        "discountAsset": "BNB",
        "discount": "0.25000000",
    }


def test_the_coin_must_be_one_of_the_venue(simulator):
    with pytest.raises(InvalidInput, match="coin: the venue has no BNB"):
        simulator.control.add_fault("alpha", "fee_coin", coin="BNB")


def test_fees_in_the_coin_survive_a_restart(start, tmp_path):
    simulator, client = start(state_dir=tmp_path)
    simulator.control.add_fault("alpha", "fee_coin", coin="BNB")
    buy(client)
    before = balances(simulator), client.get("api/v3/myTrades", symbol="BTCUSDT")[1]
    client.close()
    simulator.stop()

    simulator, client = start(state_dir=tmp_path)

    assert (balances(simulator), client.get("api/v3/myTrades", symbol="BTCUSDT")[1]) == before
    assert buy(client, "0.1") == [("0.00010000", "BTC")]
