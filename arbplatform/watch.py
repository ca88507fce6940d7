"""What a worker looks after by itself, whether or not anybody sends it work.

Three threads, of which an engine has the first: it may be alone on its machine. That one looks each
second at the ground that trading stands on: the clock, the disk, Redis.
What is not right restricts trading to orders that reduce an exposure, in every process, until it
is right again. The others carry out the tasks that keep money safe, and the one that tells people,
whenever they have not been run for a while: because beat is dead, Redis is away, or the queue is
too long.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final

from celery import current_app, signals
from celery.worker.consumer import Consumer
from django.conf import settings
from django.core.cache import cache
from django.db import close_old_connections
from django.utils.translation import gettext_noop as _
from redis.exceptions import RedisError

from accounts.selectors import list_readings
from arbplatform.background.clockwatch import ClockWatch
from arbplatform.background.diskwatch import DiskLevel, DiskReading, DiskWatch
from arbplatform.background.draining import DRAIN
from arbplatform.background.lifecycle import engine_ending, engine_ready
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Message
from ledger.models import LogLevel
from ledger.services import guards
from ledger.services.logs import write_log

logger = logging.getLogger(__name__)

Duties = Mapping[Callable[[], object], int]
"""What is to be done, and in which rounds: in each one, in every second one …"""

LOOK_EVERY_S: Final = 1.0
DISK_EVERY_LOOKS: Final = 10
REDIS_MISSES_MAX: Final = 3
"""So many looks in a row may find Redis away before anything is restricted."""
REREAD_WAIT_MS: Final = 600_000
"""After so long a venue that does not answer is not waited for any more [ms]."""
REREAD_TASKS: Final = ("markets.measure_clocks", "accounts.sync_all_balances")

SAFETY_TASKS: Final = (
    "ledger.resolve_unknown_orders",
    "ledger.cancel_halted_orders",
    "strategies.sweep",
)
NOTICE_TASKS: Final = ("notices.sweep",)
"""They wait for services of others, and must not hold up the tasks above meanwhile."""
SAFETY_EVERY_S: Final = 5.0

_DISK: Final = _("{used} % of the disk of the data directory are in use.")
_CLOCK: Final = _("This machine's clock has jumped by {jump} ms.")
_REDIS: Final = _("Redis does not answer.")
_DISK_LINES: Final = {
    DiskLevel.FINE: (LogLevel.INFO, "disk_fine"),
    DiskLevel.ALARM: (LogLevel.WARNING, "disk_filling"),
    DiskLevel.URGENT: (LogLevel.ERROR, "disk_nearly_full"),
    DiskLevel.FULL: (LogLevel.ERROR, "disk_full"),
}


class ClockGuard:
    """Restricts trading after a jump until clocks were measured and accounts read again.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._watch = ClockWatch(limit_ms=settings.CLOCK_JUMP_MAX_MS, clock=clock)
        self._name = guard_name("clock")
        self._is_known = False
        self._before: dict[int, tuple[datetime | None, datetime | None]] | None = None
        self._jumped_ms = clock.monotonic_ms()

    def look(self) -> None:
        """Look at the clock, and whether what a jump made doubtful was read again."""
        jump_ms = self._watch.look()
        if jump_ms:
            self._take_stock()
            guards.hold(guard=self._name, reason=Message(_CLOCK, {"jump": jump_ms}))
            for task in REREAD_TASKS:
                _ask_for(task)
        elif not self._is_known:
            if guards.is_holding(self._name):  # of the process before this one
                self._take_stock()
            self._is_known = True
        elif self._before is not None and self._is_reread():
            self._before = None
            guards.release(
                guard=self._name,
                reason=Message("Clocks were measured and accounts read again."),
            )

    def _take_stock(self) -> None:
        self._before = list_readings()
        self._jumped_ms = self._clock.monotonic_ms()

    def _is_reread(self) -> bool:
        """Return whether each account and the clock of its venue were read since.

        Times are compared for being others, not for being later: the clock may have gone back.
        """
        if self._clock.monotonic_ms() - self._jumped_ms > REREAD_WAIT_MS:
            return True
        now = list_readings()
        return not any(
            old is not None and old == new
            for account, before in (self._before or {}).items()
            if account in now
            for old, new in zip(before, now[account], strict=True)
        )


class DiskGuard:
    """Tells of a disk that fills, and restricts trading before it is full.

    Args:
        watch: measures it.
    """

    def __init__(self, watch: DiskWatch | None = None) -> None:
        self._watch = watch or DiskWatch(settings.DATA_DIR)
        self._name = guard_name("disk")
        self._level: DiskLevel | None = None

    def look(self) -> DiskReading:
        """Measure the disk, and act when its level is another one."""
        reading = self._watch.look()
        if reading.level is not self._level:
            self._act(reading)
            self._level = reading.level
        return reading

    def _act(self, reading: DiskReading) -> None:
        reason = Message(_DISK, {"used": reading.used_percent})
        if reading.level is DiskLevel.FULL:
            guards.hold(guard=self._name, reason=reason)
        else:
            guards.release(guard=self._name, reason=reason)
        if reading.level is not DiskLevel.FINE or self._level is not None:
            level, event = _DISK_LINES[reading.level]
            write_log(
                strategy_id=None,
                level=level,
                event=event,
                template=_DISK,
                used=reading.used_percent,
            )


class RedisGuard:
    """Restricts trading while processes cannot see each other's requests.

    Args:
        answers: whether Redis does.
    """

    def __init__(self, answers: Callable[[], bool] | None = None) -> None:
        self._answers = answers or _redis_answers
        self._name = guard_name("redis")
        self._misses = 0
        self._is_known = False

    def look(self) -> None:
        """Ask Redis, and act on several misses in a row or on the first answer after them."""
        if not self._answers():
            self._misses += 1
            if self._misses == REDIS_MISSES_MAX:
                guards.hold(guard=self._name, reason=Message(_REDIS))
                self._is_known = False
            return
        self._misses = 0
        if not self._is_known:
            guards.release(guard=self._name, reason=Message("Redis answers again."))
            self._is_known = True


class SafetyTimer:
    """Runs what keeps money safe when nobody has asked for it in time.

    Args:
        tasks: by name, what they run.
        clock: tells the time.
    """

    def __init__(
        self, tasks: Mapping[str, Callable[[], object]], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self._seen_ms = dict.fromkeys(tasks, clock.monotonic_ms())

    def note(self, sender: Any = None, **_: Any) -> None:
        """Take notice of a task that this process has begun; Celery calls this."""
        name = getattr(sender, "name", "")
        if name in self._seen_ms:
            self._seen_ms[name] = self._clock.monotonic_ms()

    def look(self) -> list[str]:
        """Run what is overdue, and return its names."""
        done = []
        for name, run in self._tasks.items():
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._seen_ms[name] < settings.SAFETY_LATE_MS or DRAIN.has_begun:
                continue
            self._seen_ms[name] = now_ms
            logger.warning("%s was not asked for in time: the worker runs it by itself", name)
            _guarded(run)
            done.append(name)
        return done


def guard_name(part: str) -> str:
    """Return the name of this machine's guard of ``part``."""
    return f"{part}@{settings.MACHINE_NAME}"


def install() -> None:
    """Listen to Celery and to engines; any other process is never ready."""
    signals.worker_ready.connect(_start, weak=False, dispatch_uid="arb.watch.start")
    engine_ready.connect(_start_in_engine, weak=False, dispatch_uid="arb.watch.start")


def _start(sender: Any = None, **_: Any) -> None:
    if not isinstance(sender, Consumer):
        return
    stop = Event()
    signals.worker_shutting_down.connect(
        lambda **_: stop.set(), weak=False, dispatch_uid="arb.watch.stop"
    )
    _go_on("watch", stop, LOOK_EVERY_S, _ground_duties())
    start_timers(current_app.tasks, stop)


def start_timers(
    tasks: Mapping[str, Callable[[], object]], stop: Event, every_s: float = SAFETY_EVERY_S
) -> None:
    """Look after what keeps money safe and after notices, each in a thread of its own.

    Args:
        tasks: by name, what they run.
        stop: ends both.
        every_s: how often each looks [s].
    """
    for name, names in (("safety", SAFETY_TASKS), ("notices", NOTICE_TASKS)):
        timer = SafetyTimer({task: tasks[task] for task in names})
        signals.task_prerun.connect(timer.note, weak=False, dispatch_uid=f"arb.watch.{name}")
        _go_on(name, stop, every_s, {timer.look: 1})


def _start_in_engine(**_: Any) -> None:
    stop = Event()

    def end(**_: Any) -> None:
        stop.set()

    engine_ending.connect(end, weak=False, dispatch_uid="arb.watch.stop")
    _go_on("watch", stop, LOOK_EVERY_S, _ground_duties())


def _ground_duties() -> Duties:
    clock, disk, redis = ClockGuard(), DiskGuard(), RedisGuard()
    return {clock.look: 1, redis.look: 1, disk.look: DISK_EVERY_LOOKS}


def _go_on(name: str, stop: Event, every_s: float, duties: Duties) -> None:
    Thread(target=_go_round, args=(stop, every_s, duties), name=name, daemon=True).start()


def _go_round(stop: Event, every_s: float, duties: Duties) -> None:
    """Carry out duties, each in every so many rounds, until the process ends."""
    count = 0
    while not stop.is_set():
        for duty, every in duties.items():
            if count % every == 0:
                _guarded(duty)
        count += 1
        close_old_connections()
        stop.wait(every_s)


def _guarded(duty: Callable[[], object]) -> None:
    try:
        duty()
    except Exception as error:  # noqa: BLE001  one duty that fails must not end the watch
        logger.warning("A duty of the watch failed: %s: %s", type(error).__name__, error)


def _ask_for(task: str) -> None:
    try:
        current_app.send_task(task, kwargs={})
    except (OSError, RedisError) as error:
        logger.warning("%s could not be asked for, it comes by the schedule: %s", task, error)


def _redis_answers() -> bool:
    try:
        cache.get("watch:probe")
    except (RedisError, OSError):
        return False
    return True
