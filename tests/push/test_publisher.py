"""The way of messages into Redis."""

import os
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from threading import Event
from unittest.mock import Mock

import orjson
import pytest
import redis
from django.db import transaction

from arbplatform.core.errors import Message
from arbplatform.push import publisher as module
from arbplatform.push.publisher import (
    BATCH_MAX,
    Publisher,
    carry_to_redis,
    listen_here,
    publish,
    publish_many,
    publish_on_commit,
    read_figures,
)
from arbplatform.push.topics import ticker_topic
from arbplatform.wording import in_each_language
from tests.processes import redis_server, wait_until  # noqa: F401  a fixture

TICKER = ticker_topic("alpha", "BTC/USDT")


class Carrier:
    """Remembers what it was given; ``error`` is raised instead."""

    def __init__(self):
        self.batches = []
        self.error = None

    def __call__(self, frames):
        if self.error is not None:
            raise self.error
        self.batches.append([(channel, orjson.loads(frame)) for channel, frame in frames])

    @property
    def data(self):
        return [message["data"] for batch in self.batches for _channel, message in batch]


@pytest.fixture
def carrier():
    return Carrier()


@pytest.fixture
def publisher(carrier, clock):
    """A publisher whose thread never gets to run: the test carries."""
    made = Publisher(carrier, clock=clock, queue_max=5)
    made._closing.set()
    return made


def test_a_message_gets_its_channel_and_the_moment_it_was_published(publisher, carrier, clock):
    publisher.publish("executions", {"id": 7, "state": "completed"})
    clock.advance_ms(50)

    assert publisher.carry() == 1

    at_ms = clock.now_ms() - 50
    message = {
        "topic": "executions",
        "at_ms": at_ms,
        "data": {"id": 7, "state": "completed"},
    }
    assert carrier.batches == [[("arb:push:executions", message)]]


def test_messages_of_a_queue_keep_their_order(publisher, carrier):
    publisher.publish_many([("logs", {"id": number}) for number in (1, 2, 3)])

    publisher.carry()

    assert carrier.data == [{"id": 1}, {"id": 2}, {"id": 3}]


def test_of_a_ticker_the_newest_counts(publisher, carrier):
    for bid in ("1", "2", "3"):
        publisher.publish(TICKER, {"bid": bid})

    publisher.carry()

    assert carrier.data == [{"bid": "3"}]
    assert publisher.figures.conflated == 2


def test_a_full_queue_drops_its_oldest_and_counts_it(publisher, carrier):
    publisher.publish_many([("logs", {"id": number}) for number in range(8)])

    publisher.carry()

    assert [row["id"] for row in carrier.data] == [3, 4, 5, 6, 7]
    assert (publisher.figures.published, publisher.figures.dropped) == (5, 3)


def test_more_markets_than_there_is_room_for_are_dropped_and_counted(publisher, carrier):
    topics = [ticker_topic("alpha", f"C{number}/USDT") for number in range(7)]
    publisher.publish_many([(topic, {}) for topic in topics])

    publisher.carry()

    assert (publisher.figures.published, publisher.figures.dropped) == (5, 2)


def test_one_round_trip_takes_a_bounded_number(carrier, clock):
    publisher = Publisher(carrier, clock=clock)
    publisher._closing.set()
    publisher.publish_many([("logs", {"id": number}) for number in range(BATCH_MAX + 1)])

    assert [publisher.carry(), publisher.carry(), publisher.carry()] == [BATCH_MAX, 1, 0]


class Colour(StrEnum):
    RED = "red"


def test_exact_amounts_moments_and_choices_are_written_as_the_api_writes_them(publisher, carrier):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    publisher.publish("logs", {"a": Decimal("1E-9"), "b": at, "c": Colour.RED, "d": None})

    publisher.carry()

    assert carrier.data == [
        {"a": "0.000000001", "b": "2026-01-01T00:00:00Z", "c": "red", "d": None}
    ]


def test_a_sentence_is_told_in_every_language_and_only_when_it_is_carried(
    publisher, carrier, monkeypatch
):
    tell = Mock(wraps=in_each_language)
    monkeypatch.setattr(module, "in_each_language", tell)

    publisher.publish("logs", {"message": Message("halted")})

    assert not tell.called  # whoever publishes is on the way of orders
    publisher.carry()
    assert carrier.data == [{"message": {"en": "halted", "zh-hans": "已暂停"}}]


def test_what_cannot_be_written_is_dropped_and_the_others_are_not(publisher, carrier, caplog):
    publisher.publish("logs", {"bad": object()})
    publisher.publish("logs", {"good": 1})

    publisher.carry()

    assert carrier.data == [{"good": 1}]
    assert (publisher.figures.published, publisher.figures.dropped) == (1, 1)
    assert "cannot be written as JSON" in caplog.text


def test_an_unknown_topic_harms_nobody(publisher, carrier, caplog):
    publisher.publish("nonsense", {})

    assert (publisher.carry(), carrier.batches, publisher.figures.dropped) == (0, [], 1)
    assert "unknown topic" in caplog.text


def test_what_redis_did_not_take_is_dropped_and_counted(publisher, carrier):
    carrier.error = redis.ConnectionError("gone")
    publisher.publish("logs", {"id": 1})

    with pytest.raises(redis.ConnectionError):
        publisher.carry()

    carrier.error = None
    publisher.publish("logs", {"id": 2})
    publisher.carry()
    assert carrier.data == [{"id": 2}]
    assert (publisher.figures.published, publisher.figures.dropped) == (1, 1)


def test_the_thread_carries_what_is_published_and_the_rest_at_the_end(clock):
    seen: list[int] = []
    first = Event()

    def carry(frames):
        seen.extend(orjson.loads(frame)["data"]["id"] for _channel, frame in frames)
        first.set()

    publisher = Publisher(carry, clock=clock)
    publisher.publish("logs", {"id": 1})
    assert first.wait(30)
    publisher.publish("logs", {"id": 2})
    publisher.close(5)

    assert seen == [1, 2]


def test_the_thread_survives_that_redis_is_away(clock, monkeypatch, caplog):
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    tries, carried = [], Event()

    def carry(frames):
        tries.append(frames)
        if len(tries) == 1:
            raise OSError("gone")
        carried.set()

    publisher = Publisher(carry, clock=clock)
    publisher.publish("logs", {"id": 1})
    while not tries:
        Event().wait(0.01)
    publisher.publish("logs", {"id": 2})

    assert carried.wait(30)
    publisher.close(5)
    assert (publisher.figures.published, publisher.figures.dropped) == (1, 1)
    assert "Redis is away" in caplog.text


def test_frames_reach_whoever_listens_in_redis(settings, redis_server):  # noqa: F811
    settings.REDIS_URL = redis_server.url
    with redis.Redis.from_url(redis_server.url) as client, client.pubsub() as pubsub:
        pubsub.subscribe("arb:push:logs")
        assert pubsub.get_message(timeout=30)["type"] == "subscribe"

        carry_to_redis([("arb:push:logs", b"one"), ("arb:push:logs", b"two")])

        assert [pubsub.get_message(timeout=30)["data"] for _ in range(2)] == [b"one", b"two"]


@pytest.fixture
def heard():
    """What is published in this process, with an event to wait for."""
    frames: list[object] = []
    some = Event()

    def listen(batch):
        frames.extend(orjson.loads(frame)["data"] for _channel, frame in batch)
        some.set()

    end = listen_here(listen)
    yield frames, some
    end()


def test_without_redis_there_is_only_this_process(heard):
    frames, some = heard
    before = read_figures().published

    publish_many([("logs", {"id": 1}), ("logs", {"id": 2})])

    assert some.wait(30)
    module._publisher().close(5)
    module._publisher.cache_clear()
    assert frames == [{"id": 1}, {"id": 2}]
    assert before >= 0


@pytest.mark.django_db(transaction=True)
def test_what_depends_on_a_transaction_is_published_after_it(heard):
    frames, some = heard
    with transaction.atomic():
        publish_on_commit("logs", {"id": 1})
        publish("logs", {"id": 2})
        assert some.wait(30)
        assert frames == [{"id": 2}]

    wait_until(lambda: len(frames) == 2, "the other one is published")
    assert frames == [{"id": 2}, {"id": 1}]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_published(heard):
    frames, some = heard
    with transaction.atomic():
        publish_on_commit("logs", {"id": 1})
        transaction.set_rollback(True)
    publish("logs", {"id": 2})

    assert some.wait(30)
    assert frames == [{"id": 2}]


def test_a_child_process_begins_with_a_queue_of_its_own():
    ours = module._publisher()

    pid = os.fork()
    if pid == 0:
        os._exit(0 if module._publisher() is not ours else 1)

    assert os.waitpid(pid, 0)[1] == 0
    assert module._publisher() is ours
