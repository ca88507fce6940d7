"""What is pushed to clients about strategies, executions and logs."""

import pytest
from django.db import transaction

from arbplatform.core.errors import Message
from ledger.models import LogEntry, LogLevel
from ledger.services.logs import draft_log, write_log, write_logs
from markets.errors import VenueUnavailable
from strategies.services.acknowledgements import acknowledge_execution
from strategies.services.failures import Failure, explain
from strategies.services.runs import fault_strategy, start_strategy, stop_strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.pushed import pushed  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def events(messages):
    return [(message["event"], message.get("state")) for message in messages]


def test_start_stop_and_fault_are_pushed(make_cross, calm, staff, pushed):  # noqa: F811
    strategy = make_cross()
    start_strategy(strategy_id=strategy.pk, user=staff)
    stop_strategy(strategy_id=strategy.pk, user=staff)
    start_strategy(strategy_id=strategy.pk, user=staff)
    fault_strategy(
        strategy_id=strategy.pk, failure=Failure(Message("out of {what}", {"what": "order"}))
    )

    messages = pushed.wait_for("strategies", 4)

    assert events(messages) == [
        ("started", "running"),
        ("stopped", "stopped"),
        ("started", "running"),
        ("faulted", "faulted"),
    ]
    assert {message["id"] for message in messages} == {strategy.pk}
    said = {"zh-hans": "out of order", "en": "out of order"}  # not in the catalogue
    assert messages[-1]["error"] == {"code": None, "message": said}
    assert {message["error"] for message in messages[:-1]} == {None}


def test_an_error_is_pushed_with_its_code_in_every_language(cross, pushed):  # noqa: F811
    fault_strategy(strategy_id=cross.pk, failure=explain(VenueUnavailable(venue="a", cause="-")))

    (message,) = pushed.wait_for("strategies", 1, event="faulted")

    assert message["error"]["code"] == VenueUnavailable.code
    assert message["error"]["message"] == {
        "zh-hans": "无法连接交易所 a：-。未做任何更改，请稍后再试。",
        "en": "The venue a cannot be reached: -. Nothing was changed; try again later.",
    }


def test_a_tick_pushes_its_decision_and_every_state_of_its_execution(cross, edge, pushed):  # noqa: F811
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.EXECUTED

    executions = pushed.wait_for("executions", 2)
    decided = pushed.wait_for("strategies", 1, event="decided")

    assert [each["state"] for each in executions] == ["executing", "completed"]
    assert {each["strategy_id"] for each in executions} == {cross.pk}
    assert executions[0]["realised_profit"] is None
    assert float(executions[1]["realised_profit"]) > 0
    assert decided == [
        {
            "id": cross.pk,
            "event": "decided",
            "opportunity_count": 1,
            "execution_count": 1,
            "error": None,
        }
    ]


def test_a_log_line_is_pushed_as_a_sentence_in_every_language(pushed):  # noqa: F811
    full = "{used} % of the disk of the data directory are in use."
    entry = write_log(
        strategy_id=None, level=LogLevel.WARNING, event="disk", template=full, used=91
    )
    drafts = [
        draft_log(strategy_id=None, level=LogLevel.INFO, event="more", template="line {n}", n=n)
        for n in (1, 2)
    ]
    write_logs(drafts)

    messages = pushed.wait_for("logs", 3)

    assert messages[0] == {
        "id": entry.pk,
        "strategy_id": None,
        "level": "warning",
        "event": "disk",
        "message": {
            "zh-hans": "数据目录所在磁盘已使用 91%。",
            "en": "91 % of the disk of the data directory are in use.",
        },
        "created_at": entry.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert [each["message"]["en"] for each in messages[1:]] == ["line 1", "line 2"]
    assert [each["id"] for each in messages[1:]] == list(
        LogEntry.objects.filter(event="more").order_by("pk").values_list("pk", flat=True)
    )


def test_what_is_rolled_back_is_not_pushed(pushed):  # noqa: F811
    with transaction.atomic():
        write_log(strategy_id=None, level=LogLevel.INFO, event="undone", template="never")
        transaction.set_rollback(True)
    write_log(strategy_id=None, level=LogLevel.INFO, event="done", template="said")

    assert [each["event"] for each in pushed.wait_for("logs", 1)] == ["done"]


def test_an_acknowledgement_is_pushed(held, staff, pushed):  # noqa: F811
    acknowledge_execution(execution_id=held.pk, user=staff)

    (told,) = pushed.wait_for("executions", 1, is_acknowledged=True)

    assert (told["id"], told["state"]) == (held.pk, "held")


def test_who_is_called_as_the_platform_is_named_with_their_number(held, staff):
    staff.username = "system"

    acknowledge_execution(execution_id=held.pk, user=staff)

    line = LogEntry.objects.get(event="exposure_acknowledged")
    assert f"system (#{staff.pk}) acknowledged" in str(line.to_message())
