"""Flattening over HTTP and on the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.models import LogEntry, Order
from ledger.services.halts import change_trading
from strategies.domain.states import ExecutionState
from strategies.services.repairs import go_on

pytestmark = pytest.mark.django_db

FLATTEN = "/api/risk/flatten"
ORDERS_BEFORE = 2


def is_untouched(execution):
    fence, steps = execution.fence, execution.steps
    execution.refresh_from_db()
    return (
        execution.state == ExecutionState.HELD
        and (execution.fence, execution.steps) == (fence, steps)
        and Order.objects.count() == ORDERS_BEFORE
        and not LogEntry.objects.filter(event="exposure_flattened").exists()
    )


def test_the_list_can_be_read_by_whoever_may_read(user_api, better):
    answer = user_api.get(FLATTEN)

    assert answer.status_code == 200
    (row,) = answer.json()["data"]
    assert row["execution_id"] == better.pk
    assert (row["state"], row["is_possible"], row["action"]) == ("held", True, "proceed")
    assert (row["order"]["venue"], row["order"]["side"]) == ("beta", "sell")
    assert row["order"]["limit_price"] == "50400"
    assert [part["asset"] for part in row["exposures"]] == ["BTC"]
    assert row["estimated_loss"].startswith("-")
    assert float(row["loss_bps"]) < 0
    assert row["profit_asset"] == "USDT"
    assert row["reason"].startswith("Completing at break-even or better")
    assert is_untouched(better)


def test_what_cannot_be_brought_back_says_why(user_api, held):
    (row,) = user_api.get(FLATTEN).json()["data"]

    assert (row["is_possible"], row["action"], row["order"]) == (False, "hold", None)
    assert (row["loss_bps"], row["estimated_loss"]) == (None, None)
    assert "within a loss of" in row["reason"]


def test_staff_flatten_with_a_reason(staff_api, staff, better):
    answer = staff_api.post(FLATTEN, {"reason": "end of the day"}, format="json")

    assert answer.status_code == 200
    (row,) = answer.json()["data"]
    assert (row["state"], row["is_possible"]) == ("incomplete", True)
    line = LogEntry.objects.get(event="exposure_flattened")
    assert line.context["user"] == staff.username
    assert go_on(execution_id=better.pk).state == ExecutionState.COMPLETED
    steps = staff_api.get(f"/api/executions/{better.pk}").json()["data"]["steps"]
    assert [step["action"] for step in steps][-2:] == ["reopen", "proceed"]
    assert steps[-2]["message"].endswith("had the repair begun anew: end of the day")


def test_under_a_halt_of_everything_it_is_refused_with_what_to_do(staff_api, better):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="odd")

    answer = staff_api.post(FLATTEN, {"reason": "x"}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (409, 5011)
    assert is_untouched(better)


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 201}])
def test_a_wish_without_a_reason_does_nothing(staff_api, better, body):
    assert staff_api.post(FLATTEN, body, format="json").status_code == 400
    assert is_untouched(better)


def test_readers_and_strangers_cannot_flatten(user_api, anonymous_api, better):
    assert user_api.post(FLATTEN, {"reason": "x"}, format="json").status_code == 403
    assert anonymous_api.post(FLATTEN, {"reason": "x"}, format="json").status_code == 401
    assert anonymous_api.get(FLATTEN).status_code == 401
    assert is_untouched(better)


def command(*arguments):
    out = StringIO()
    call_command("kill", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_first_and_then_does_it_without_a_worker(better):
    said = command("--flatten", "--dry-run", "--reason", "look")

    assert f"Execution {better.pk} (held) of cross: left over 0." in said
    assert "BTC/USDT at beta, limit 50400, estimated loss -" in said
    assert "Nothing was sent." in said
    assert is_untouched(better)

    said = command("--flatten", "--reason", "from a terminal")

    assert f"Execution {better.pk} is completed now." in said
    better.refresh_from_db()
    assert better.state == ExecutionState.COMPLETED
    assert LogEntry.objects.get(event="exposure_flattened").context["user"]["template"] == "system"
    assert "No execution has left anything unhedged" in command("--flatten", "--reason", "x")


def test_the_command_names_what_is_not_possible(held):
    said = command("--flatten", "--reason", "x")

    assert "Not possible: Neither completing nor reversing" in said
    assert is_untouched(held)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--flatten", "--reason", " "],
        ["--dry-run", "--reason", "x"],
        ["--flatten", "--strategy", "1", "--reason", "x"],
        ["--flatten", "--reduce", "--reason", "x"],
    ],
)
def test_the_command_says_why_it_did_nothing(better, arguments):
    with pytest.raises(CommandError) as refusal:
        command(*arguments)

    assert len(str(refusal.value)) > 20
    assert is_untouched(better)


def test_the_command_lifts_no_halt(better):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="odd")

    with pytest.raises(CommandError, match="kill --reduce"):
        command("--flatten", "--reason", "x")

    assert is_untouched(better)
