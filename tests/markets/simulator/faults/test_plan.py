"""Which request a fault strikes, how often, for how long."""

from random import Random

import pytest

from arbplatform.core.clock import FixedClock
from arbplatform.core.errors import InvalidInput
from markets.simulator.config import parse_config
from markets.simulator.faults.config import parse_fault
from markets.simulator.faults.kinds import ANSWERS, KINDS, FaultKind
from markets.simulator.faults.names import ADDRESSES, addresses_of
from markets.simulator.faults.plan import FAULTS_MAX, FaultPlan, Thing
from markets.simulator.protocol.endpoints import ENDPOINTS
from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import RawClient, two_venues

REFUSE = {"kind": "refuse", "times": None}


def plan_of(*faults, seed=1, clock=None):
    parsed = [parse_fault(fault) for fault in faults]
    random = Random(seed)  # noqa: S311 - repeatable on purpose
    return FaultPlan(parsed, random, clock or FixedClock(0))


def asked(path="x", method="GET", **more):
    thing = Thing(**more)
    thing.address = (method, path)
    return thing


def strikes(plan, *targets):
    return [plan.pick(ANSWERS, target) is not None for target in targets]


def test_every_endpoint_has_a_name_and_every_name_an_endpoint():
    named = [address for addresses in ADDRESSES.values() for address in addresses]
    unnamed = {
        ("GET", "fapi/v1/exchangeInfo"),
        ("GET", "dapi/v1/exchangeInfo"),
        ("GET", "sapi/v1/margin/allPairs"),
        ("GET", "sapi/v1/margin/isolated/allPairs"),
        ("GET", "api/v3/avgPrice"),
    }
    assert len(named) == len(set(named))
    assert set(named) == set(ENDPOINTS) - unnamed


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("order.query", {("GET", "api/v3/order")}),
        ("transfer.*", {("POST", "sapi/v1/asset/transfer"), ("GET", "sapi/v1/asset/transfer")}),
        ("api/v3/time", {("", "api/v3/time")}),
        ("delete /api/v3/order", {("DELETE", "api/v3/order")}),
    ],
)
def test_an_endpoint_is_named_by_word_group_or_path(name, addresses):
    assert addresses_of(name) == addresses


def test_a_fault_strikes_its_endpoint_only():
    plan = plan_of(REFUSE | {"endpoint": "order.create"})

    assert strikes(
        plan, asked("api/v3/order", "POST"), asked("api/v3/order"), asked("api/v3/time")
    ) == [True, False, False]


@pytest.mark.parametrize(
    ("wanted", "matching", "other"),
    [
        ({"symbol": "BTC/USDT"}, {"market_id": "BTCUSDT"}, {"market_id": "ETHBTC"}),
        ({"symbol": "BTCUSDT"}, {"market_id": "BTCUSDT"}, {}),
        ({"side": "sell"}, {"side": "sell"}, {"side": "buy"}),
        ({"account": "ours"}, {"account": "ours"}, {"account": "other"}),
        ({"asset": "USDT"}, {"asset": "USDT"}, {"asset": "BTC"}),
    ],
)
def test_a_fault_strikes_its_market_side_account_and_asset_only(wanted, matching, other):
    plan = plan_of(REFUSE | wanted)

    assert strikes(plan, asked(**matching), asked(**other)) == [True, False]


def test_a_fault_can_wait_and_repeat():
    plan = plan_of(REFUSE | {"after": 1, "times": 2})

    assert strikes(plan, *[asked()] * 4) == [False, True, True, False]
    assert not plan.is_armed


def test_a_fault_is_over_after_its_span():
    clock = FixedClock(1_000)
    plan = plan_of({"kind": "refuse", "for_ms": 500}, clock=clock)

    during = strikes(plan, asked(), asked())
    clock.at_ms = 1_499
    [row] = plan.rows()
    clock.at_ms = 1_500

    assert during == [True, True]
    assert (row["left"], row["left_ms"], row["struck"]) == (None, 1, 2)
    assert strikes(plan, asked()) == [False]
    assert plan.rows() == []


def test_a_span_begins_when_enough_requests_have_passed():
    clock = FixedClock(0)
    plan = plan_of({"kind": "refuse", "after": 2, "for_ms": 500}, clock=clock)

    before = strikes(plan, asked())
    clock.at_ms = 10_000
    during = strikes(plan, asked(), asked())
    clock.at_ms = 10_500

    assert (before, during, strikes(plan, asked())) == ([False], [False, True], [False])


def test_chance_is_repeatable_and_about_right():
    def draw(seed):
        plan = plan_of(REFUSE | {"chance": 0.25}, seed=seed)
        return strikes(plan, *[asked()] * 1_000)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert 200 < sum(draw(1)) < 300


def test_faults_are_listed_with_what_they_did_and_what_is_left():
    clock = FixedClock(5)
    plan = plan_of(clock=clock)
    first = plan.add(parse_fault({"kind": "refuse", "endpoint": "order.*", "times": 3}))
    second = plan.add(parse_fault({"kind": "maintenance"}))
    plan.remove(second)
    strikes(plan, asked("api/v3/order"))

    assert plan.rows() == [
        {
            "id": first,
            "fault": {"kind": "refuse", "endpoint": "order.*", "times": 3},
            "armed_ms": 5,
            "struck": 1,
            "left": 2,
            "left_ms": None,
        }
    ]
    assert [row["id"] for row in plan.ended_rows()] == [second]
    assert plan.struck == {"refuse": 1}


def test_one_fault_is_removed_and_no_other():
    plan = plan_of()
    first, second = (plan.add(parse_fault(REFUSE)) for _ in range(2))

    assert (plan.remove(first), plan.remove(first)) == (True, False)
    assert [row["id"] for row in plan.rows()] == [second]
    assert plan.clear() == 1
    assert not plan.is_armed


def test_the_newest_fault_strikes_first_and_the_number_is_bounded():
    plan = plan_of()
    for number in range(FAULTS_MAX + 5):
        plan.add(parse_fault({"kind": "refuse", "code": -number}))

    codes = []
    while plan.is_armed:
        armed = plan.pick(ANSWERS, asked())
        assert armed is not None
        codes.append(-armed.config.code)

    assert codes == list(range(FAULTS_MAX + 4, 4, -1))


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"kind": "refuse", "chance": 2}, "chance: Input should be less than or equal to 1"),
        ({"kind": "explode"}, "kind: Input should be 'refuse'"),
        ({"kind": "refuse", "endpoint": "orders"}, "there is no endpoint orders: use a path or"),
        ({"kind": "refuse", "endpoint": "ping", "path": "x"}, "give either endpoint or path"),
        ({"kind": "drop_answer", "code": -1}, "drop_answer takes no code"),
        ({"kind": "clock_skew"}, "clock_skew needs offset_ms"),
        (
            {"kind": "clock_skew", "offset_ms": 1, "endpoint": "ping"},
            "clock_skew takes no endpoint",
        ),
        ({"kind": "stale_book", "account": "ours"}, "stale_book takes no account"),
        ({"kind": "refuse", "frequency": 1}, "frequency: Extra inputs are not permitted"),
        ([], "fault: Input should be"),
    ],
)
def test_a_fault_that_makes_no_sense_is_told(fault, complaint):
    with pytest.raises(InvalidInput, match="The fault is not valid: ") as refusal:
        parse_fault(fault)

    assert complaint in str(refusal.value)


def test_every_kind_is_described():
    assert set(KINDS) == set(FaultKind)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"kind": "refuse", "symbol": "BTC/EUR"}, "symbol: the venue has no BTCEUR, only BTCUSDT"),
        ({"kind": "refuse", "account": "their"}, "account: the venue has no their, only ours"),
        ({"kind": "refuse", "asset": "EUR"}, "asset: the venue has no EUR, only BTC, ETH, USDT"),
    ],
)
def test_names_that_the_venue_does_not_have_are_refused(simulator, fault, complaint):
    with pytest.raises(InvalidInput) as armed:
        simulator.control.add_fault("alpha", **fault)
    with pytest.raises(InvalidInput) as configured:
        parse_config(two_venues(faults=[fault]))

    assert complaint in str(armed.value)
    assert complaint in str(configured.value)
    assert simulator.control.list_faults("alpha") == []


def test_the_configuration_can_plan_faults():
    config = two_venues()
    config["venues"][0]["faults"] = [{"kind": "refuse", "path": "api/v3/time"}]
    with start_in_thread(config) as simulator:
        client = RawClient(simulator.url)
        statuses = [client.get("api/v3/time")[0] for _ in range(2)]
        client.close()

    assert statuses == [503, 200]
    assert parse_config(config).venues[0].faults[0].times == 1
