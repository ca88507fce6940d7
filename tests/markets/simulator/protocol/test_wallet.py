"""Wallets, deposits and withdrawals over HTTP."""

import pytest

from tests.markets.simulator.worlds import settle

TRANSFER = "sapi/v1/asset/transfer"
WITHDRAW = "sapi/v1/capital/withdraw/apply"


def address_at(client, asset="USDT"):
    return client.get("sapi/v1/capital/deposit/address", coin=asset)[1]["address"]


def test_funds_move_between_wallets_and_are_listed(ours, spot):
    status, moved = ours.call("POST", TRANSFER, type="MAIN_FUNDING", asset="USDT", amount="250.5")
    ours.call("POST", TRANSFER, type="FUNDING_MAIN", asset="USDT", amount="50")

    _, history = ours.get(TRANSFER, type="MAIN_FUNDING")
    _, funding = ours.call("POST", "sapi/v1/asset/get-funding-asset")
    assert (status, list(moved)) == (200, ["tranId"])
    assert history["total"] == 1
    assert history["rows"][0]["tranId"] == moved["tranId"]
    assert (history["rows"][0]["amount"], history["rows"][0]["status"]) == (
        "250.50000000",
        "CONFIRMED",
    )
    assert [(row["asset"], row["free"]) for row in funding] == [("USDT", "200.50000000")]
    assert spot()["USDT"] == ("99799.50000000", "0.00000000")
    assert spot(wallet="funding")["USDT"] == ("200.50000000", "0.00000000")


def test_the_transfer_history_has_pages(ours):
    for amount in ("1", "2", "3"):
        ours.call("POST", TRANSFER, type="MAIN_FUNDING", asset="USDT", amount=amount)

    _, page = ours.get(TRANSFER, type="MAIN_FUNDING", size=2, current=2)
    _, none = ours.get(TRANSFER, type="MAIN_FUNDING", endTime=1)

    assert (page["total"], [row["amount"] for row in page["rows"]]) == (3, ["1.00000000"])
    assert none == {"total": 0, "rows": []}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "MAIN_MARGIN"}, -1100),
        ({"type": "MAIN_MAIN"}, -1100),
        ({"asset": "DOGE"}, -4018),
        ({"amount": "0"}, -1100),
        ({"amount": "-1"}, -1100),
        ({"amount": "100000.00000001"}, -5013),
    ],
)
def test_a_bad_transfer_is_refused_and_moves_nothing(ours, spot, change, code):
    before = spot()
    sent = {"type": "MAIN_FUNDING", "asset": "USDT", "amount": "1"} | change

    status, answer = ours.call("POST", TRANSFER, **sent)

    assert (status, answer["code"]) == (400, code)
    assert spot() == before


def test_a_withdrawal_arrives_at_the_other_venue_less_the_network_fee(
    simulator, ours, at_beta, spot
):
    address = address_at(at_beta)
    status, sent = ours.call(
        "POST", WITHDRAW, coin="USDT", address=address, amount="101", withdrawOrderId="w-1"
    )
    _, [on_its_way] = ours.get("sapi/v1/capital/withdraw/history")
    assert at_beta.get("sapi/v1/capital/deposit/hisrec") == (200, [])

    settle(simulator)

    _, [done] = ours.get("sapi/v1/capital/withdraw/history", coin="USDT")
    _, [deposit] = at_beta.get("sapi/v1/capital/deposit/hisrec", coin="USDT")
    assert status == 200
    assert (on_its_way["status"], on_its_way["txId"]) == (4, "")
    assert (done["id"], done["withdrawOrderId"], done["status"]) == (sent["id"], "w-1", 6)
    assert (done["amount"], done["transactionFee"]) == ("100.00000000", "1.00000000")
    assert (deposit["amount"], deposit["status"]) == ("100.00000000", 1)
    assert deposit["txId"] == done["txId"] != ""
    assert spot()["USDT"] == ("99899.00000000", "0.00000000")
    assert spot("ours", "beta")["USDT"] == ("100100.00000000", "0.00000000")


def test_a_withdrawal_can_leave_the_funding_wallet(simulator, ours, at_beta, spot):
    ours.call("POST", TRANSFER, type="MAIN_FUNDING", asset="USDT", amount="50")

    ours.call(
        "POST", WITHDRAW, coin="USDT", address=address_at(at_beta), amount="50", walletType="1"
    )
    settle(simulator)

    assert spot(wallet="funding")["USDT"] == ("0.00000000", "0.00000000")
    assert spot("ours", "beta")["USDT"] == ("100049.00000000", "0.00000000")


def test_what_is_sent_to_nobody_comes_back(simulator, ours, spot):
    ours.call("POST", WITHDRAW, coin="USDT", address="0x" + "0" * 40, amount="10")
    assert spot()["USDT"] == ("99990.00000000", "0.00000000")

    settle(simulator)

    _, [failed] = ours.get("sapi/v1/capital/withdraw/history")
    assert (failed["status"], failed["txId"]) == (5, "")
    assert spot()["USDT"] == ("100000.00000000", "0.00000000")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"coin": "DOGE"}, -4018),
        ({"address": "short"}, -4033),
        ({"address": None}, -1102),
        ({"amount": "1"}, -4028),
        ({"amount": "100000.1"}, -4026),
        ({"network": "ETH"}, -4019),
    ],
)
def test_a_bad_withdrawal_is_refused_and_takes_nothing(ours, at_beta, spot, change, code):
    before = spot()
    sent = {"coin": "USDT", "address": address_at(at_beta), "amount": "10"} | change

    status, answer = ours.call(
        "POST", WITHDRAW, **{name: value for name, value in sent.items() if value is not None}
    )

    assert (status, answer["code"]) == (400, code)
    assert spot() == before
    assert ours.get("sapi/v1/capital/withdraw/history") == (200, [])


def test_a_withdrawal_id_is_refused_a_second_time(ours, at_beta, spot):
    sent = {
        "coin": "USDT",
        "address": address_at(at_beta),
        "amount": "10",
        "withdrawOrderId": "once",
    }
    ours.call("POST", WITHDRAW, **sent)
    before = spot()

    status, answer = ours.call("POST", WITHDRAW, **sent)

    assert (status, answer["code"]) == (400, -4104)
    assert spot() == before


def test_histories_can_be_chosen_by_id_asset_and_time(ours, at_beta):
    address = address_at(at_beta)
    for number in ("a", "b"):
        ours.call(
            "POST", WITHDRAW, coin="USDT", address=address, amount="10", withdrawOrderId=number
        )

    def ask(**params):
        rows = ours.get("sapi/v1/capital/withdraw/history", **params)[1]
        return [row["withdrawOrderId"] for row in rows]

    assert ask() == ["b", "a"]
    assert ask(withdrawOrderId="a") == ["a"]
    assert ask(limit=1) == ["b"]
    assert ask(offset=1) == ["a"]
    assert ask(coin="BTC") == []
    assert ask(endTime=1) == []


def test_assets_are_listed_with_their_network_and_fee(ours):
    _, coins = ours.get("sapi/v1/capital/config/getall")

    usdt = {coin["coin"]: coin for coin in coins}["USDT"]
    [network] = usdt["networkList"]
    assert usdt["free"] == "100000.00000000"
    assert (network["network"], network["withdrawFee"]) == ("TRX", "1.00000000")
    assert (network["depositEnable"], network["withdrawEnable"]) == (True, True)
