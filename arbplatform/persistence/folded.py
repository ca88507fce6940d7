"""A transaction that begins and ends within the texts that it runs anyway.

On PostgreSQL ``BEGIN`` and ``COMMIT`` of their own are two waits for the server, which a short
transaction feels. Here the first text begins with the one, and the last text ends with the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def folded_atomic() -> Iterator[None]:
    """Do what ``transaction.atomic`` does; the first text within has to go through ``opened``.

    The last one may go through ``closed``: nothing can be undone after that, and nothing of the
    transaction may follow. Within another transaction, and on SQLite, this is ``atomic`` itself.
    """
    database = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic():
        is_outermost = database.commit_on_exit and not database.savepoint_ids
        if database.vendor != "postgresql" or not is_outermost:
            yield
            return
        # the driver sends no BEGIN now; Django knows of the transaction all the same
        database.connection.autocommit = True
        try:
            yield
            if _is_begun(database) and not database.needs_rollback:
                _run(database, "COMMIT")
        finally:
            give_up(database)


def opened(text: str) -> str:
    """Return the first text of a transaction so that it begins it, if nothing has."""
    database = connections[DEFAULT_DB_ALIAS]
    return f"BEGIN; {text}" if _is_folded(database) and not _is_begun(database) else text


def closed(text: str) -> str:
    """Return the last text of a transaction so that it commits it, if it may."""
    database = connections[DEFAULT_DB_ALIAS]
    may_end = not database.savepoint_ids and not database.needs_rollback
    return f"{text}; COMMIT" if may_end and _is_folded(database) else text


def _is_folded(database: BaseDatabaseWrapper) -> bool:
    return (
        database.vendor == "postgresql"
        and database.in_atomic_block
        and database.connection.autocommit
    )


def _is_begun(database: BaseDatabaseWrapper) -> bool:
    """Return whether the server is within a transaction; the driver has it from each answer."""
    return bool(database.connection.info.transaction_status)  # 0: idle


def give_up(database: BaseDatabaseWrapper) -> None:
    """Undo what was not committed, which the driver would not do: it has not begun it."""
    if database.connection is None or not _is_begun(database):
        return
    try:
        _run(database, "ROLLBACK")
    except Error:  # the connection is gone, and with it the transaction
        database.close()


def _run(database: BaseDatabaseWrapper, command: str) -> None:
    # by the driver's own cursor: Django's refuses everything once something has gone wrong
    with database.wrap_database_errors, database.connection.cursor() as cursor:
        cursor.execute(command)
