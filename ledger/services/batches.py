"""Several statements in one transaction and, on PostgreSQL, in one round trip.

What is sent to PostgreSQL as one text is one transaction there: it takes effect as a whole or not
at all, and the answer comes after the commit. So the caller waits for the database once, whatever
the number of rows. Between the statements nothing can be looked at; what must hold is therefore a
statement of its own, which gives the whole up if it does not.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from ledger.services.rows import Row, insert_sql, to_sql

_UNMET = "requirement_unmet"

PREPARED_MAX = 64
"""Texts that one connection remembers; further ones are planned each time."""

_NAMES: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


class Unmet(Exception):
    """Something that had to hold did not; nothing was written.

    Attributes:
        name: of the requirement.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its values.

    Attributes:
        sql: with ``%s`` for each value, and without any other percent sign.
        values: as the driver takes them.
        requirement: its name, if ``sql`` is an expression that must be true.
    """

    sql: str
    values: Sequence[Any] = ()
    requirement: str = ""


def insertion(model: type[Model], columns: Sequence[str], rows: Sequence[Row]) -> Statement:
    """Return the statement that inserts some rows; few enough for one on either database."""
    sql = insert_sql(model._meta.db_table, tuple(columns), len(rows), "")
    return Statement(sql, to_sql(value for row in rows for value in row))


def insertion_of(instance: Model) -> Statement:
    """Return the statement that inserts one row, all of whose columns are set, its id included."""
    columns = instance._meta.concrete_fields
    database = connections[DEFAULT_DB_ALIAS]  # ``connection`` would look it up for each column
    values = [
        column.get_db_prep_save(getattr(instance, column.attname), database) for column in columns
    ]
    names = tuple(str(column.column) for column in columns)
    return Statement(insert_sql(instance._meta.db_table, names, 1, ""), values)


@contextmanager
def batch_transaction() -> Iterator[None]:
    """Make what is run inside one transaction that is committed at the end.

    On PostgreSQL one call of ``run_batch`` is that already.
    """
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        yield
    else:
        with transaction.atomic(durable=True):
            yield


def run_batch(statements: Sequence[Statement]) -> None:
    """Run statements one after the other, within ``batch_transaction``.

    Raises:
        Unmet: a requirement did not hold; nothing was written.
        IntegrityError: the database refused a row; nothing was written.
    """
    if connection.vendor == "sqlite":
        _run_singly(statements)
        return
    with connection.cursor() as cursor:
        text = "; ".join(_prepared(cursor, statement) for statement in statements)
        try:
            cursor.execute(text, [value for one in statements for value in one.values])
        except IntegrityError as error:
            head, _, name = str(error).partition(":")
            if head != _UNMET:
                raise
            raise Unmet(name.strip().split()[0]) from error


def _prepared(cursor: CursorWrapper, statement: Statement) -> str:
    """Return how to run a statement that the connection has parsed and planned before.

    Planning costs the server more than running does: each text is prepared once a connection.
    """
    sql = statement.sql
    if statement.requirement:
        sql = f"SELECT ledger_require(({sql}), '{statement.requirement}')"
    names = _names_of_connection()
    if sql not in names:
        if len(names) >= PREPARED_MAX:
            return sql
        name = f"batch_{len(names)}"
        numbers = count(1)
        numbered = re.sub("%s", lambda _mark: f"${next(numbers)}", sql)
        cursor.execute(f"PREPARE {name} AS {numbered}")
        names[sql] = name
    if not statement.values:
        return f"EXECUTE {names[sql]}"
    return f"EXECUTE {names[sql]}({', '.join(['%s'] * len(statement.values))})"


def _names_of_connection() -> dict[str, str]:
    """Return what is prepared on the connection as it is now: a new one knows nothing."""
    raw = connection.connection
    names = _NAMES.get(raw)
    if names is None:
        names = _NAMES[raw] = {}
    return names


def _run_singly(statements: Sequence[Statement]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            if not statement.requirement:
                cursor.execute(statement.sql, statement.values)
                continue
            cursor.execute(f"SELECT {statement.sql}", statement.values)
            if not cursor.fetchone()[0]:
                raise Unmet(statement.requirement)
