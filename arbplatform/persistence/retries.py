"""Run a transaction again that the database gave up for no fault of its own.

A deadlock, a serialization failure and SQLite's "database is locked" have one thing in common: the
transaction was rolled back as a whole and may be run again. What left the process in the middle of
it could not be called back, so only commands that talk to nobody are run again; no order is sent
from within a transaction.
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from random import SystemRandom
from typing import Final, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 5
DELAY_MIN_MS: Final = 10
"""The longest pause before the second attempt; it doubles for each one after that."""

_SERIALIZATION_FAILURE = "40001"
_DEADLOCK_DETECTED = "40P01"
_RETRIABLE_STATES = frozenset({_SERIALIZATION_FAILURE, _DEADLOCK_DETECTED})
_SQLITE_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")

_P = ParamSpec("_P")
_T = TypeVar("_T")
_random = SystemRandom()


def retried(command: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return ``command``, run again as a whole when its transaction was given up.

    At most ``ATTEMPTS_MAX`` times, after pauses of random length, so that two who got in each
    other's way do not do so again. Within somebody else's transaction nothing is run again: it is
    that one which has to be repeated.

    Args:
        command: opens one transaction, and does nothing outside of the database.
    """

    @wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        for attempt in range(1, ATTEMPTS_MAX):
            try:
                return command(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not is_given_up(error):
                    raise
                logger.warning(
                    "%s is run again, attempt %s: %s", command.__name__, attempt + 1, error
                )
            pause(attempt)
        return command(*args, **kwargs)

    return run


def is_given_up(error: OperationalError) -> bool:
    """Return whether the database rolled a transaction back that may simply be run again."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    name = getattr(cause, "sqlite_errorname", None) or ""
    return state in _RETRIABLE_STATES or name.startswith(_SQLITE_BUSY)


def is_away(error: BaseException) -> bool:
    """Return whether an error says that the database cannot be used at present."""
    return isinstance(error, OperationalError | InterfaceError)


def pause(attempt: int) -> None:
    """Wait a random time before the next attempt.

    Args:
        attempt: the one that failed, from 1.
    """
    longest_ms = DELAY_MIN_MS * 2 ** (attempt - 1)
    time.sleep(_random.uniform(0, longest_ms) / 1_000)
