"""Work that is done while the database works, in the same thread.

The driver waits for PostgreSQL by a function that can be given to it, which it calls as soon as it
has handed a text over. So what comes next can be prepared on one processor while the server runs on
another. A second thread could do the same, but would have to be woken up first.
"""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from django.db import ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper

_waiting: dict[Any, Callable[[], None]] = {}
"""What is to be done, by the driver's connection that is about to wait."""


@contextmanager
def done_meanwhile(connection: Any, call: Callable[[], None]) -> Iterator[None]:
    """Make a call while the one statement within is run.

    From the first time on, all connections of the process wait by our function: ``COPY`` is beyond
    it, and a signal whose handler raises breaks the connection that waits. Where somebody else has
    given the driver a function, as green threads do, the call is made after the statement.

    Args:
        connection: the driver's own, which runs the statement.
        call: must not use this connection, see ``without_database``, and must not raise: the driver
            could not tell that from a broken connection, and would close this one.
    """
    from psycopg2 import extensions  # noqa: PLC0415  no process loads it that uses SQLite

    if extensions.get_wait_callback() is None:
        extensions.set_wait_callback(_wait)
    _waiting[connection] = call
    try:
        yield
        missed = _waiting.pop(connection, None)
        if missed is not None:
            missed()
    finally:
        _waiting.pop(connection, None)


def without_database(database: BaseDatabaseWrapper, call: Callable[[], None]) -> None:
    """Make a call for which everything that would use a connection is refused.

    The driver itself refuses to run a statement while it runs one. For all else, as to begin a
    transaction, the thread would wait for itself.

    Raises:
        ProgrammingError: the call has asked the database for something.
    """
    driver = database.connection
    try:
        database.connection = _BUSY
        call()
    finally:
        database.connection = driver


class _Busy:
    """Stands for the driver's connection as long as that must not be touched."""

    def __getattr__(self, _name: str) -> NoReturn:
        raise ProgrammingError("The database is asked while it works: ask it before or after.")

    def __setattr__(self, _name: str, _value: object) -> NoReturn:
        raise ProgrammingError("The database is asked while it works: ask it before or after.")


_BUSY = _Busy()


def _wait(connection: Any) -> None:
    """Wait for what a connection has asked the server for, or until it is made.

    Raises:
        OperationalError: it was not made in the time that its ``connect_timeout`` allows, which
            the driver leaves to who waits.
    """
    from psycopg2 import OperationalError, extensions  # noqa: PLC0415  as above

    events = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}
    ends_at = _connecting_ends_at(connection)
    state = connection.poll()
    while state != extensions.POLL_OK:
        call = _waiting.pop(connection, None) if state == extensions.POLL_READ else None
        if call is not None:
            call()
        elif state not in events:
            raise OperationalError(f"the connection is in an unknown state: {state}")
        else:
            poll = select.poll()
            poll.register(connection, events[state])
            left_ms = None if ends_at is None else max(ends_at - time.monotonic(), 0) * 1000
            if not poll.poll(left_ms):
                raise OperationalError("timeout expired: the database does not answer")
        state = connection.poll()


def _connecting_ends_at(connection: Any) -> float | None:
    """Return when a connection has to be made, by the monotonic clock [s]; ``None``: it is."""
    from psycopg2 import extensions  # noqa: PLC0415  as above

    if connection.status != extensions.STATUS_SETUP:
        return None
    allowed_s = int(extensions.parse_dsn(connection.dsn).get("connect_timeout", 0))
    return time.monotonic() + allowed_s if allowed_s > 0 else None
