"""Faults over the simulator's own HTTP control, and what they match over real requests."""

import http.client
import json

import pytest

from tests.markets.simulator.worlds import KEYS


@pytest.fixture
def control(simulator):
    def ask(method, path="", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
        sent = None if body is None else json.dumps(body)
        connection.request(method, f"/control/alpha/faults{path}", sent)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    return ask


def test_faults_are_armed_listed_and_disarmed(control, anyone):
    armed = control("POST", body={"kind": "refuse", "times": None, "code": -1000})
    also = control("POST", body={"kind": "clock_skew", "offset_ms": 5})
    refused = anyone.get("api/v3/ping")[0]
    _, listed = control("GET")
    removed = control("DELETE", f"/{armed[1]['id']}")
    absent = control("DELETE", f"/{armed[1]['id']}")
    answered = anyone.get("api/v3/ping")[0]
    cleared = control("DELETE")

    assert (armed, also) == ((200, {"armed": 1, "id": 1}), (200, {"armed": 1, "id": 2}))
    assert (refused, answered) == (500, 200)
    assert [(row["id"], row["fault"]["kind"], row["struck"]) for row in listed["faults"]] == [
        (2, "clock_skew", 0),
        (1, "refuse", 1),
    ]
    assert listed["struck"] == {"refuse": 1}
    assert removed == (200, {"removed": 1})
    assert absent == (404, {"error": "No fault 1 is armed at alpha."})
    assert cleared == (200, {"armed": 0, "removed": 1})
    assert [row["id"] for row in control("GET")[1]["ended"]] == [2, 1]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "refuse", "account": "nobody"}, "the venue has no nobody"),
        ("{", "The fault is not valid"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_and_nothing_is_armed(control, body, complaint):
    status, answer = control("POST", body=body)

    assert status == 400
    assert complaint in answer["error"]
    assert control("GET")[1]["faults"] == []


def test_what_is_not_json_is_refused(simulator, control):
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    connection.request("POST", "/control/alpha/faults", "{")
    status = connection.getresponse().status
    connection.close()

    assert status == 400
    assert control("GET")[1]["faults"] == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_there_is_no_other_way_to_change_faults(control, method):
    assert control(method)[0] == 404


@pytest.mark.parametrize("path", ["/control/alpha/faults", "/statement/alpha?label=ours"])
def test_a_web_page_in_the_browser_of_whoever_runs_it_is_not_answered(simulator, path):
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    connection.request(
        "POST" if "control" in path else "GET",
        path,
        json.dumps({"kind": "maintenance"}),
        {"Origin": "https://example.org", "Content-Type": "text/plain"},
    )
    status = connection.getresponse().status
    connection.close()

    assert status == 403
    assert simulator.control.list_faults("alpha") == []


def test_an_order_is_struck_by_symbol_side_and_account(simulator, ours, other, clients):
    simulator.control.add_fault(
        "alpha",
        "refuse",
        endpoint="order.create",
        symbol="BTC/USDT",
        side="sell",
        account="ours",
        times=None,
    )

    statuses = [
        ours.order(price="60000", side="SELL")[0],
        ours.order(price="45000", side="BUY")[0],
        other.order(price="60000", side="SELL")[0],
        ours.order(symbol="ETHBTC", side="SELL", price="0.05")[1].get("code"),
        clients("beta", KEYS["beta"]).order(price="60000", side="SELL")[0],
    ]

    assert statuses == [503, 200, 200, -2010, 200]


def test_a_look_up_is_struck_by_the_side_of_its_order(simulator, ours):
    ours.order(price="45000", newClientOrderId="bought")
    ours.order(price="60000", side="SELL", newClientOrderId="sold")
    number = ours.get("api/v3/order", symbol="BTCUSDT", origClientOrderId="sold")[1]["orderId"]
    simulator.control.add_fault(
        "alpha", "refuse", endpoint="order.query", side="sell", code=-2013, times=None
    )

    codes = [
        ours.get("api/v3/order", symbol="BTCUSDT", **by)[1].get("code")
        for by in (
            {"origClientOrderId": "bought"},
            {"origClientOrderId": "sold"},
            {"orderId": number},
            {"origClientOrderId": "unknown"},
        )
    ]

    assert codes == [None, -2013, -2013, -2013]
