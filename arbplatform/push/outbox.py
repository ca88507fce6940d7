"""What one client has not been sent yet: bounded, however slowly it reads."""

from asyncio import Event
from collections import deque
from typing import Final

QUEUE_MAX: Final = 1_000
"""Messages that wait for one client at most; then the oldest makes way."""


class Outbox:
    """Frames that wait for one client, taken by the one task that sends them.

    Args:
        queue_max: frames that wait at most, besides one of each topic of which the newest counts.
    """

    __slots__ = ("_newest", "_queue", "_some", "dropped")

    def __init__(self, queue_max: int = QUEUE_MAX) -> None:
        self._queue: deque[str] = deque(maxlen=queue_max)
        self._newest: dict[str, str] = {}
        self._some = Event()
        self.dropped = 0

    def put(self, frame: str) -> None:
        """Add a frame; the oldest one is dropped and counted if there is no room."""
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append(frame)
        self._some.set()

    def put_newest(self, key: str, frame: str) -> None:
        """Put a frame in the place of the one with the same key.

        Args:
            key: name of a topic; the client bounds how many there are by what it subscribes to.
            frame: its newest state.
        """
        self._newest[key] = frame
        self._some.set()

    def forget(self, key: str) -> None:
        """Drop what waits under a key."""
        self._newest.pop(key, None)

    async def take(self) -> list[str]:
        """Return all frames once there are some, and keep none."""
        await self._some.wait()
        self._some.clear()
        frames = [*self._queue, *self._newest.values()]
        self._queue.clear()
        self._newest.clear()
        return frames
