"""What services publish, heard in the process that publishes it."""

from collections.abc import Iterator
from threading import Condition
from typing import Any

import orjson
import pytest

from arbplatform.push.publisher import listen_here

PATIENCE_S = 30.0


class Pushed:
    """Messages that were published, in their order."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._news = Condition()

    def hear(self, frames: list[tuple[str, bytes]]) -> None:
        with self._news:
            self._messages.extend(orjson.loads(frame) for _channel, frame in frames)
            self._news.notify_all()

    def of(self, topic: str, **fields: object) -> list[dict[str, Any]]:
        return [
            message["data"]
            for message in self._messages
            if message["topic"] == topic
            and all(message["data"].get(name) == value for name, value in fields.items())
        ]

    def wait_for(self, topic: str, number: int, **fields: object) -> list[dict[str, Any]]:
        """Return the messages of a topic once there are so many; they come from another thread."""
        with self._news:
            assert self._news.wait_for(
                lambda: len(self.of(topic, **fields)) >= number, PATIENCE_S
            ), self._messages
        return self.of(topic, **fields)


@pytest.fixture
def pushed() -> Iterator[Pushed]:
    messages = Pushed()
    end = listen_here(messages.hear)
    yield messages
    end()
