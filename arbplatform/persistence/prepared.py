"""Texts that a connection to PostgreSQL has parsed and planned once.

Planning costs the server more than running does, for statements as small as those of the journal.
Prepared texts belong to a session: no pooler in transaction mode may stand between.
"""

import re
from collections.abc import Callable, Iterable
from itertools import count

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from arbplatform.persistence.literals import to_literals
from arbplatform.persistence.meanwhile import done_meanwhile

PREPARED_MAX = 64
"""Texts, and sequences of texts, that one connection remembers; further ones take longer."""

_PACK_FAST = """
    SELECT set_config(name, 'lz4', FALSE) FROM pg_settings
    WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"""
"""Evidence is packed in half the time, by servers that were built with it: nearly all are."""


class Session:
    """What one connection has prepared.

    Args:
        database: Django's name for it; connected.

    Attributes:
        connection: the driver's own.

    Raises:
        RuntimeError: the server reads strings in another way than ``to_literals`` writes them.
    """

    def __init__(self, database: BaseDatabaseWrapper) -> None:
        self.connection = database.connection
        self._names: dict[str, str] = {}
        self._frames: dict[tuple[str, ...], str] = {}
        # kept: to make one for each text takes a third as long as to write the text
        self._cursor = self.connection.cursor()
        # a plan of its own for each new set of values costs more than it ever wins here
        self.run(database, "SET plan_cache_mode = force_generic_plan")
        self.run(database, _PACK_FAST)
        status = self.connection.info.parameter_status("standard_conforming_strings")
        if status != "on":
            raise RuntimeError("PostgreSQL must run with standard_conforming_strings = on.")

    def run(
        self,
        database: BaseDatabaseWrapper,
        text: str,
        meanwhile: Callable[[], None] | None = None,
    ) -> CursorWrapper:
        """Run a text and return what holds its rows, until the next text is run.

        Args:
            database: whose connection this is.
            text: of SQL, complete.
            meanwhile: what is done while the server works; see ``done_meanwhile``.
        """
        wrap = database.make_debug_cursor if database.queries_logged else database.make_cursor
        cursor = wrap(self._cursor)
        if meanwhile is None:
            cursor.execute(text)
        else:
            with done_meanwhile(self.connection, meanwhile):
                cursor.execute(text)
        return cursor

    def knows(self, statements: tuple[str, ...]) -> bool:
        """Return whether ``text`` has nothing to ask the server for these statements."""
        return statements in self._frames

    def text(
        self, database: BaseDatabaseWrapper, statements: tuple[str, ...], values: Iterable[object]
    ) -> str:
        """Return the text that runs statements one after the other.

        Args:
            database: whose connection this is.
            statements: with ``%s`` for each value and without any other percent sign.
            values: of all statements, in the order in which they name them.
        """
        frame = self._frames.get(statements)
        if frame is None:
            frame = "; ".join([self._called(database, statement) for statement in statements])
            if len(self._frames) < PREPARED_MAX:
                self._frames[statements] = frame
        return frame % tuple(to_literals(values))

    def _called(self, database: BaseDatabaseWrapper, statement: str) -> str:
        """Return what runs a statement; with ``%s`` for each value, as it has itself."""
        name = self._names.get(statement)
        if name is None:
            if len(self._names) >= PREPARED_MAX:
                return statement
            name = self._names[statement] = self._prepare(database, statement)
        marks = ", ".join(["%s"] * statement.count("%s"))
        return f"EXECUTE {name}({marks})" if marks else f"EXECUTE {name}"

    def _prepare(self, database: BaseDatabaseWrapper, sql: str) -> str:
        name = f"prepared_{len(self._names)}"
        numbers = count(1)
        numbered = re.sub("%s", lambda _mark: f"${next(numbers)}", sql)
        self.run(database, f"PREPARE {name} AS {numbered}")
        return name


_ATTRIBUTE = "arb_session"


def session_of(database: BaseDatabaseWrapper) -> Session:
    """Return what is prepared on a connection as it is now, connected: a new one knows nothing."""
    database.close_if_health_check_failed()
    database.ensure_connection()
    session: Session | None = vars(database).get(_ATTRIBUTE)
    if session is None or session.connection is not database.connection:
        session = Session(database)
        setattr(database, _ATTRIBUTE, session)
    return session
