"""Threads that stand ready to send orders: to wake one takes less time than to start one."""

import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SENDERS_MAX = 32
"""Orders that a process sends at the same time in threads of their own."""


class Task(Generic[T]):
    """A call that a thread makes, or, if none was free, whoever asks for its result.

    Args:
        call: what to do.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._is_started = False
        self._done = threading.Lock()
        self._value: list[T] = []
        self._error: BaseException | None = None

    def start(self) -> None:
        """Note that a thread makes the call."""
        self._is_started = True
        self._done.acquire()

    def run(self) -> None:
        """Make the call; whatever it raises is kept for who asks for the result."""
        try:
            self._value.append(self._call())
        except BaseException as error:  # noqa: BLE001  also what ends a process must not be lost
            self._error = error
        finally:
            self._done.release()

    def result(self) -> T:
        """Wait for the call and return its value, or raise what it raised."""
        if not self._is_started:
            return self._call()
        with self._done:
            if self._error is not None:
                raise self._error
            return self._value[0]


class _Sender(threading.Thread):
    """A thread that makes one call after the other."""

    def __init__(self, idle: "deque[_Sender]", number: int) -> None:
        super().__init__(name=f"order-sender-{number}", daemon=True)
        self._idle = idle
        self.inbox: SimpleQueue[Task[Any]] = SimpleQueue()

    def run(self) -> None:
        while True:
            task = self.inbox.get()
            task.run()
            del task  # what it holds must not live until the next one
            self._idle.append(self)


class Senders:
    """The threads of a process, made when they are first needed.

    Args:
        size: how many at most.
    """

    def __init__(self, size: int = SENDERS_MAX) -> None:
        self._size = size
        self.forget()

    def forget(self) -> None:
        """Begin anew: a child of a fork has none of its parent's threads."""
        self._lock = threading.Lock()
        self._count = 0
        self._idle: deque[_Sender] = deque()

    def start(self, call: Callable[[], T]) -> Task[T]:
        """Let a thread make a call; if all are busy, ``Task.result`` makes it."""
        task = Task(call)
        try:
            sender: _Sender | None = self._idle.pop()
        except IndexError:
            sender = self._another()
        if sender is not None:
            task.start()
            sender.inbox.put(task)
        return task

    def _another(self) -> _Sender | None:
        """Return one more thread, unless there are as many as there may be."""
        with self._lock:
            if self._count >= self._size:
                return None
            self._count += 1
            sender = _Sender(self._idle, self._count)
        sender.start()
        return sender


SENDERS = Senders()
os.register_at_fork(after_in_child=SENDERS.forget)
