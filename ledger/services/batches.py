"""Several statements in one transaction and, on PostgreSQL, in one round trip.

What is sent to PostgreSQL as one text is one transaction there: it takes effect as a whole or not
at all, and the answer comes after the commit. So the caller waits for the database once, whatever
the number of rows. Between the statements nothing can be looked at; what must hold is therefore a
statement of its own, which gives the whole up if it does not.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from ledger.services.literals import to_literal
from ledger.services.rows import Row, insert_sql, to_sql

_UNMET = "requirement_unmet"

PREPARED_MAX = 64
"""Texts that one connection remembers; further ones are planned each time."""


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
        is_insertion: whether it inserts given values and looks at nothing.
    """

    sql: str
    values: Sequence[Any] = ()
    requirement: str = ""
    is_insertion: bool = False


def insertion(model: type[Model], columns: Sequence[str], rows: Sequence[Row]) -> Statement:
    """Return the statement that inserts some rows; few enough for one on either database."""
    sql = insert_sql(model._meta.db_table, tuple(columns), len(rows), "")
    values = to_sql(value for row in rows for value in row)
    return Statement(sql, values, is_insertion=True)


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
        session = _session_of(cursor)
        text = "; ".join([session.text_of(cursor, group) for group in _groups(statements)])
        try:
            cursor.execute(text)
        except IntegrityError as error:
            head, _, name = str(error).partition(":")
            if head != _UNMET:
                raise
            raise Unmet(name.strip().split()[0]) from error


def _groups(statements: Iterable[Statement]) -> list[list[Statement]]:
    """Return statements in groups that mean the same when they are one statement.

    Requirements that follow each other look at one state. Insertions that follow look at nothing,
    and what is required is looked at before they take effect. Anything else stands alone.
    """
    groups: list[list[Statement]] = []
    for statement in statements:
        last = groups[-1][-1] if groups else None
        is_joined = last is not None and (
            bool(last.requirement and (statement.requirement or statement.is_insertion))
            or (last.is_insertion and statement.is_insertion)
        )
        if is_joined:
            groups[-1].append(statement)
        else:
            groups.append([statement])
    return groups


class _Session:
    """What one connection to PostgreSQL has parsed and planned.

    Planning costs the server more than running does: each text is prepared once a connection.
    """

    def __init__(self, cursor: CursorWrapper) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        # a plan of its own for each new set of values costs more than it ever wins here
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        status = cursor.connection.info.parameter_status("standard_conforming_strings")
        if status != "on":
            raise RuntimeError("PostgreSQL must run with standard_conforming_strings = on.")

    def text_of(self, cursor: CursorWrapper, group: Sequence[Statement]) -> str:
        """Return the text that runs a group with its values."""
        key = tuple([statement.sql for statement in group])
        # in the order in which the joined text names them
        parts = sorted(group, key=lambda statement: not statement.is_insertion)
        values = [to_literal(value) for statement in parts for value in statement.values]
        name = self._names.get(key)
        if name is None:
            if len(self._names) >= PREPARED_MAX:
                return _joined(group) % tuple(values)
            name = self._names[key] = self._prepare(cursor, _joined(group))
        return f"EXECUTE {name}({', '.join(values)})" if values else f"EXECUTE {name}"

    def _prepare(self, cursor: CursorWrapper, sql: str) -> str:
        name = f"batch_{len(self._names)}"
        numbers = count(1)
        numbered = re.sub("%s", lambda _mark: f"${next(numbers)}", sql)
        cursor.execute(f"PREPARE {name} AS {numbered}")
        return name


_SESSIONS: WeakKeyDictionary[Any, _Session] = WeakKeyDictionary()


def _session_of(cursor: CursorWrapper) -> _Session:
    """Return what is prepared on the connection as it is now: a new one knows nothing."""
    raw = connection.connection
    session = _SESSIONS.get(raw)
    if session is None:
        session = _SESSIONS[raw] = _Session(cursor)
    return session


def _joined(group: Sequence[Statement]) -> str:
    """Return one statement that does what those of a group do one after the other."""
    if len(group) == 1 and not group[0].requirement:
        return group[0].sql
    required = [
        f"ledger_require(({statement.sql}), '{statement.requirement}')"
        for statement in group
        if statement.requirement
    ]
    inserted = [
        f"part_{number} AS ({statement.sql})"
        for number, statement in enumerate(group)
        if statement.is_insertion
    ]
    head = f"WITH {', '.join(inserted)} " if inserted else ""
    return f"{head}SELECT {', '.join(required) or '1'}"


def _run_singly(statements: Sequence[Statement]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            if not statement.requirement:
                cursor.execute(statement.sql, statement.values)
                continue
            cursor.execute(f"SELECT {statement.sql}", statement.values)
            if not cursor.fetchone()[0]:
                raise Unmet(statement.requirement)
