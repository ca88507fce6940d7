"""Failures on purpose: what the client sees and what really happened."""

import http.client
import json
from random import Random

import pytest

from arbplatform.core.errors import InvalidInput
from markets.simulator.config import parse_config, parse_fault
from markets.simulator.faults import FAULTS_MAX, FaultPlan
from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import KEYS, RawClient, two_venues

ORDER = {"path": "api/v3/order", "method": "POST"}


def open_orders(clients):
    return clients(key=KEYS["alpha"]).get("api/v3/openOrders")[1]


@pytest.mark.parametrize(
    ("kind", "is_carried_out"), [("drop_request", False), ("drop_answer", True)]
)
def test_a_cut_connection_tells_nothing(simulator, clients, ours, kind, is_carried_out):
    simulator.control.add_fault("alpha", kind, **ORDER)

    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ours.order(price="45000", newClientOrderId="mine")

    found = [order["clientOrderId"] for order in open_orders(clients)]
    assert found == (["mine"] if is_carried_out else [])
    status, answer = clients(key=KEYS["alpha"]).order(price="45000", newClientOrderId="mine")
    assert (status, answer.get("code")) == ((400, -2010) if is_carried_out else (200, None))


def test_a_refusal_is_told_and_nothing_is_carried_out(simulator, clients, ours):
    simulator.control.add_fault(
        "alpha", "refuse", **ORDER, status=429, code=-1003, text="Too many requests."
    )

    refused = ours.order(price="45000")
    taken, _ = ours.order(price="45000")

    assert refused == (429, {"code": -1003, "msg": "Too many requests."})
    assert taken == 200
    assert len(open_orders(clients)) == 1


@pytest.mark.parametrize("kind", ["html", "truncate"])
def test_an_answer_that_cannot_be_read_belongs_to_an_order_that_was_taken(
    simulator, clients, ours, kind
):
    simulator.control.add_fault("alpha", kind, **ORDER)

    with pytest.raises(json.JSONDecodeError):
        ours.order(price="45000")

    assert len(open_orders(clients)) == 1


def test_a_late_answer_comes_after_the_order_was_taken(simulator, clients, ours):
    simulator.control.add_fault("alpha", "late_answer", **ORDER, delay_ms=30)

    status, _ = ours.order(price="45000")

    assert status == 200
    assert len(open_orders(clients)) == 1


def test_a_fault_can_wait_repeat_and_be_cleared(simulator, anyone):
    simulator.control.add_fault(
        "alpha", "refuse", path="api/v3/time", after=1, times=None, status=503
    )

    statuses = [anyone.get("api/v3/time")[0] for _ in range(4)]
    others = anyone.get("api/v3/ping")[0]
    simulator.control.clear_faults("alpha")

    assert statuses == [200, 503, 503, 503]
    assert others == 200
    assert anyone.get("api/v3/time")[0] == 200


def test_faults_are_armed_and_disarmed_over_http(simulator, anyone):
    def control(method, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
        connection.request(method, "/control/alpha/faults", body)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    armed = control("POST", json.dumps({"kind": "refuse", "times": None}))
    refused = anyone.get("api/v3/ping")[0]
    disarmed = control("DELETE")
    unknown = control("POST", json.dumps({"kind": "explode"}))
    broken = control("POST", "{")

    assert (armed, refused, disarmed) == ((200, {"armed": 1}), 503, (200, {"armed": 0}))
    assert (unknown[0], broken[0]) == (400, 400)
    assert "kind" in unknown[1]["error"]
    assert anyone.get("api/v3/ping")[0] == 200


def test_the_configuration_can_plan_faults():
    config = two_venues()
    config["venues"][0]["faults"] = [{"kind": "refuse", "path": "api/v3/time"}]
    with start_in_thread(config) as simulator:
        client = RawClient(simulator.url)
        statuses = [client.get("api/v3/time")[0] for _ in range(2)]
        client.close()

    assert statuses == [503, 200]
    assert parse_config(config).venues[0].faults[0].times == 1


def test_chance_is_repeatable_and_about_right():
    fault = parse_fault({"kind": "refuse", "times": None, "chance": 0.25})

    def strikes(seed):
        plan = FaultPlan([fault], Random(seed))  # noqa: S311 - repeatable on purpose
        return [plan.pick("GET", "x") is not None for _ in range(1_000)]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 200 < sum(strikes(1)) < 300


def test_the_newest_fault_strikes_first_and_the_number_is_bounded():
    plan = FaultPlan([], Random(1))  # noqa: S311 - repeatable on purpose
    for number in range(FAULTS_MAX + 5):
        plan.add(parse_fault({"kind": "refuse", "code": -number}))

    codes = []
    while plan.is_armed:
        fault = plan.pick("GET", "x")
        assert fault is not None
        codes.append(-fault.code)

    assert codes == list(range(FAULTS_MAX + 4, 4, -1))


def test_a_fault_that_makes_no_sense_is_told():
    with pytest.raises(InvalidInput, match="The fault is not valid: chance"):
        parse_fault({"kind": "refuse", "chance": 2})
