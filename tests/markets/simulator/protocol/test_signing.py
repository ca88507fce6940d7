"""Who may ask: keys, signatures, time windows, permissions."""

from urllib.parse import urlencode

import pytest

from markets.simulator.protocol.signing import split_signature
from tests.markets.simulator.worlds import KEYS

ACCOUNT = "api/v3/account"
ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.1",
    "price": "40000",
}


def test_a_good_signature_is_accepted(ours):
    status, answer = ours.get(ACCOUNT)

    assert status == 200
    assert {row["asset"]: row["free"] for row in answer["balances"]} == {
        "BTC": "2.00000000",
        "ETH": "0.00000000",
        "USDT": "100000.00000000",
    }


def test_a_request_without_a_key_is_refused(anyone):
    status, answer = anyone.get(ACCOUNT)

    assert (status, answer) == (401, {"code": -2014, "msg": "API-key format invalid."})


def test_a_malformed_key_is_refused(clients):
    status, answer = clients(key=("no spaces allowed", "s")).get(ACCOUNT)

    assert (status, answer["code"]) == (401, -2014)


def test_an_unknown_key_is_refused(clients):
    status, answer = clients(key=("stranger", "s")).get(ACCOUNT)

    assert status == 401
    assert answer == {
        "code": -2015,
        "msg": "Invalid API-key, IP, or permissions for action.",
    }


def test_a_key_of_another_venue_is_unknown(clients):
    status, answer = clients(key=KEYS["beta"]).get(ACCOUNT)

    assert (status, answer["code"]) == (401, -2015)


def test_a_wrong_secret_is_refused(clients):
    status, answer = clients(key=(KEYS["alpha"][0], "guessed")).get(ACCOUNT)

    assert status == 400
    assert answer == {"code": -1022, "msg": "Signature for this request is not valid."}


@pytest.mark.parametrize("dropped", ["timestamp", "signature"])
def test_a_missing_part_is_named(ours, dropped):
    parts = [part for part in ours.signed().split("&") if not part.startswith(dropped)]

    status, answer = ours.send("GET", ACCOUNT, "&".join(parts))

    assert (status, answer["code"]) == (400, -1102)
    assert f"'{dropped}'" in answer["msg"]


@pytest.mark.parametrize(
    ("offset_ms", "window", "code"),
    [
        (-4_000, None, None),
        (-6_000, None, -1021),
        (-6_000, "10000", None),
        (-2_000, "1000", -1021),
        (900, None, None),
        (3_000, None, -1021),
        (0, "60001", -1131),
        (0, "60000", None),
    ],
)
def test_the_time_window_is_kept(ours, standing_time, offset_ms, window, code):
    sent = {"timestamp": standing_time + offset_ms} | ({"recvWindow": window} if window else {})

    status, answer = ours.get(ACCOUNT, **sent)

    assert (status, answer.get("code")) == (200 if code is None else 400, code)


def test_a_timestamp_that_is_no_number_is_refused(ours):
    status, answer = ours.get(ACCOUNT, timestamp="noon")

    assert (status, answer["code"]) == (400, -1100)


def test_a_post_may_be_signed_in_the_query_in_the_body_or_in_both(ours):
    in_query = ours.send("POST", "api/v3/order", ours.signed(**ORDER))
    in_body = ours.send("POST", "api/v3/order", body=ours.signed(**ORDER))
    query = urlencode({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"})
    body = urlencode(
        {"timeInForce": "GTC", "quantity": "0.1", "price": "40000", "timestamp": ours.now_ms()}
    )
    signature = ours.sign(query + body)
    mixed = ours.send("POST", "api/v3/order", query, f"{body}&signature={signature}")

    assert [status for status, _ in (in_query, in_body, mixed)] == [200, 200, 200]


def test_a_changed_parameter_breaks_the_signature_and_nothing_happens(ours):
    body = ours.signed(**ORDER).replace("quantity=0.1", "quantity=0.9")

    status, answer = ours.send("POST", "api/v3/order", body=body)

    assert (status, answer["code"]) == (400, -1022)
    assert ours.get("api/v3/openOrders") == (200, [])


@pytest.mark.parametrize(
    ("text", "rest", "signature"),
    [
        ("", "", ""),
        ("a=1", "a=1", ""),
        ("a=1&signature=ff", "a=1", "ff"),
        ("signature=ff&a=1", "a=1", "ff"),
        ("a=1&signature=ff&b=2", "a=1&b=2", "ff"),
        ("signature=ff", "", "ff"),
        ("mysignature=ff", "mysignature=ff", ""),
    ],
)
def test_the_signature_is_found_wherever_it_stands(text, rest, signature):
    assert split_signature(text) == (rest, signature)


def test_a_key_that_may_only_read_can_neither_trade_nor_move_funds(reader):
    assert reader.get(ACCOUNT)[0] == 200
    for path, params in (
        ("api/v3/order", ORDER),
        ("sapi/v1/asset/transfer", {"type": "MAIN_FUNDING", "asset": "USDT", "amount": "1"}),
        ("sapi/v1/capital/withdraw/apply", {"coin": "USDT", "address": "x" * 20, "amount": "9"}),
    ):
        status, answer = reader.call("POST", path, **params)
        assert (status, answer["code"]) == (401, -2015)


def test_a_key_tells_what_it_may_do(ours, reader):
    _, granted = ours.get("sapi/v1/account/apiRestrictions")
    _, restricted = reader.get("sapi/v1/account/apiRestrictions")
    _, account = reader.get(ACCOUNT)

    rights = ("enableReading", "enableSpotAndMarginTrading", "enableWithdrawals")
    assert [granted[right] for right in rights] == [True, True, True]
    assert [restricted[right] for right in rights] == [True, False, False]
    assert (account["canTrade"], account["canWithdraw"]) == (False, False)
