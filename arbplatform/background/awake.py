"""Keeps the machine's processors from sleeping deeply while a process that is in a hurry runs.

A processor with nothing to do is put to sleep; a virtual one is given back to its host. To wake it
takes time at every answer of a database or venue (a commit of one row took 0.30 ms on a virtual
machine, and 0.20 ms with processors kept awake), and what its caches held is often gone.
Linux lets a process say how long waking may take for as long as it holds a file open (PM QoS,
``Documentation/power/pm_qos_interface.rst`` of the kernel). It costs power: at 0 µs an idle
processor waits in a loop.
"""

import logging
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
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
