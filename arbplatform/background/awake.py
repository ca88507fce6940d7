"""Keeps the machine's processors from sleeping deeply while a process that is in a hurry runs.

A processor with nothing to do is put to sleep; a virtual one is given back to its host. To wake it
takes time at every answer of a database or venue (a commit of one row took 0.30 ms on a virtual
machine, and 0.20 ms with processors kept awake), and what its caches held is often gone.
Linux lets a process say how long waking may take for as long as it holds a file open (PM QoS,
``Documentation/power/pm_qos_interface.rst`` of the kernel). It costs power: at 0 µs an idle
processor waits in a loop.
"""

import logging
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Final

logger = logging.getLogger(__name__)

DEVICE: Final = Path("/dev/cpu_dma_latency")
"""Root may write to it; another user needs a rule of udev (docs/runbook.md)."""

LARGEST: Final = 2**31 - 1
"""The kernel reads 32 bits; half an hour, which this is, asks for nothing any more [µs]."""


@contextmanager
def awake(wake_us_max: int, *, device: Path = DEVICE) -> Iterator[bool]:
    """Let no processor sleep so deeply that it takes longer to wake, until the context ends.

    Args:
        wake_us_max: how long waking may take [µs]; negative leaves that to the machine.
        device: what the kernel is told by.

    Yields:
        Whether it holds. Where it cannot be had a warning is logged, and work goes on.
    """
    if wake_us_max < 0:
        yield False
        return
    holds = True
    with ExitStack() as held:
        try:
            # r+: makes no file where there is no such device
            request = held.enter_context(device.open("r+b", buffering=0))
            request.write(struct.pack("=i", min(wake_us_max, LARGEST)))
        except OSError as error:
            logger.warning(
                "Processors may sleep: %s cannot be written to (%s). Run as a user who may, or "
                "unset CPU_WAKE_US_MAX.",
                device,
                error.strerror,
            )
            holds = False
        yield holds


class Haste:
    """Keeps processors awake for the moments of a decision, where this user may do so.

    Unlike ``awake`` it costs no power worth the name, so nobody has to ask for it: between the
    moments nothing is wanted of the kernel. Several threads may be in a hurry at once.

    Args:
        device: what the kernel is told by.
    """

    def __init__(self, device: Path = DEVICE) -> None:
        self._device = device
        self.forget()

    def forget(self) -> None:
        """Begin anew: a child of a fork shares its parent's request, and must not change it."""
        self._lock = threading.Lock()
        self._count = 0
        self._is_tried = False
        self._request: FileIO | None = None

    def close(self) -> None:
        """Want nothing of the kernel any more."""
        if self._request is not None:
            self._request.close()
            self._request = None

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._ask(0)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._ask(LARGEST)

    def _ask(self, wake_us_max: int) -> None:
        try:
            if not self._is_tried:
                self._is_tried = True  # who may not now may not later
                self._request = FileIO(self._device, "r+")
            if self._request is not None:
                self._request.write(struct.pack("=i", wake_us_max))
        except OSError as error:
            self.close()
            logger.info("Processors may sleep while orders are on their way: %s", error)


HASTE = Haste()
os.register_at_fork(after_in_child=HASTE.forget)
