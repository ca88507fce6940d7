"""What waits is sent: at least once, in few messages, by another channel if need be."""

from datetime import time, timedelta

import pytest

from arbplatform.core.errors import Message
from arbplatform.notices.channels import test_channel as ask_for_test
from arbplatform.notices.channels import update_channel
from arbplatform.notices.delivering import deliver_due
from arbplatform.notices.models import Notice, NoticeChannel, NoticeState
from arbplatform.notices.rules import Severity
from tests.notices.conftest import ADDRESS, condition, reload

pytestmark = pytest.mark.django_db
OTHER = "https://hooks.example.org/other"


def states():
    return list(Notice.objects.order_by("pk").values_list("channel__name", "kind", "state"))


def test_a_notice_is_sent_once(add, look, deliver, postman, clock):
    channel = add()
    look(condition())

    assert deliver() == [["01-01 00:00 CRITICAL: Trading is halted."]]
    assert deliver(60) == []
    assert states() == [("first", "raised", NoticeState.SENT)]
    assert postman.attempts == [ADDRESS]
    assert reload(channel).succeeded_at == clock.now() - timedelta(seconds=60)


def test_what_comes_up_together_goes_together_and_the_gravest_is_spelt_out(add, look, deliver):
    add()
    many = [condition(f"w{n}", Severity.WARNING, f"Venue {n} is down.") for n in range(40)]

    look(*many, condition())

    (lines,) = deliver()
    assert len(lines) == 11
    assert lines[9] == "01-01 00:00 CRITICAL: Trading is halted."
    assert lines[10] == "… and 31 more, in the console."
    assert {state for _name, _kind, state in states()} == {NoticeState.SENT}


def test_between_two_messages_of_a_channel_there_is_a_gap(add, look, deliver):
    add()
    look(condition("a", text="First."))
    deliver()
    look(condition("a", text="First."), condition("b", text="Second."))

    assert deliver(29) == []
    assert deliver(1) == [["01-01 00:00 CRITICAL: Second."]]


def test_a_channel_that_fails_is_tried_again_after_longer_and_longer_pauses(
    add, look, deliver, postman, clock
):
    channel = add()
    postman.broken = {ADDRESS}
    look(condition())
    moments = []
    began = clock.now()
    for _ in range(2 * 360):
        before = len(postman.attempts)
        deliver()
        if len(postman.attempts) > before:
            moments.append(int((clock.now() - began).total_seconds()))
        clock.advance_ms(10_000)  # two hours

    assert moments == [0, 30, 90, 210, 450, 930, 1890, 3690, 5490]
    failed = reload(channel)
    assert (failed.failure_count, failed.error_code) == (9, 1072)
    assert "status 500" in str(failed.to_error())
    assert states() == [("first", "raised", NoticeState.WAITING)]

    postman.broken = set()
    assert deliver(30 * 60) == [["01-01 00:00 CRITICAL: Trading is halted."]]
    healed = reload(channel)
    assert (healed.failure_count, healed.error_code, healed.error) == (0, None, {})


def test_another_channel_stands_in_for_one_that_fails_and_says_so(add, look, deliver, postman):
    add("first")
    add("second", OTHER, is_fallback=True)
    postman.broken = {ADDRESS}
    look(condition())

    assert deliver() == []
    assert deliver(30) == []  # the second failure: now it is passed on
    told = deliver(1)

    assert told == [
        [
            "The channel first does not work; this one stands in.",
            "01-01 00:00 CRITICAL: Trading is halted.",
        ]
    ]
    for _ in range(50):
        assert deliver(60) == []
    assert postman.attempts.count(OTHER) == 1
    assert postman.attempts.count(ADDRESS) > 5


def test_what_comes_up_while_a_channel_fails_does_not_wait_for_its_next_attempt(
    add, look, deliver, postman
):
    add("first")
    add("second", OTHER, is_fallback=True)
    postman.broken = {ADDRESS}
    look(condition())
    for _ in range(6):
        deliver(600)  # the next attempt comes half an hour after the last one
    attempts = postman.attempts.count(ADDRESS)

    look(condition(), condition("other", text="Books and venue differ."))

    assert deliver(10) == [
        [
            "The channel first does not work; this one stands in.",
            "01-01 01:00 CRITICAL: Books and venue differ.",
        ]
    ]
    assert postman.attempts.count(ADDRESS) == attempts
    assert deliver(60) == []


def test_who_was_told_by_another_channel_is_told_there_that_it_is_over(
    add, look, deliver, postman, clock
):
    add("first")
    add("second", OTHER, is_fallback=True)
    postman.broken = {ADDRESS}
    look(condition())
    deliver()
    deliver(30)
    deliver(1)
    clock.advance_ms(180_000)

    look()

    assert deliver() == [["01-01 00:03 Over: Trading is halted."]]
    postman.broken = set()
    assert deliver(3_600) == [
        ["01-01 00:00 CRITICAL: Trading is halted.", "01-01 00:03 Over: Trading is halted."]
    ]
    assert deliver(3_600) == []


def test_one_that_stands_in_has_quiet_hours_too(add, look, deliver, postman):
    add("first")
    add("second", OTHER, is_fallback=True, quiet_from=time(22), quiet_until=time(7))
    postman.broken = {ADDRESS}
    look(condition(severity=Severity.WARNING))
    deliver()
    deliver(30)

    assert deliver(60) == []
    assert deliver(7 * 3_600) == [
        [
            "The channel first does not work; this one stands in.",
            "01-01 00:00 Alarm: Trading is halted.",
        ]
    ]


def test_a_channel_that_fails_holds_up_no_other(add, look, deliver, postman):
    add("first")
    add("third", OTHER)
    postman.broken = {ADDRESS}

    look(condition())

    assert deliver() == [["01-01 00:00 CRITICAL: Trading is halted."]]


def test_in_quiet_hours_only_what_is_critical_is_sent(add, look, deliver):
    add(quiet_from=time(22), quiet_until=time(7))
    look(condition("a", Severity.WARNING, "A venue is down."), condition("b"))

    assert deliver() == [["01-01 00:00 CRITICAL: Trading is halted."]]
    assert deliver(7 * 3_600 - 1) == []
    assert deliver(1) == [["01-01 00:00 Alarm: A venue is down."]]


def test_what_was_sent_and_not_written_down_is_sent_again(add, look, clock, postman):
    """The process died in between: rather twice than never."""
    add()
    look(condition())

    def die(**letter):
        postman(**letter)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_due(bring=die, clock=clock)
    clock.advance_ms(59_000)
    assert deliver_due(bring=postman, clock=clock) == 0  # it might be under way still
    clock.advance_ms(1_000)

    assert deliver_due(bring=postman, clock=clock) == 1
    assert len(postman.letters) == 2


def test_of_two_processes_one_sends(add, look, clock, postman):
    add()
    look(condition())

    def meanwhile(**letter):
        assert deliver_due(bring=postman, clock=clock) == 0
        postman(**letter)

    assert deliver_due(bring=meanwhile, clock=clock) == 1
    assert len(postman.letters) == 1


def test_a_notice_that_came_up_during_an_attempt_is_not_taken_for_sent(
    add, look, clock, postman, deliver
):
    add()
    look(condition("a", text="First."))

    def meanwhile(**letter):
        look(condition("a", text="First."), condition("b", text="Second."))
        postman(**letter)

    deliver_due(bring=meanwhile, clock=clock)
    assert postman.take() == [["01-01 00:00 CRITICAL: First."]]

    assert deliver(30) == [["01-01 00:00 CRITICAL: Second."]]


def test_texts_are_in_the_language_of_the_channel(add, look, deliver):
    add(language="zh-hans")
    halted = Message("Trading is halted for {scope}: {reason}", {"scope": "X", "reason": "Y"})
    look(condition(text="").__class__("k", Severity.CRITICAL, halted))

    assert deliver() == [["01-01 00:00 严重：X 的交易已停止：Y"]]


def test_a_test_is_one_attempt_at_once(add, look, deliver, postman, clock):
    channel = add(quiet_from=time(22), quiet_until=time(7))
    look(condition())
    deliver()
    ask_for_test(channel_id=channel.pk, clock=clock)

    assert deliver() == [["01-01 00:00 This is a test of the channel first: it works."]]

    postman.broken = {ADDRESS}
    ask_for_test(channel_id=channel.pk, clock=clock)
    deliver()
    postman.broken = set()
    assert deliver(3_600) == []
    assert reload(channel).failure_count == 1


def test_a_channel_that_is_switched_off_keeps_nothing_for_later(add, look, deliver):
    channel = add()
    look(condition())
    update_channel(channel_id=channel.pk, is_enabled=False)
    update_channel(channel_id=channel.pk, is_enabled=True)

    assert deliver() == []


def test_an_address_that_no_key_opens_is_a_failure_of_its_channel(
    add, look, deliver, postman, settings
):
    channel = add("first")
    settings.FIELD_ENCRYPTION_KEYS = ["dGVzdHMtb25seS1hLXF1aXRlLW90aGVyLWtleS0zMi4="]
    add("other", OTHER)
    look(condition())

    assert len(deliver()) == 1
    assert postman.attempts == [OTHER]
    failed = NoticeChannel.objects.defer("address").get(pk=channel.pk)
    assert (failed.failure_count, failed.error_code) == (1, 1011)
