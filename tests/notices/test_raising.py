"""Alarms are raised, told once, and over."""

from datetime import time, timedelta

import pytest

from arbplatform.core.errors import Message
from arbplatform.notices.models import Alarm, Notice, NoticeState
from arbplatform.notices.rules import Incident, Severity
from tests.notices.conftest import condition

pytestmark = pytest.mark.django_db

MINUTE = 60


def kinds(channel=None):
    rows = Notice.objects.order_by("pk")
    rows = rows if channel is None else rows.filter(channel=channel)
    return list(rows.values_list("kind", flat=True))


def test_what_stays_wrong_is_told_once(add, look, clock):
    add()

    for _ in range(100):
        look(condition())
        clock.advance_ms(10_000)

    assert kinds() == ["raised"]
    assert Alarm.objects.get().ended_at is None


def test_what_is_over_is_told_when_it_has_been_gone_for_a_while(add, look, clock):
    add()
    look(condition())

    clock.advance_ms(179_000)
    look()
    assert kinds() == ["raised"]
    clock.advance_ms(1_000)
    look()

    assert kinds() == ["raised", "over"]
    assert Alarm.objects.get().ended_at == clock.now()


def test_what_comes_and_goes_all_the_time_is_told_once(add, look, clock):
    add()

    for number in range(200):
        look(*([condition()] if number % 5 == 0 else []))
        clock.advance_ms(20_000)

    assert kinds() == ["raised"]
    assert Alarm.objects.count() == 1


def test_what_begins_again_after_it_was_over_is_told_again(add, look, clock):
    add()
    look(condition())
    clock.advance_ms(180_000)
    look()
    look(condition())

    assert kinds() == ["raised", "over", "raised"]
    assert [alarm.ended_at is None for alarm in Alarm.objects.order_by("pk")] == [False, True]


def test_what_does_not_last_is_not_told(add, look, clock):
    add()
    passing = condition(delay=timedelta(minutes=1))
    look(passing)
    clock.advance_ms(59_000)
    look(passing)
    look()

    assert kinds() == []
    assert Alarm.objects.get().ended_at is not None

    look(passing)
    clock.advance_ms(60_000)
    look(passing)
    assert kinds() == ["raised"]


def test_a_channel_is_told_what_is_grave_enough_for_it(add, look):
    all_of_it = add("all", severity_min=Severity.NOTE)
    worst = add("worst", severity_min=Severity.CRITICAL)

    look(condition("a", Severity.WARNING), condition("b", Severity.CRITICAL))

    assert kinds(all_of_it) == ["raised", "raised"]
    assert kinds(worst) == ["raised"]


def test_a_channel_that_is_off_or_stands_in_is_told_nothing(add, look):
    add("off", is_enabled=False)
    add("second", is_fallback=True)
    first = add("first")

    look(condition())

    assert list(Notice.objects.values_list("channel", flat=True)) == [first.pk]


def test_channels_that_only_stand_in_are_told_where_there_is_no_other(add, look):
    second = add("second", is_fallback=True)

    look(condition())

    assert kinds(second) == ["raised"]


def test_alarms_are_kept_where_nobody_is_told(look):
    look(condition())

    assert Alarm.objects.get().told_at is not None
    assert not Notice.objects.exists()


def test_in_quiet_hours_a_warning_waits_and_what_is_critical_does_not(add, look, clock):
    add(quiet_from=time(22), quiet_until=time(7))  # it is midnight

    look(condition("a", Severity.WARNING), condition("b", Severity.CRITICAL))

    warning, critical = Notice.objects.order_by("pk")
    assert warning.due_at == clock.now() + timedelta(hours=7)
    assert critical.due_at == clock.now()


def test_what_is_over_before_the_quiet_hours_end_is_never_told(add, look, clock):
    add(quiet_from=time(22), quiet_until=time(7))
    look(condition(severity=Severity.WARNING))
    clock.advance_ms(180_000)
    look()

    assert list(Notice.objects.values_list("kind", "state")) == [("raised", NoticeState.WITHDRAWN)]


def incident(mark, clock, key="log:fill_conflict:1", text="A trade is stated differently."):
    return Incident(key, Severity.WARNING, Message(text), mark=mark, at=clock.now())


def test_an_incident_is_told_and_has_no_end(add, look, clock):
    add()
    found = incident(1, clock)
    look(incidents=[found])
    for _ in range(30):
        clock.advance_ms(10 * MINUTE * 1000)
        look(incidents=[found])  # as the first look of every process finds it again

    assert kinds() == ["raised"]
    assert Alarm.objects.get().ended_at is not None


def test_a_storm_of_incidents_is_told_once_an_hour(add, look, clock):
    add()
    for mark in range(1, 361):
        look(incidents=[incident(mark, clock)])
        clock.advance_ms(20_000)  # two hours

    assert kinds() == ["raised", "again"]
    assert Alarm.objects.get().mark == 360


def test_an_incident_that_happens_again_the_next_day_is_a_new_alarm(add, look, clock):
    add()
    look(incidents=[incident(1, clock)])
    clock.advance_ms(24 * 60 * MINUTE * 1000)
    look()
    look(incidents=[incident(2, clock)])

    assert kinds() == ["raised", "raised"]


def test_incidents_of_several_kinds_are_told_each(add, look, clock):
    add()

    look(incidents=[incident(1, clock), incident(2, clock, key="log:tick_failed:0")])

    assert kinds() == ["raised", "raised"]
