"""Moments at which a process may die and leave something half done.

Each part of the platform that writes, sends and writes again names such moments of its own in an
enumeration, and says when it has come to one. Outside of tests nothing happens then; tests stop the
process there and let another one take over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


def _go_on(point: StrEnum) -> None:
    """Let nothing happen, as outside of tests."""


_OBSERVERS: list[Callable[[StrEnum], None]] = [_go_on]


def reached(point: StrEnum) -> None:
    """Say that the process has come to ``point``."""
    _OBSERVERS[-1](point)


def is_observed() -> bool:
    """Return whether somebody wants to know of each point: then each has to be one."""
    return len(_OBSERVERS) > 1


@contextmanager
def observe(observer: Callable[[StrEnum], None]) -> Iterator[None]:
    """Call ``observer`` at every point for the time of a test; what it raises is the crash."""
    _OBSERVERS.append(observer)
    try:
        yield
    finally:
        _OBSERVERS.pop()
