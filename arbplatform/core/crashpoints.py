"""Moments at which a process may die and leave something half done.

Each part of the platform that writes, sends and writes again names such moments of its own in an
enumeration, and says when it has come to one. Outside of tests nothing happens then; tests stop the
process there and let another one take over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

_OBSERVERS: list[Callable[[StrEnum], None]] = []
"""Those who want to know of each point, outside of tests nobody; the last one is told."""


def reached(point: StrEnum) -> None:
    """Say that the process has come to ``point``."""
    if _OBSERVERS:
        _OBSERVERS[-1](point)


def is_observed() -> bool:
    """Return whether somebody wants to know of each point: then each has to be one."""
    return bool(_OBSERVERS)


@contextmanager
def observe(observer: Callable[[StrEnum], None]) -> Iterator[None]:
    """Call ``observer`` at every point for the time of a test; what it raises is the crash."""
    _OBSERVERS.append(observer)
    try:
        yield
    finally:
        _OBSERVERS.pop()
