"""Several statements at once and, on PostgreSQL, in one round trip.

What is sent to PostgreSQL as one text is one transaction there, unless it is part of a larger one:
it takes effect as a whole or not at all, and the answer comes after the commit. So the caller waits
for the database once, whatever the number of rows. Between the statements nothing can be looked at;
what must hold is therefore a statement of its own, which gives the whole up if it does not.

Where writing the text takes about as long as running it, ``run_parts`` does both at the same time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import chain
from typing import Any

from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    InternalError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from arbplatform.persistence.folded import closed, give_up
from arbplatform.persistence.meanwhile import without_database
from arbplatform.persistence.prepared import Session, session_of
from arbplatform.persistence.vendor import database_vendor
from ledger.services.rows import PARAMETERS_MAX, Row, insert_sql, to_sql

_UNMET = "requirement_unmet"

_Forms = tuple[tuple[str, str, bool], ...]
"""Of each statement its text, its requirement and whether it is blind."""


class Unmet(Exception):
    """Something that had to hold did not; nothing was written.

    Attributes:
        name: of the requirement.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class FailedBeside(Exception):
    """What was done beside a transaction went wrong, which is committed all the same.

    Never the error itself, which is the cause of this one: whoever writes again what was given up,
    or was refused, would take it for that and write everything a second time.
    """


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


Part = Callable[[], Sequence[Statement]]
"""Drafts some of the statements of a transaction."""


def run_parts(parts: Sequence[Part], meanwhile: Callable[[], None]) -> None:
    """Run the parts of a transaction one after the other, all or none; committed on return.

    On PostgreSQL each part is drafted while the server runs the one before, so that two processors
    work on one decision. Only the first may therefore ask the database for something.

    Args:
        parts: at least one; each drafts what is run next.
        meanwhile: is done while the server runs the last part, and on SQLite before. The database
            is refused to it.

    Raises:
        FailedBeside: ``meanwhile`` has raised something; everything was written.
        Unmet: a requirement did not hold; nothing was written.
        IntegrityError: the database refused a row; nothing was written.
        ProgrammingError: a part after the first has asked the database; nothing was written.
    """
    database = connections[DEFAULT_DB_ALIAS]
    first, *others = parts
    aside = _Aside(database, meanwhile)
    if database_vendor() == "sqlite" or database.in_atomic_block:
        with transaction.atomic(durable=True):
            statements = first()
            for part in others:
                run_batch(statements)
                statements = part()
            aside.do()
            run_batch(statements)
        aside.tell_failure()
        return
    session = session_of(database)
    give_up(database)  # nothing is open here; if anything were, it would be committed below
    text = f"BEGIN; {_text_of(session, database, first())}"
    try:
        with _unmet_told():
            for part in others:
                upcoming = _Upcoming(session, database, part)
                drafting = _Aside(database, upcoming.draft)
                _run_beside(session, database, text, drafting)
                drafting.raise_error()
                text = upcoming.text()
            cursor = _run_beside(session, database, f"{text}; COMMIT", aside)
    except BaseException:  # whatever it was: nothing may stay open, half of it least of all
        give_up(database)
        raise
    if cursor.statusmessage != "COMMIT":  # so it is where an error was ignored
        raise InternalError("the transaction was not committed")
    aside.tell_failure()


def _run_beside(
    session: Session, database: BaseDatabaseWrapper, text: str, aside: "_Aside"
) -> CursorWrapper:
    """Run a text and do something meanwhile; what is to end the process is raised in any case."""
    try:
        return session.run(database, text, aside.do)
    finally:
        aside.raise_interruption()


@dataclass(slots=True)
class _Aside:
    """Something that is done while the connection is busy, and cannot break it."""

    database: BaseDatabaseWrapper
    call: Callable[[], None]
    error: BaseException | None = None

    def do(self) -> None:
        """Do it, without the database."""
        try:
            without_database(self.database, self.call)
        except BaseException as error:  # noqa: BLE001  raised later: the driver must go on
            self.error = error

    def raise_interruption(self) -> None:
        """Raise what is meant to end more than this, whatever became of the text."""
        if self.error is not None and not isinstance(self.error, Exception):
            raise self.error

    def raise_error(self) -> None:
        """Raise what went wrong with it, if anything did: nothing is committed."""
        if self.error is not None:
            raise self.error

    def tell_failure(self) -> None:
        """Say that something went wrong with it, if anything did: all is committed."""
        self.raise_interruption()
        if self.error is not None:
            raise FailedBeside from self.error


@dataclass(slots=True)
class _Upcoming:
    """A part of a transaction that is drafted while the one before is run."""

    session: Session
    database: BaseDatabaseWrapper
    part: Part
    statements: Sequence[Statement] = ()
    ready: str = ""

    def draft(self) -> None:
        """Draft the part, and write its text if that is known."""
        self.statements = self.part()
        if self.session.knows(_plan(_forms(self.statements))[0]):
            self.ready = _text_of(self.session, self.database, self.statements)

    def text(self) -> str:
        """Return the text of the part."""
        return self.ready or _text_of(self.session, self.database, self.statements)


def run_batch(statements: Sequence[Statement], *, is_last: bool = False) -> None:
    """Run statements one after the other: a transaction of their own, or part of the caller's.

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
    with _unmet_told():
        session.run(database, closed(text) if is_last else text)


@contextmanager
def _unmet_told() -> Iterator[None]:
    """Raise ``Unmet`` where the database says that something required does not hold."""
    try:
        yield
    except IntegrityError as error:
        head, _, name = str(error).partition(":")
        if head != _UNMET:
            raise
        raise Unmet(name.strip().split()[0]) from error


def _text_of(
    session: Session, database: BaseDatabaseWrapper, statements: Sequence[Statement]
) -> str:
    """Return the text that runs statements with their values."""
    texts, order = _plan(_forms(statements))
    values = [value for number in order for value in statements[number].values]
    return session.text(database, texts, values)


def _forms(statements: Iterable[Statement]) -> _Forms:
    return tuple([(each.sql, each.requirement, each.is_blind) for each in statements])


@lru_cache(maxsize=256)
def _plan(forms: _Forms) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the fewest texts that do what statements do, and the order of their values.

    Worked out once: what the journal runs differs by its values alone.

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
    inserted = [
        f"part_{number} AS ({statement.sql})"
        for number, statement in enumerate(group)
        if statement.is_blind
    ]
    head = f"WITH {', '.join(inserted)} " if inserted else ""
    # not among what is selected: that is copied and described for each answer
    condition = reduce(_required, [each for each in reversed(group) if each.requirement], "TRUE")
    return f"{head}SELECT 1 WHERE {condition}"


def _required(others: str, statement: Statement) -> str:
    """Return a condition that refuses what does not hold, and then looks at others.

    The function is called only to refuse: to call it costs more than to look.
    """
    refusal = f"ledger_require(FALSE, '{statement.requirement}') IS NULL"
    return f"CASE WHEN ({statement.sql}) THEN {others} ELSE {refusal} END"


def _run_singly(statements: Sequence[Statement]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            if not statement.requirement:
                cursor.execute(statement.sql, statement.values)
                continue
            cursor.execute(f"SELECT {statement.sql}", statement.values)
            if not cursor.fetchone()[0]:
                raise Unmet(statement.requirement)
