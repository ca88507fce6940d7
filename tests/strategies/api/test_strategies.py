"""Strategies over HTTP."""

from decimal import Decimal

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.models import Order
from strategies.domain.states import StrategyState
from strategies.models import Run, Strategy
from strategies.services.claims import claim_tick
from strategies.services.runs import stop_strategy
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db

LIST = "/api/strategies"


@pytest.fixture
def body(accounts):
    return {
        "name": "cross",
        "type": "cross-venue",
        "params": {"symbols": ["BTC/USDT"], "min_edge_bps": "7.5"},
        "accounts": [account.pk for account in accounts],
        "driver": "schedule",
        "interval_ms": 500,
    }


def post(client, address, data=None):
    return client.post(address, data, format="json")


def refusal(response):
    return response.status_code, response.json()["code"]


# create -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [LIST, LIST + "/"])
def test_a_strategy_is_created_stopped(staff_api, body, address):
    response = post(staff_api, address, body)

    assert response.status_code == 201
    answer = response.json()
    assert (answer["code"], answer["msg"]) == (0, "success")
    data = answer["data"]
    strategy = Strategy.objects.get()
    assert data["id"] == strategy.pk
    assert (data["status"], data["name"], data["type"]) == ("stopped", "cross", "cross-venue")
    assert data["params"]["min_edge_bps"] == "7.5"
    assert data["accounts"] == body["accounts"]
    assert (data["interval_ms"], data["run"], data["logs"], data["trades"]) == (500, None, [], [])


def test_interval_and_parameters_may_be_left_out(staff_api, body):
    del body["interval_ms"]
    body["type"], body["params"] = "triangular", {"assets": ["BTC", "ETH", "USDT"]}

    assert post(staff_api, LIST, body).json()["data"]["interval_ms"] == 1000


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": ""}, 1001, "name"),
        ({"name": "x" * 65}, 1001, "name"),
        ({"name": None}, 1001, "name"),
        ({"name": "a\x00b"}, 1012, None),
        ({"type": 5001}, 5001, None),
        ({"type": "lottery"}, 5001, None),
        ({"accounts": []}, 1001, "accounts"),
        ({"accounts": [4711]}, 1001, "accounts"),
        ({"accounts": ["x"]}, 1001, "accounts.0"),
        ({"accounts": [2**63]}, 1001, "accounts.0"),
        ({"accounts": "all"}, 1001, "accounts"),
        ({"interval_ms": 10}, 1001, "interval_ms"),
        ({"interval_ms": "soon"}, 1001, "interval_ms"),
        ({"params": []}, 1001, "params"),
        ({"params": {}}, 5002, "params.symbols"),
        ({"params": {"symbols": ["BTC-USDT"]}}, 5002, "params.symbols"),
        ({"params": {"symbols": ["BTC/USDT"], "luck": 1}}, 5002, "params.luck"),
        ({"params": {"symbols": ["BTC/USDT"], "min_edge_bps": "-1"}}, 5002, "params.min_edge_bps"),
        ({"params": {"symbols": ["BTC/USDT"], "depth": 0}}, 5002, "params.depth"),
    ],
)
def test_bad_input_is_refused_with_its_field_and_nothing_is_written(
    staff_api, body, change, code, field
):
    response = post(staff_api, LIST, {**body, **change})

    assert refusal(response) == (400, code)
    if field is not None:
        assert field in response.json()["data"]["fields"]
    assert not Strategy.objects.exists()


@pytest.mark.parametrize("raw", ["{", "[]", '"text"', "null", ""])
def test_a_body_that_is_no_object_is_refused(staff_api, accounts, raw):
    response = staff_api.generic("POST", LIST, raw, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["code"] in {1001, 1012}
    assert not Strategy.objects.exists()


def test_one_account_is_too_few_for_two_venues(staff_api, body):
    body["accounts"] = body["accounts"][:1]

    assert refusal(post(staff_api, LIST, body)) == (400, 5007)
    assert not Strategy.objects.exists()


def test_a_name_that_is_taken_is_refused(staff_api, body):
    post(staff_api, LIST, body)

    response = post(staff_api, LIST, body)

    assert refusal(response) == (400, 1001)
    assert "cross" in response.json()["data"]["fields"]["name"][0]
    assert Strategy.objects.count() == 1


# permission -------------------------------------------------------------------------------------


def test_everything_needs_a_login(anonymous_api, cross):
    for method, address in (
        ("get", LIST),
        ("post", LIST),
        ("get", f"{LIST}/types"),
        ("get", f"{LIST}/{cross.pk}"),
        ("put", f"{LIST}/{cross.pk}"),
        ("patch", f"{LIST}/{cross.pk}"),
        ("delete", f"{LIST}/{cross.pk}"),
        ("post", f"{LIST}/{cross.pk}/start"),
        ("post", f"{LIST}/{cross.pk}/stop"),
        ("get", f"{LIST}/{cross.pk}/pnl"),
        ("get", "/api/opportunities"),
        ("get", "/api/executions"),
    ):
        assert refusal(getattr(anonymous_api, method)(address)) == (401, 1009), address


def test_who_is_no_staff_reads_and_changes_nothing(user_api, cross):
    assert user_api.get(f"{LIST}/{cross.pk}").status_code == 200
    for method, address in (
        ("post", LIST),
        ("put", f"{LIST}/{cross.pk}"),
        ("patch", f"{LIST}/{cross.pk}"),
        ("delete", f"{LIST}/{cross.pk}"),
        ("post", f"{LIST}/{cross.pk}/start"),
        ("post", f"{LIST}/{cross.pk}/stop"),
    ):
        assert refusal(getattr(user_api, method)(address)) == (403, 1005), address
    cross.refresh_from_db()
    assert cross.state == StrategyState.RUNNING


# read -------------------------------------------------------------------------------------------


def test_the_list_is_paged_filtered_and_ordered(user_api, make_cross, make_triangular, cross):
    make_cross("another")
    make_triangular("third")

    everything = user_api.get(LIST, {"ordering": "-name", "page_size": 2}).json()["data"]
    assert everything["count"] == 3
    assert [row["name"] for row in everything["results"]] == ["third", "cross"]
    sorted_by_status = user_api.get(LIST, {"ordering": "status,name"}).json()["data"]
    assert [row["name"] for row in sorted_by_status["results"]] == ["cross", "another", "third"]
    running = user_api.get(LIST, {"status": "running"}).json()["data"]
    assert [row["name"] for row in running["results"]] == ["cross"]
    typed = user_api.get(LIST, {"type": "triangular"}).json()["data"]
    assert [row["name"] for row in typed["results"]] == ["third"]


@pytest.mark.parametrize("query", [{"status": "happy"}, {"account": "x"}, {"page": "0"}])
def test_a_wrong_filter_is_refused(user_api, cross, query):
    assert refusal(user_api.get(LIST, query)) == (400, 1001)


def test_the_list_takes_the_same_number_of_queries_for_any_number_of_rows(
    user_api, make_cross, calm, django_assert_max_num_queries
):
    for number in range(5):
        make_cross(f"strategy {number}")

    with django_assert_max_num_queries(4):
        user_api.get(LIST)


def test_the_detail_shows_parameters_status_decision_logs_pnl_and_trades(user_api, cross, edge):
    run_tick(strategy_id=cross.pk)

    data = user_api.get(f"{LIST}/{cross.pk}").json()["data"]

    assert data["status"] == "running"
    assert data["params"]["symbols"] == ["BTC/USDT"]
    assert data["run"]["execution_count"] == 1
    assert data["last_decision"]["executed"][0]["state"] == "completed"
    assert {line["event"] for line in data["logs"]} >= {"strategy_started", "execution_completed"}
    assert "made" in data["logs"][0]["message"]
    assert data["pnl"]["reporting_asset"] == "USDT"
    assert float(data["pnl"]["by_asset"]["USDT"]) > 0
    assert data["pnl"]["executions"]["completed"] == 1
    assert {trade["side"] for trade in data["trades"]} == {"buy", "sell"}
    assert all(isinstance(trade["price"], str) for trade in data["trades"])


def test_why_nothing_was_traded_is_said_in_words(user_api, cross, calm):
    run_tick(strategy_id=cross.pk)

    rejections = user_api.get(f"{LIST}/{cross.pk}").json()["data"]["last_decision"]["rejections"]

    assert rejections
    assert all(isinstance(row["message"], str) and row["message"] for row in rejections)


@pytest.mark.parametrize("pk", ["4711", "9" * 30])
@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        ("get", ""),
        ("put", ""),
        ("patch", ""),
        ("delete", ""),
        ("post", "/start"),
        ("post", "/stop"),
        ("get", "/pnl"),
    ],
)
def test_a_strategy_that_is_not_there_is_a_404(staff_api, db, method, suffix, pk):
    assert refusal(getattr(staff_api, method)(f"{LIST}/{pk}{suffix}")) == (404, 5003)


def test_the_types_come_with_their_schemas(user_api, db):
    data = user_api.get(f"{LIST}/types").json()["data"]

    assert [row["slug"] for row in data] == ["cross-venue", "triangular"]
    schema = data[0]["schema"]["properties"]["min_edge_bps"]
    assert (schema["type"], schema["default"]) == ("string", "5")
    assert data[0]["title"] == "Cross-venue arbitrage"


def test_pnl_is_answered_alone(user_api, cross, edge):
    run_tick(strategy_id=cross.pk)

    data = user_api.get(f"{LIST}/{cross.pk}/pnl").json()["data"]

    assert set(data) == {
        "by_asset",
        "reporting_asset",
        "total",
        "unpriced",
        "executions",
        "attribution",
        "audited_at",
        "wrong_sums",
    }
    assert (data["audited_at"], data["wrong_sums"]) == (None, 0)
    assert float(data["total"]) > 0


def test_pnl_says_how_the_expected_became_the_realised_profit(user_api, cross, edge):
    run_tick(strategy_id=cross.pk)

    [row] = user_api.get(f"{LIST}/{cross.pk}/pnl").json()["data"]["attribution"]

    parts = ("expected", "slippage", "fees", "completion", "dust", "funding", "transfers")
    assert (row["asset"], row["executions"]) == ("USDT", 1)
    assert (row["latency"], row["measured"]) == (None, 0)
    assert sum(Decimal(row[name]) for name in parts) == Decimal(row["total"]) > 0
    assert (row["inexact"], row["pending"]) == (0, 0)


# change -----------------------------------------------------------------------------------------


def test_put_replaces_and_patch_changes_a_part(staff_api, make_cross, body):
    pk = make_cross(min_edge_bps="9").pk

    put = staff_api.put(f"{LIST}/{pk}", {**body, "name": "new"}, format="json").json()["data"]
    assert (put["name"], put["params"]["min_edge_bps"], put["interval_ms"]) == ("new", "7.5", 500)
    patch = staff_api.patch(f"{LIST}/{pk}", {"interval_ms": 700}, format="json").json()["data"]
    assert (patch["name"], patch["interval_ms"]) == ("new", 700)


def test_patch_keeps_each_parameter_that_it_does_not_name(staff_api, make_cross):
    strategy = make_cross(max_notional="123", max_loss_bps="3", min_edge_bps="9")
    before = strategy.params

    changes = {"params": {"min_edge_bps": "11"}}
    response = staff_api.patch(f"{LIST}/{strategy.pk}", changes, format="json")

    assert response.status_code == 200
    assert response.json()["data"]["params"] == {**before, "min_edge_bps": "11"}
    strategy.refresh_from_db()
    assert strategy.params == {**before, "min_edge_bps": "11"}


def test_put_sets_parameters_that_it_does_not_name_to_their_defaults(staff_api, make_cross, body):
    strategy = make_cross(max_loss_bps="3")
    default = make_cross(name="other").params["max_loss_bps"]

    staff_api.put(f"{LIST}/{strategy.pk}", {**body, "name": "new"}, format="json")

    strategy.refresh_from_db()
    assert strategy.params["max_loss_bps"] == default != "3"


@pytest.mark.parametrize("params", [{"max_loss_bps": None}, {"max_loss_bps": "-1"}, {"luck": 1}])
def test_patch_refuses_a_parameter_that_the_schema_refuses_and_writes_nothing(
    staff_api, make_cross, params
):
    strategy = make_cross(max_loss_bps="3")

    response = staff_api.patch(f"{LIST}/{strategy.pk}", {"params": params}, format="json")

    assert refusal(response) == (400, 5002)
    assert set(response.json()["data"]["fields"]) == {f"params.{name}" for name in params}
    before = strategy.params
    strategy.refresh_from_db()
    assert strategy.params == before


def test_patch_to_another_type_takes_no_parameters_of_the_former_one(staff_api, make_cross):
    strategy = make_cross(max_loss_bps="3")
    changes = {
        "type": "triangular",
        "params": {"assets": ["BTC", "ETH", "USDT"]},
        "accounts": [strategy.accounts.order_by("pk")[0].pk],
    }

    response = staff_api.patch(f"{LIST}/{strategy.pk}", changes, format="json")

    assert response.status_code == 200
    params = response.json()["data"]["params"]
    assert "symbols" not in params
    assert params["max_loss_bps"] != "3"


def test_put_asks_for_everything(staff_api, make_cross):
    response = staff_api.put(f"{LIST}/{make_cross().pk}", {"name": "x"}, format="json")

    assert refusal(response) == (400, 1001)
    assert set(response.json()["data"]["fields"]) == {"type", "accounts"}


def test_a_running_strategy_is_neither_changed_nor_deleted(staff_api, cross):
    changed = staff_api.patch(f"{LIST}/{cross.pk}", {"name": "new"}, format="json")

    assert refusal(changed) == (409, 5004)
    assert refusal(staff_api.delete(f"{LIST}/{cross.pk}")) == (409, 5004)
    cross.refresh_from_db()
    assert cross.name == "cross"


def test_a_strategy_that_never_traded_is_deleted(staff_api, make_cross):
    response = staff_api.delete(f"{LIST}/{make_cross().pk}")

    assert response.status_code == 200
    assert response.json() == {"code": 0, "msg": "success", "data": None}
    assert not Strategy.objects.exists()


def test_a_strategy_with_orders_in_the_books_is_kept(staff_api, cross, edge):
    run_tick(strategy_id=cross.pk)
    stop_strategy(strategy_id=cross.pk, user=None)

    assert refusal(staff_api.delete(f"{LIST}/{cross.pk}")) == (409, 5008)
    assert Order.objects.count() == 2


# start and stop ---------------------------------------------------------------------------------


def test_start_and_stop(staff_api, make_cross, calm, staff):
    pk = make_cross().pk

    started = post(staff_api, f"{LIST}/{pk}/start").json()["data"]
    assert started["status"] == "running"
    assert started["run"]["started_by"] == staff.username
    stopped = post(staff_api, f"{LIST}/{pk}/stop", {"reason": "lunch"}).json()["data"]
    assert stopped["status"] == "stopped"
    assert stopped["run"]["stop_reason"] == "lunch"


def test_stop_shows_that_a_tick_is_being_finished(staff_api, cross):
    claim_tick(cross, clock=SYSTEM_CLOCK)

    response = post(staff_api, f"{LIST}/{cross.pk}/stop")

    assert response.json()["data"]["status"] == "stopping"


def test_a_second_start_and_a_second_stop_are_refused(staff_api, cross):
    assert refusal(post(staff_api, f"{LIST}/{cross.pk}/start")) == (409, 5005)
    assert Run.objects.count() == 1
    post(staff_api, f"{LIST}/{cross.pk}/stop")
    assert refusal(post(staff_api, f"{LIST}/{cross.pk}/stop")) == (409, 5006)


def test_a_start_with_unknown_symbols_is_refused_and_changes_nothing(staff_api, make_cross, calm):
    strategy = make_cross(symbols=["DOGE/USDT"])

    assert refusal(post(staff_api, f"{LIST}/{strategy.pk}/start")) == (409, 5009)
    assert not Run.objects.exists()


def test_a_start_while_a_venue_is_away_is_refused_and_changes_nothing(staff_api, make_cross, calm):
    strategy = make_cross()
    calm["beta"].is_reachable = False

    assert refusal(post(staff_api, f"{LIST}/{strategy.pk}/start")) == (503, 2004)
    strategy.refresh_from_db()
    assert strategy.state == StrategyState.STOPPED


def test_a_reason_that_is_too_long_is_refused(staff_api, cross):
    response = post(staff_api, f"{LIST}/{cross.pk}/stop", {"reason": "x" * 201})

    assert refusal(response) == (400, 1001)
    cross.refresh_from_db()
    assert cross.state == StrategyState.RUNNING


def test_get_does_not_start_anything(staff_api, make_cross):
    strategy = make_cross()

    assert refusal(staff_api.get(f"{LIST}/{strategy.pk}/start")) == (405, 1010)
    strategy.refresh_from_db()
    assert strategy.state == StrategyState.STOPPED
