"""The daily sign of life."""

from datetime import time, timedelta

import pytest

from arbplatform.core.errors import Message
from arbplatform.notices.channels import update_channel
from arbplatform.notices.heartbeats import write_heartbeats
from arbplatform.notices.models import Notice, NoticeState
from tests.notices.conftest import ADDRESS, condition, reload

pytestmark = pytest.mark.django_db
HOUR_MS = 3_600_000


@pytest.fixture
def beat(clock):
    def beat():
        return write_heartbeats(lambda: Message("Still at work."), clock=clock)

    return beat


def test_the_first_one_comes_at_once_and_lists_what_is_wrong(add, look, beat, deliver):
    look(condition())
    add(heartbeat_at=time(9))

    assert beat() == 1
    assert deliver() == [["01-01 00:00 Still at work.", "· Trading is halted."]]


def test_it_comes_every_day_at_its_time_also_in_quiet_hours(add, beat, deliver, clock):
    channel = add(heartbeat_at=time(9), quiet_from=time(8), quiet_until=time(20))
    beat()
    deliver()

    assert reload(channel).heartbeat_due_at == clock.now() + timedelta(hours=9)
    clock.advance_ms(9 * HOUR_MS - 1_000)
    assert beat() == 0
    clock.advance_ms(1_000)
    assert beat() == 1
    assert deliver() == [["01-01 09:00 Still at work."]]
    assert beat() == 0


def test_nobody_is_asked_what_to_say_when_none_is_due(add, clock):
    add(heartbeat_at=None)

    assert write_heartbeats(pytest.fail, clock=clock) == 0


def test_of_a_channel_that_fails_only_the_newest_one_waits(add, beat, deliver, postman, clock):
    channel = add(heartbeat_at=time(9))
    postman.broken = {ADDRESS}
    for _ in range(3):
        beat()
        deliver()
        clock.advance_ms(24 * HOUR_MS)
    postman.broken = set()

    assert deliver() == [["01-03 00:00 Still at work."]]
    assert Notice.objects.filter(channel=channel, state=NoticeState.WITHDRAWN).count() == 2


def test_another_time_holds_from_now_on(add, beat, clock):
    channel = add(heartbeat_at=None)

    update_channel(channel_id=channel.pk, heartbeat_at=time(7, 30), clock=clock)

    assert reload(channel).heartbeat_due_at == clock.now() + timedelta(hours=7.5)
    update_channel(channel_id=channel.pk, heartbeat_at=None, clock=clock)
    assert reload(channel).heartbeat_due_at is None


def test_after_days_without_a_worker_there_is_one(add, beat, clock):
    add(heartbeat_at=time(9))
    beat()
    clock.advance_ms(100 * HOUR_MS)

    assert [beat(), beat()] == [1, 0]
