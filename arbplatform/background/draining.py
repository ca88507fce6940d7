"""How a worker ends: it takes up nothing new, finishes what runs, and hands over the rest.

Celery itself waits for running tasks after SIGTERM. What it cannot know is that a task should not
begin another execution in that time, and that one which takes too long is better handed over:
parked between two steps, with its lease given back, so that another worker goes on at once.
"""

import logging
from threading import Lock
from typing import Any, Final

from celery import signals
from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger(__name__)


class Drain:
    """The end of one process.

    Args:
        clock: where the time comes from.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = Lock()
        self._began_ms: float | None = None

    def begin(self, **_: Any) -> None:
        """Take up nothing new from now on."""
        with self._lock:
            if self._began_ms is None:
                self._began_ms = self._clock.monotonic_ms()

    @property
    def has_begun(self) -> bool:
        """Whether nothing new is to be taken up."""
        return self._began_ms is not None

    @property
    def is_over(self) -> bool:
        """Whether what still runs is to be handed over at its next step."""
        return self.elapsed_ms >= settings.WORKER_DRAIN_MS if self.has_begun else False

    @property
    def elapsed_ms(self) -> float:
        """How long the process has been ending [ms]; 0 if it is not."""
        return 0 if self._began_ms is None else self._clock.monotonic_ms() - self._began_ms

    def report(self, **_: Any) -> None:
        """Say in the log how long it took."""
        if self.has_begun:
            logger.warning("The process has drained: it took %.1f s.", self.elapsed_ms / 1_000)


DRAIN: Final = Drain()
"""The end of this process; only a worker's ever begins."""


def install() -> None:
    """Listen to Celery."""
    signals.worker_shutting_down.connect(DRAIN.begin, weak=False, dispatch_uid="arb.draining.begin")
    signals.worker_shutdown.connect(DRAIN.report, weak=False, dispatch_uid="arb.draining.report")
