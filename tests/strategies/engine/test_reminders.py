"""When a strategy has to decide though none of its books asks for it."""

from typing import Any

from strategies.engine.reminders import EXPLAIN_EVERY_MS, Reminder


class Rest:
    """What a strategy rests on, as far as it can change."""

    def __init__(self, what):
        self.what = what

    def resembles(self, other):
        return self.what == other.what


def rest_on(what: str) -> Any:
    return Rest(what)


def quiet(reminder, now_ms):
    reminder.begun()
    reminder.decided(is_open=False, now_ms=now_ms)


def test_the_first_decision_is_due_at_once():
    assert Reminder(7).is_due(0)


def test_as_long_as_nothing_is_new_it_is_not_due_before_it_has_to_say_so():
    reminder = Reminder(0)
    quiet(reminder, 1_000)
    reminder.read(rest_on("a"), rest_on("a"))

    assert not reminder.is_due(1_000 + EXPLAIN_EVERY_MS - 1)
    assert reminder.is_due(1_000 + EXPLAIN_EVERY_MS)


def test_those_that_began_together_do_not_explain_themselves_together():
    due = []
    for strategy_id in range(5):
        reminder = Reminder(strategy_id)
        quiet(reminder, 0)
        due.append(next(at for at in range(5_001) if reminder.is_due(at)))
        quiet(reminder, 10_000)
        assert not reminder.is_due(10_000 + EXPLAIN_EVERY_MS - 1)

    assert len(set(due)) == 5


def test_what_is_new_makes_it_due():
    reminder = Reminder(0)
    quiet(reminder, 0)
    reminder.read(rest_on("a"), rest_on("b"))

    assert reminder.is_due(1)


def test_what_becomes_new_during_a_decision_makes_the_next_one_due():
    reminder = Reminder(0)
    reminder.begun()
    reminder.read(rest_on("a"), rest_on("b"))
    reminder.decided(is_open=False, now_ms=0)

    assert reminder.is_due(1)


def test_while_there_is_something_to_carry_out_it_stays_due():
    reminder = Reminder(0)
    reminder.begun()
    reminder.decided(is_open=True, now_ms=0)

    assert reminder.is_due(1)
    quiet(reminder, 1)
    assert not reminder.is_due(2)
