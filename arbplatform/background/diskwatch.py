"""How full the disk of the data directory is, and what that means."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from django.conf import settings

RECOVERY_PERCENT = 2
"""So far below the limit trading goes on again: it must not flicker."""


class DiskLevel(IntEnum):
    """What the filling of a disk means; the higher, the worse."""

    FINE = 0
    ALARM = 1
    URGENT = 2
    FULL = 3
    """Nothing new is begun: what cannot be written down must not be sent."""


@dataclass(frozen=True, slots=True)
class DiskReading:
    """How full a disk is.

    Attributes:
        used_percent: of what may be used.
        level: what that means.
    """

    used_percent: int
    level: DiskLevel


def measure(path: Path) -> int:
    """Return how much of a disk is used, of what its users may use [percent, rounded up].

    Raises:
        OSError: it cannot be asked.
    """
    usage = shutil.disk_usage(path)
    usable = usage.used + usage.free
    return -(-100 * usage.used // usable) if usable else 100


class DiskWatch:
    """Says what the filling of a disk means, and lets go of FULL a little below its limit.

    Args:
        path: somewhere on the disk.
        measure_percent: measures it.
    """

    def __init__(self, path: Path, measure_percent: Callable[[Path], int] = measure) -> None:
        self._path = path
        self._measure = measure_percent
        self._was_full = False

    def look(self) -> DiskReading:
        """Measure the disk.

        Raises:
            OSError: it cannot be asked.
        """
        used = self._measure(self._path)
        limit = settings.DISK_STOP_PERCENT - (RECOVERY_PERCENT if self._was_full else 0)
        level = DiskLevel.FULL if used >= limit else level_of(used)
        self._was_full = level is DiskLevel.FULL
        return DiskReading(used, level)


def level_of(used_percent: int) -> DiskLevel:
    """Return what a filling means, without regard to what was before."""
    if used_percent >= settings.DISK_STOP_PERCENT:
        return DiskLevel.FULL
    if used_percent >= settings.DISK_URGENT_PERCENT:
        return DiskLevel.URGENT
    return DiskLevel.ALARM if used_percent >= settings.DISK_ALARM_PERCENT else DiskLevel.FINE
