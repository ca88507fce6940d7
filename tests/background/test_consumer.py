"""What a worker does when its broker dies between a message and its acknowledgement."""

from typing import Any

import pytest
from celery import current_app
from kombu import Connection, Queue

from arbplatform.background.consumer import LastingConsumer
from arbplatform.settings.base import broker_url
from tests.processes import redis_server

__all__ = ["redis_server"]

THINGS, OTHERS = Queue("things"), Queue("others")


@pytest.fixture
def lost(redis_server):
    """A connection whose channels wait for messages, one has not acknowledged its last, is lost."""
    connection = Connection(broker_url(redis_server.url))
    with connection.Producer() as producer:
        producer.publish({}, routing_key=THINGS.name, declare=[THINGS])
    received: list[Any] = []
    connection.Consumer(THINGS, on_message=received.append).consume()
    connection.drain_events(timeout=5)
    assert len(received) == 1
    connection.Consumer(OTHERS, channel=connection.channel(), on_message=received.append).consume()
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.1)
    redis_server.stop()
    return connection


@pytest.fixture
def consumer(lost):
    """The part of a worker that holds the connection."""
    made = LastingConsumer.__new__(LastingConsumer)
    made.app, made.connection = current_app, lost
    return made


@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_a_worker_whose_broker_died_before_the_acknowledgement_connects_again(consumer, caplog):
    consumer.on_connection_error_after_connected(ConnectionError("gone"))

    assert consumer.connection is None
    assert "A lost connection could not be closed in order" in caplog.text


def test_workers_use_it():
    assert current_app.conf.worker_consumer == (
        f"{LastingConsumer.__module__}:{LastingConsumer.__name__}"
    )
