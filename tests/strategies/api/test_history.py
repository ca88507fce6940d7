"""Opportunities and executions over HTTP."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation
from django.utils.html import escape

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Conflict, Message
from arbplatform.wording import render
from strategies.models import Attribution, Execution, Opportunity
from strategies.services.failures import explain
from strategies.services.runs import fault_strategy, start_strategy, stop_strategy
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def traded(make_cross, start, edge):
    """A strategy that has executed one opportunity and skipped another."""
    strategy = make_cross(symbols=["BTC/USDT", "ETH/USDT"])
    edge["beta"].set_book("ETH/USDT", bids=[("2530", "1")], asks=[("2531", "1")])
    start(strategy)
    run_tick(strategy_id=strategy.pk)
    return strategy


def results(client, address, **query):
    response = client.get(address, query)
    assert response.status_code == 200, response.json()
    return response.json()["data"]["results"]


def test_opportunities_are_listed_newest_first_without_their_evidence(user_api, traded):
    rows = results(user_api, "/api/opportunities")

    assert [row["decision"] for row in rows] == ["skipped", "executed"]
    assert rows[0]["reason"] == "one_per_tick"
    assert rows[0]["reason_text"] == "another one of the same tick was better"
    assert rows[0]["execution"] is None
    assert rows[1]["execution"] == Execution.objects.get().pk
    assert all("evidence" not in row for row in rows)
    assert all(isinstance(row["edge_bps"], str) for row in rows)


def test_opportunities_are_filtered_by_strategy_decision_reason_and_time(user_api, traded):
    address = "/api/opportunities"
    now = SYSTEM_CLOCK.now()

    assert len(results(user_api, address, strategy_id=traded.pk)) == 2
    assert results(user_api, address, strategy_id=4711) == []
    assert [row["decision"] for row in results(user_api, address, decision="executed")] == [
        "executed"
    ]
    assert len(results(user_api, address, reason="one_per_tick")) == 1
    assert len(results(user_api, address, since=(now - timedelta(hours=1)).isoformat())) == 2
    assert results(user_api, address, since=(now + timedelta(hours=1)).isoformat()) == []
    assert results(user_api, address, until=(now - timedelta(hours=1)).isoformat()) == []


def test_an_opportunity_comes_with_its_evidence(user_api, traded):
    pk = Opportunity.objects.get(decision="executed").pk

    data = user_api.get(f"/api/opportunities/{pk}").json()["data"]

    assert {book["venue"] for book in data["evidence"]["books"]} == {"alpha", "beta"}
    assert data["evidence"]["intent"]["legs"][0]["side"] == "buy"


def test_runs_are_listed_newest_first_and_filtered(user_api, traded):
    address = "/api/runs"
    stop_strategy(strategy_id=traded.pk, user=None, reason="enough")
    start_strategy(strategy_id=traded.pk, user=None)

    newest, first = results(user_api, address)
    assert (first["stop_reason"], first["execution_count"], first["tick_count"]) == ("enough", 1, 1)
    assert (newest["stopped_at"], newest["strategy_id"]) == (None, traded.pk)
    assert newest["strategy_name"] == traded.name
    assert newest["params"]["symbols"] == ["BTC/USDT", "ETH/USDT"]
    assert [row["id"] for row in results(user_api, address, is_open="true")] == [newest["id"]]
    assert [row["id"] for row in results(user_api, address, is_open="false")] == [first["id"]]
    assert [row["id"] for row in results(user_api, address, is_open="1")] == [newest["id"]]
    assert results(user_api, address, strategy_id=4711) == []
    assert results(user_api, address, since="2099-01-01T00:00:00Z") == []


@pytest.mark.parametrize("typed", ["system", "halted", '{"template":"x","context":{}}'])
def test_why_a_person_stopped_a_strategy_is_told_as_typed(user_api, console, traded, typed):
    stop_strategy(strategy_id=traded.pk, user=None, reason=typed)

    asked = {"headers": {"Accept-Language": "zh-hans"}}
    (run,) = user_api.get("/api/runs", **asked).json()["data"]["results"]
    assert run["stop_reason"] == typed
    page = console.get(f"/admin/strategies/run/{run['id']}/change/", **asked)
    assert escape(typed) in page.content.decode()


def test_that_the_platform_stopped_a_strategy_is_told_in_the_readers_language(user_api, traded):
    stop_strategy(strategy_id=traded.pk, user=None)
    start_strategy(strategy_id=traded.pk, user=None)
    stop_strategy(strategy_id=traded.pk, user=None, reason=Message("The demo has ended."))

    asked = {"headers": {"Accept-Language": "zh-hans"}}
    rows = user_api.get("/api/runs", **asked).json()["data"]["results"]
    assert [row["stop_reason"] for row in rows] == ["演示已结束。", "系统"]


def test_what_stopped_a_strategy_is_told_with_its_code_in_the_readers_language(user_api, traded):
    error = Conflict()
    fault_strategy(strategy_id=traded.pk, failure=explain(error))
    with translation.override("zh-hans"):
        chinese = render(error.message)

    for language, text in (("en", str(error)), ("zh-hans", chinese)):
        asked = {"headers": {"Accept-Language": language}}
        strategy = user_api.get(f"/api/strategies/{traded.pk}", **asked).json()["data"]
        assert (strategy["last_error"], strategy["last_error_code"]) == (text, error.code)
        (run,) = user_api.get("/api/runs", **asked).json()["data"]["results"]
        assert run["stop_reason"] == text
    assert chinese != str(error)


@pytest.mark.parametrize("text", ["yes", "2", "tru"])
def test_a_flag_that_is_neither_true_nor_false_is_refused(user_api, refusal, text):
    assert refusal(user_api.get("/api/runs", {"is_open": text})) == (400, 1001, ["is_open"])


def test_executions_are_listed_and_filtered(user_api, traded):
    address = "/api/executions"

    rows = results(user_api, address)
    assert [row["state"] for row in rows] == ["completed"]
    assert float(rows[0]["realised_profit"]) > 0
    assert rows[0]["profit_asset"] == "USDT"
    assert len(results(user_api, address, strategy_id=traded.pk, state="completed")) == 1
    assert results(user_api, address, state="failed") == []
    assert results(user_api, address, strategy_id=4711) == []


def test_an_execution_comes_with_plan_and_legs(user_api, traded):
    pk = Execution.objects.get().pk

    data = user_api.get(f"/api/executions/{pk}").json()["data"]

    assert [(leg["leg_index"], leg["side"], leg["state"]) for leg in data["legs"]] == [
        (0, "buy", "filled"),
        (1, "sell", "filled"),
    ]
    assert [leg["quantity"] for leg in data["legs"]] == [leg["quantity"] for leg in data["plan"]]


def test_an_execution_says_why_it_made_what_it_made(user_api, traded):
    pk = Execution.objects.get().pk

    data = user_api.get(f"/api/executions/{pk}").json()["data"]

    found = data["attribution"]
    parts = ("expected", "slippage", "fees", "completion", "dust", "funding", "transfers")
    assert found["latency"] is None
    assert sum(Decimal(found[name]) for name in parts) == Decimal(found["total"])
    assert found["total"] == found["booked"]
    assert (found["is_exact"], found["differences"], found["unpriced"]) == (True, {}, [])
    assert found["cash"] == data["realised_profit"]
    assert [(leg["venue"], leg["slippage"]) for leg in found["legs"]] == [
        ("alpha", "0"),
        ("beta", "0"),
    ]
    assert found["marks"]["BTC"] == "49990"


def test_an_execution_that_has_not_ended_has_no_attribution_yet(user_api, traded):
    Attribution.objects.all().delete()
    pk = Execution.objects.get().pk

    assert user_api.get(f"/api/executions/{pk}").json()["data"]["attribution"] is None


def test_an_execution_that_fell_short_says_what_was_done_and_why(user_api, held):
    data = user_api.get(f"/api/executions/{held.pk}").json()["data"]

    assert data["state"] == "held"
    assert float(data["residuals"]["BTC"]) > 0.1
    assert [step["action"] for step in data["steps"]] == ["hold"]
    assert "within a loss of 50 bps" in data["steps"][0]["message"]
    assert data["acknowledged_at"] is None


def test_staff_acknowledge_an_exposure_that_is_held_once(staff_api, held):
    address = f"/api/executions/{held.pk}/acknowledge"

    data = staff_api.post(address).json()["data"]
    again = staff_api.post(address)

    assert data["acknowledged_at"] is not None
    assert data["acknowledged_by"]
    assert (again.status_code, again.json()["code"]) == (409, 5010)


def test_a_user_without_staff_rights_acknowledges_nothing(user_api, held):
    response = user_api.post(f"/api/executions/{held.pk}/acknowledge")

    assert response.status_code == 403
    held.refresh_from_db()
    assert held.acknowledged_at is None


def test_an_execution_that_is_not_there_cannot_be_acknowledged(staff_api, db):
    assert staff_api.post("/api/executions/4711/acknowledge").status_code == 404


@pytest.mark.parametrize("address", ["/api/opportunities", "/api/executions"])
def test_history_can_only_be_read(staff_api, traded, address):
    response = staff_api.post(address, {}, format="json")

    assert (response.status_code, response.json()["code"]) == (405, 1010)


@pytest.mark.parametrize("address", ["/api/opportunities", "/api/executions"])
@pytest.mark.parametrize("pk", ["4711", "9" * 30])
def test_what_is_not_there_is_a_404(user_api, db, address, pk):
    response = user_api.get(f"{address}/{pk}")

    assert (response.status_code, response.json()["code"]) == (404, 1002)


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("/api/opportunities", {"decision": "perhaps"}),
        ("/api/opportunities", {"since": "yesterday"}),
        ("/api/opportunities", {"strategy_id": "x"}),
        ("/api/executions", {"state": "happy"}),
        ("/api/executions", {"until": "tomorrow"}),
        ("/api/executions", {"page_size": "1000"}),
    ],
)
def test_a_wrong_filter_is_refused(user_api, db, address, query):
    response = user_api.get(address, query)

    assert (response.status_code, response.json()["code"]) == (400, 1001)
