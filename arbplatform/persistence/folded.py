"""A transaction that begins and ends within the texts that it runs anyway.

On PostgreSQL ``BEGIN`` and ``COMMIT`` of their own are two waits for the server, which a short
transaction feels. Here the first text begins with the one, and the last text ends with the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error, connection, transaction


@contextmanager
def folded_atomic() -> Iterator[None]:
    """Do what ``transaction.atomic`` does; the first text within has to go through ``opened``.

    The last one may go through ``closed``: nothing can be undone after that, and nothing of the
    transaction may follow. Within another transaction, and on SQLite, this is ``atomic`` itself.
    """
    with transaction.atomic():
        is_outermost = connection.commit_on_exit and not connection.savepoint_ids
        if connection.vendor != "postgresql" or not is_outermost:
            yield
            return
        # the driver sends no BEGIN now; Django knows of the transaction all the same
        connection.connection.autocommit = True
        try:
            yield
            if _is_begun() and not connection.needs_rollback:
                _run("COMMIT")
        finally:
            _give_up()


def opened(text: str) -> str:
    """Return the first text of a transaction so that it begins it, if nothing has."""
    return f"BEGIN; {text}" if _is_folded() and not _is_begun() else text


def closed(text: str) -> str:
    """Return the last text of a transaction so that it commits it, if it may."""
    may_end = _is_folded() and not connection.savepoint_ids and not connection.needs_rollback
    return f"{text}; COMMIT" if may_end else text


def _is_folded() -> bool:
    return (
        connection.vendor == "postgresql"
        and connection.in_atomic_block
        and connection.connection.autocommit
    )


def _is_begun() -> bool:
    """Return whether the server is within a transaction; the driver has it from each answer."""
    return bool(connection.connection.info.transaction_status)  # 0: idle


def _give_up() -> None:
    """Undo what was not committed, which the driver would not do: it has not begun it."""
    if connection.connection is None or not _is_begun():
        return
    try:
        _run("ROLLBACK")
    except Error:  # the connection is gone, and with it the transaction
        connection.close()


def _run(command: str) -> None:
    # by the driver's own cursor: Django's refuses everything once something has gone wrong
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute(command)
