"""Several statements in one transaction and, on PostgreSQL, in one round trip.

What is sent to PostgreSQL as one text is one transaction there: it takes effect as a whole or not
at all, and the answer comes after the commit. So the caller waits for the database once, whatever
the number of rows. Between the statements nothing can be looked at; what must hold is therefore a
statement of its own, which gives the whole up if it does not.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from arbplatform.persistence.folded import closed
from arbplatform.persistence.prepared import Session, session_of
from arbplatform.persistence.vendor import database_vendor
from ledger.services.rows import PARAMETERS_MAX, Row, insert_sql, to_sql

_UNMET = "requirement_unmet"
_NO_MORE = nullcontext()


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
        is_blind: whether it looks at nothing that other statements of its batch write.
    """

    sql: str
    values: Sequence[Any] = ()
    requirement: str = ""
    is_blind: bool = False


def insertion(
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Row],
    constants: tuple[tuple[str, str], ...] = (),
) -> Statement:
    """Return the statement that inserts some rows; few enough for one on either database.

    Args:
        model: whose table.
        columns: names of columns.
        rows: their values, in the order of ``columns``.
        constants: further columns, and the literal that all rows have there: what stands in the
            text is neither written nor read again for each row.
    """
    sql = insert_sql(model._meta.db_table, tuple(columns), len(rows), constants)
    return Statement(sql, to_sql(chain.from_iterable(rows)), is_blind=True)


def insertions(
    model: type[Model], columns: tuple[str, ...], rows: Sequence[Row]
) -> list[Statement]:
    """Return what inserts any number of rows.

    On PostgreSQL a value is a whole column, so that the text is the same for any number of rows
    and planned once.
    """
    if database_vendor() == "sqlite":
        size = PARAMETERS_MAX // len(columns)
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        return [insertion(model, columns, part) for part in parts]
    if not rows:
        return []
    sql = f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT * FROM "  # noqa: S608  names come from models
    values = [list(column) for column in zip(*rows, strict=True)]
    return [Statement(sql + _unnested(model, columns), values, is_blind=True)]


def updates(model: type[Model], columns: tuple[str, ...], rows: Sequence[Row]) -> list[Statement]:
    """Return what writes columns of rows that are there.

    Args:
        model: whose table.
        columns: what is written.
        rows: an id, and the values in the order of ``columns``.
    """
    table = model._meta.db_table
    if database_vendor() == "sqlite":
        sql = f"UPDATE {table} SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s"  # noqa: S608  names come from models
        return [Statement(sql, to_sql([*values, pk]), is_blind=True) for pk, *values in rows]
    if not rows:
        return []
    assigned = ", ".join([f"{name} = given.{name}" for name in columns])
    given = f"{_unnested(model, ('id', *columns))} AS given (id, {', '.join(columns)})"
    sql = f"UPDATE {table} SET {assigned} FROM {given} WHERE {table}.id = given.id"  # noqa: S608  names come from models
    values = [list(column) for column in zip(*rows, strict=True)]
    return [Statement(sql, values, is_blind=True)]


@lru_cache(maxsize=64)
def _unnested(model: type[Model], columns: tuple[str, ...]) -> str:
    """Return the table that columns of values make."""
    types = {str(field.column): field.db_type(connection) or "" for field in model._meta.fields}
    arrays = [f"%s::{types[name].partition('(')[0]}[]" for name in columns]
    return f"unnest({', '.join(arrays)})"


def batch_transaction() -> transaction.Atomic | nullcontext[None]:
    """Make what is run inside one transaction that is committed at the end.

    On PostgreSQL one call of ``run_batch`` is that already.
    """
    if database_vendor() == "postgresql" and not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        return _NO_MORE
    return transaction.atomic(durable=True)


def run_batch(statements: Sequence[Statement], *, is_last: bool = False) -> None:
    """Run statements one after the other, within a transaction or ``batch_transaction``.

    Args:
        statements: what to run.
        is_last: whether nothing of the transaction follows: a ``folded_atomic`` is committed.

    Raises:
        Unmet: a requirement did not hold; nothing was written.
        IntegrityError: the database refused a row; nothing was written.
    """
    if database_vendor() == "sqlite":
        _run_singly(statements)
        return
    if not statements:
        return
    database = connections[DEFAULT_DB_ALIAS]
    session = session_of(database)
    text = _text_of(session, database, statements)
    try:
        session.run(database, closed(text) if is_last else text)
    except IntegrityError as error:
        head, _, name = str(error).partition(":")
        if head != _UNMET:
            raise
        raise Unmet(name.strip().split()[0]) from error


def _text_of(
    session: Session, database: BaseDatabaseWrapper, statements: Sequence[Statement]
) -> str:
    """Return the text that runs statements with their values."""
    forms = tuple([(each.sql, each.requirement, each.is_blind) for each in statements])
    texts, order = _plan(forms)
    values = [value for number in order for value in statements[number].values]
    return session.text(database, texts, values)


@lru_cache(maxsize=256)
def _plan(forms: tuple[tuple[str, str, bool], ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the fewest texts that do what statements do, and the order of their values.

    Worked out once: what the journal runs differs by its values alone.

    Args:
        forms: by statement, its text, its requirement and whether it is blind.

    Returns:
        The texts, and the numbers of the statements as the texts name their values.
    """
    numbered = [
        Statement(sql, (number,), requirement, is_blind)
        for number, (sql, requirement, is_blind) in enumerate(forms)
    ]
    groups = _groups(numbered)
    # within a text, what is inserted stands before what is required
    named = [each for group in groups for each in sorted(group, key=lambda each: not each.is_blind)]
    return tuple(map(_joined, groups)), tuple([number for each in named for number in each.values])


def _groups(statements: Iterable[Statement]) -> list[list[Statement]]:
    """Return statements in groups that mean the same when they are one statement.

    Requirements that follow each other look at one state. Insertions that follow look at nothing,
    and what is required is looked at before they take effect. Anything else stands alone.
    """
    groups: list[list[Statement]] = []
    for statement in statements:
        last = groups[-1][-1] if groups else None
        is_joined = last is not None and (
            bool(last.requirement and (statement.requirement or statement.is_blind))
            or (last.is_blind and statement.is_blind)
        )
        if is_joined:
            groups[-1].append(statement)
        else:
            groups.append([statement])
    return groups


def _joined(group: Sequence[Statement]) -> str:
    """Return one statement that does what those of a group do one after the other."""
    if len(group) == 1 and not group[0].requirement:
        return group[0].sql
    required = [_required(statement) for statement in group if statement.requirement]
    inserted = [
        f"part_{number} AS ({statement.sql})"
        for number, statement in enumerate(group)
        if statement.is_blind
    ]
    head = f"WITH {', '.join(inserted)} " if inserted else ""
    return f"{head}SELECT {', '.join(required) or '1'}"


def _required(statement: Statement) -> str:
    """Return an expression that refuses what does not hold; to call the function costs more."""
    refusal = f"ledger_require(FALSE, '{statement.requirement}')"
    return f"CASE WHEN ({statement.sql}) THEN NULL ELSE {refusal} END"


def _run_singly(statements: Sequence[Statement]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            if not statement.requirement:
                cursor.execute(statement.sql, statement.values)
                continue
            cursor.execute(f"SELECT {statement.sql}", statement.values)
            if not cursor.fetchone()[0]:
                raise Unmet(statement.requirement)
