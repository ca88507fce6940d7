"""What needs a person goes out until it was taken, over another channel if need be, and once."""

from threading import Event, Semaphore

import pytest
from celery import signals
from django.utils import timezone

from arbplatform.alarms import AlarmWatch
from arbplatform.background.heartbeat import BEAT, WORKER, Pulse
from arbplatform.core.clock import FixedClock, to_ms
from arbplatform.notices.channels import create_channel
from arbplatform.notices.delivering import deliver_due
from arbplatform.notices.models import Notice, NoticeState
from arbplatform.watch import NOTICE_TASKS, SAFETY_TASKS, start_timers
from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.services.halts import change_trading
from tests.notices.conftest import Service
from tests.processes import wait_until

LOOK_S = 10
HALTED = "CRITICAL: Trading is halted for the whole platform: storm"


@pytest.fixture
def services(settings):
    """Two chat services on this machine, by name."""
    settings.NOTICES_PRIVATE = True
    made = {name: Service() for name in ("chat", "other")}
    yield made
    for service in made.values():
        service.stop()


@pytest.fixture
def hours():
    """A clock that begins now."""
    return FixedClock(at_ms=to_ms(timezone.now()))


@pytest.fixture
def wait(hours):
    """Let time pass, in which one looks and delivers as the schedule does, over real HTTP."""
    watch = AlarmWatch()

    def wait(seconds):
        for _ in range(0, seconds, LOOK_S):
            Pulse(WORKER).show()
            Pulse(BEAT).show()
            watch.look(clock=hours)
            deliver_due(clock=hours)
            hours.advance_ms(LOOK_S * 1000)

    return wait


def add(service, clock, **values):
    return create_channel(
        address=service.url, language="en", clock=clock, **{"heartbeat_at": None, **values}
    )


def halt():
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="storm")


def texts(service):
    return [body["text"] for _path, body in service.requests]


@pytest.mark.django_db
def test_a_service_that_fails_gets_few_attempts_and_each_notice_once(services, hours, wait):
    chat = services["chat"]
    add(chat, hours, name="chat")
    for status in (500, 503, 429):
        chat.answer(status)
    halt()

    wait(20)
    assert len(chat.requests) == 1
    wait(20)
    assert len(chat.requests) == 2  # 30 s after the first
    wait(60)
    assert len(chat.requests) == 3  # 60 s after the second
    wait(110)
    assert len(chat.requests) == 3
    wait(20)
    assert len(chat.requests) == 4  # 120 s after the third: taken
    wait(600)

    assert len(chat.requests) == 4
    assert all(text.endswith(HALTED) for text in texts(chat))
    assert Notice.objects.get().state == NoticeState.SENT

    change_trading(event=TradingEvent.RESUME, scope=EVERYTHING, reason="calm")
    wait(170)
    assert len(chat.requests) == 4
    wait(30)
    assert "Over: Trading is halted for the whole platform: storm" in texts(chat)[-1]
    wait(600)
    assert len(chat.requests) == 5


@pytest.mark.django_db
def test_another_channel_carries_it_once_while_health_says_which_one_fails(
    services, hours, wait, user_api
):
    chat, other = services["chat"], services["other"]
    add(chat, hours, name="chat")
    add(other, hours, name="other", is_fallback=True)
    for _ in range(20):
        chat.answer(500)
    halt()

    wait(2_000)

    (text,) = texts(other)
    assert text.splitlines()[1] == "The channel chat does not work; this one stands in."
    assert text.endswith(HALTED)
    assert len(chat.requests) == 7  # after 0, 30, 90, 210, 450, 930 and 1890 s
    part = user_api.get("/api/health").json()["data"]["parts"]["notices"]
    assert (part["is_ok"], part["figures"]["failing"]) == (False, 1)


@pytest.mark.django_db
def test_whoever_misses_the_sign_of_life_knows(services, hours, wait):
    add(services["chat"], hours, name="chat", heartbeat_at=hours.now().time())

    wait(20)

    (text,) = texts(services["chat"])
    assert "Still at work." in text
    assert "Open alarms: 0." in text


def test_the_worker_tells_by_itself_and_holds_up_nothing_that_keeps_money_safe(settings):
    settings.SAFETY_LATE_MS = 0
    stop, is_telling, go_on = Event(), Event(), Event()
    rounds = {name: Semaphore(0) for name in SAFETY_TASKS}

    def tell():
        is_telling.set()
        go_on.wait()

    tasks = dict.fromkeys(NOTICE_TASKS, tell)
    start_timers({**tasks, **{name: one.release for name, one in rounds.items()}}, stop, 0.001)
    try:
        assert is_telling.wait(20)
        for one in rounds.values():
            while one.acquire(blocking=False):
                pass  # rounds from before
            assert one.acquire(timeout=20)
    finally:
        stop.set()
        go_on.set()
        for name in ("safety", "notices"):
            signals.task_prerun.disconnect(dispatch_uid=f"arb.watch.{name}")


@pytest.mark.django_db(transaction=True)
def test_a_worker_without_a_beat_tells_people(start_part, services, hours):
    halt()
    add(services["chat"], hours, name="chat")

    start_part("worker", SAFETY_LATE_MS="1000", NOTICES_PRIVATE="true")

    wait_until(lambda: services["chat"].requests, "the notice arrives")
    assert texts(services["chat"])[0].endswith(HALTED)
