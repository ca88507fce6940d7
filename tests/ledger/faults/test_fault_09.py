"""A bug while reading the reply leaves the order UNKNOWN, and is written down to be reported."""

from ledger.domain.orders import OrderState
from ledger.models import LogEntry, LogLevel
from ledger.services import sending
from markets.errors import AnswerUnreadable
from markets.gateway import order_data


def test_a_reply_that_our_code_stumbles_over_is_looked_up_and_reported(wire, monkeypatch):
    def stumble(_answer, _request):
        raise KeyError("orderId of hunter2")

    with monkeypatch.context() as patch:
        patch.setattr(order_data, "parse_new_order", stumble)
        order = wire.send()

    report = LogEntry.objects.get(event="answer_unreadable")
    assert order.error_code == AnswerUnreadable.code == 2050
    assert "KeyError at test_fault_09.py" in str(order.to_error())
    assert "hunter2" not in order.error
    assert report.level == LogLevel.ERROR
    assert report.context["order_id"] == order.pk
    wire.assert_found_and_booked_once(order)
    assert LogEntry.objects.filter(event="answer_unreadable").count() == 1


def test_a_bug_of_the_sender_itself_is_treated_alike(wire, monkeypatch):
    def stumble(*_arguments):
        raise AttributeError("'NoneType' object has no attribute 'id'")

    with monkeypatch.context() as patch:
        patch.setattr(sending, "check_echo", stumble)
        order = wire.send()

    assert (order.state, order.error_code) == (OrderState.UNKNOWN, AnswerUnreadable.code)
    wire.assert_found_and_booked_once(order)
