"""Threads for all that blocks, so that the loop never waits."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import Any, Final

from django.db import connections

from strategies.engine.ports import Errand, Job

logger = logging.getLogger(__name__)

_Assignment = tuple[Errand, Job]
_Inbox = SimpleQueue[_Assignment | None]

WAITING_MAX: Final = 10_000
"""Errands that wait for a thread; further ones are refused and counted."""
HANG_S: Final = 1.0
"""Who is away for so long while others wait has its place taken by a spare thread [s]."""
LOOK_S: Final = 0.25
"""How often somebody looks whether this is so, while others wait [s]."""


class Crew:
    """A fixed number of threads; who worked last works next.

    That one's database connection is open and knows our statements, and its memory is warm: with
    a queue that serves all threads in turn, each of them would be the first again and again.

    A thread whose errand waits for a venue that hangs does not count: a spare one takes its place
    when another errand waits for a thread, and it ends when its job does.

    Args:
        size: how many threads.
        name: of the threads.
        reserve: threads that only urgent errands may take.
        spares: threads more, at most, while others hang.

    Attributes:
        dropped: errands that were refused since the queue was full.
    """

    def __init__(self, size: int, *, name: str, reserve: int = 0, spares: int = 0) -> None:
        self.dropped = 0
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._reserve = reserve
        self._numbers = count()
        self._urgent: deque[Errand] = deque()
        self._patient: deque[Errand] = deque()
        self._spares = spares
        self._threads: list[threading.Thread] = []
        self._inboxes: list[_Inbox] = []
        self._idle: list[_Inbox] = []
        self._working: dict[_Inbox, tuple[Errand, float]] = {}  # who counts, and since when [s]
        self._is_closed = self._is_alarm_set = False
        for _number in range(size):
            self._hire()

    @property
    def waiting(self) -> int:
        """How many errands wait for a thread."""
        return len(self._urgent) + len(self._patient)

    @property
    def busy(self) -> int:
        """How many threads work."""
        return len(self._inboxes) - len(self._idle)

    def ask(self, errand: Errand, *, is_urgent: bool = True) -> bool:
        """Have an errand done as soon as a thread is free; return ``False`` if it is refused."""
        if self._is_closed or self.waiting >= WAITING_MAX:
            self.dropped += 1
            return False
        (self._urgent if is_urgent else self._patient).append(errand)
        self._hand_out()
        return True

    def hurry(self, errand: Errand) -> None:
        """Do an errand as an urgent one that was asked for as a patient one and still waits."""
        if errand in self._patient:
            self._patient.remove(errand)
            self._urgent.append(errand)
            self._hand_out()

    async def run(self, job: Job, *, is_urgent: bool = False) -> Any:
        """Return what ``job`` returns in a thread, or raise what it raises.

        Raises:
            asyncio.QueueFull: too many errands wait already.
        """
        errand = _Awaited(job, self._loop.create_future())
        if not self.ask(errand, is_urgent=is_urgent):
            raise asyncio.QueueFull
        return await errand.future

    async def close(self, *, timeout_s: float) -> bool:
        """Begin nothing any more; return whether all threads ended in time.

        Args:
            timeout_s: how long to wait for those that work [s].
        """
        self._is_closed = True
        self._urgent.clear()
        self._patient.clear()
        for inbox in self._inboxes:
            inbox.put(None)
        deadline_s = self._loop.time() + timeout_s
        while any(thread.is_alive() for thread in self._threads):
            if self._loop.time() >= deadline_s:
                return False
            await asyncio.sleep(0.01)
        return True

    def _hand_out(self) -> None:
        while self._idle:
            if self._urgent:
                errand = self._urgent.popleft()
            elif self._patient and len(self._idle) > self._reserve:
                errand = self._patient.popleft()
            else:
                break
            try:
                job = errand.begin()
            except Exception:
                # whoever made room for it has nothing to do with it
                logger.exception("an errand could not be begun")
                continue
            if job is not None:
                inbox = self._idle.pop()
                self._working[inbox] = (errand, self._loop.time())
                inbox.put((errand, job))
        if self._spares and self.waiting and not self._is_alarm_set:
            self._is_alarm_set = True
            self._loop.call_later(LOOK_S, self._hand_over)

    def _hand_over(self) -> None:
        """Have spare threads take the places of those that are away for too long."""
        self._is_alarm_set = False
        before_s = self._loop.time() - HANG_S
        away = [
            inbox
            for inbox, (errand, since_s) in self._working.items()
            if since_s <= before_s and errand.is_away
        ]
        for inbox in away[: 0 if self._is_closed else min(self._spares, self.waiting)]:
            del self._working[inbox]
            self._spares -= 1
            self._hire()
        self._hand_out()

    def _hire(self) -> None:
        """Begin one more thread."""
        inbox: _Inbox = SimpleQueue()
        self._threads = [each for each in self._threads if each.is_alive()]
        name = f"{self._name}-{next(self._numbers)}"
        thread = threading.Thread(target=self._work, args=(inbox,), name=name, daemon=True)
        self._threads.append(thread)
        self._inboxes.append(inbox)
        self._idle.append(inbox)
        thread.start()

    def _work(self, inbox: _Inbox) -> None:
        try:
            while (assignment := inbox.get()) is not None:
                errand, job = assignment
                tell: Callable[[Any], None] = errand.end
                try:
                    result = job()
                except Exception as error:  # noqa: BLE001  whoever asked is told
                    tell, result = errand.fail, error
                except BaseException as error:  # noqa: BLE001  a plugin that exits ends no thread
                    tell, result = errand.fail, RuntimeError(f"{type(error).__name__}: {error}")
                _mend_connections()
                self._loop.call_soon_threadsafe(self._finished, inbox, tell, result)
        except RuntimeError:
            logger.info("the loop ended before its thread")
        finally:
            connections.close_all()

    def _finished(self, inbox: _Inbox, tell: Callable[[Any], None], result: Any) -> None:
        if self._working.pop(inbox, None) is not None:
            self._idle.append(inbox)
        else:  # another one has its place
            self._inboxes.remove(inbox)
            self._spares += 1
            inbox.put(None)
        try:
            tell(result)
        finally:
            self._hand_out()


class _Awaited:
    """An errand that somebody awaits."""

    is_away = False

    def __init__(self, job: Job, future: asyncio.Future[Any]) -> None:
        self._job = job
        self.future = future

    def begin(self) -> Job | None:
        return None if self.future.done() else self._job

    def end(self, result: Any) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def _mend_connections() -> None:
    """Close database connections that an error has left unusable; the next job opens new ones.

    Not only after jobs that raise: a decision tells of a database that is away in its report, and
    its thread would else go on with a dead connection for ever.
    """
    for connection in connections.all(initialized_only=True):
        if connection.errors_occurred:
            try:
                connection.close_if_unusable_or_obsolete()
            except Exception:
                # else the thread would end, and whoever waits for its errand wait for ever
                logger.exception("a database connection could not be closed")
