"""Texts that a connection to PostgreSQL has parsed and planned once.

Planning costs the server more than running does, for statements as small as those of the journal.
Prepared texts belong to a session: no pooler in transaction mode may stand between.
"""

import re
from collections.abc import Iterable
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db.backends.utils import CursorWrapper

from arbplatform.persistence.literals import to_literals

PREPARED_MAX = 64
"""Texts, and sequences of texts, that one connection remembers; further ones take longer."""

_PACK_FAST = """
    SELECT set_config(name, 'lz4', FALSE) FROM pg_settings
    WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"""
"""Evidence is packed in half the time, by servers that were built with it: nearly all are."""


class Session:
    """What one connection has prepared.

    Args:
        cursor: of the connection.

    Raises:
        RuntimeError: the server reads strings in another way than ``to_literals`` writes them.
    """

    def __init__(self, cursor: CursorWrapper) -> None:
        self._names: dict[str, str] = {}
        self._frames: dict[tuple[str, ...], str] = {}
        # a plan of its own for each new set of values costs more than it ever wins here
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        cursor.execute(_PACK_FAST)
        status = cursor.connection.info.parameter_status("standard_conforming_strings")
        if status != "on":
            raise RuntimeError("PostgreSQL must run with standard_conforming_strings = on.")

    def text(
        self, cursor: CursorWrapper, statements: tuple[str, ...], values: Iterable[object]
    ) -> str:
        """Return the text that runs statements one after the other.

        Args:
            cursor: of the connection.
            statements: with ``%s`` for each value and without any other percent sign.
            values: of all statements, in the order in which they name them.
        """
        frame = self._frames.get(statements)
        if frame is None:
            frame = "; ".join([self._called(cursor, statement) for statement in statements])
            if len(self._frames) < PREPARED_MAX:
                self._frames[statements] = frame
        return frame % tuple(to_literals(values))

    def _called(self, cursor: CursorWrapper, statement: str) -> str:
        """Return what runs a statement; with ``%s`` for each value, as it has itself."""
        name = self._names.get(statement)
        if name is None:
            if len(self._names) >= PREPARED_MAX:
                return statement
            name = self._names[statement] = self._prepare(cursor, statement)
        marks = ", ".join(["%s"] * statement.count("%s"))
        return f"EXECUTE {name}({marks})" if marks else f"EXECUTE {name}"

    def _prepare(self, cursor: CursorWrapper, sql: str) -> str:
        name = f"prepared_{len(self._names)}"
        numbers = count(1)
        numbered = re.sub("%s", lambda _mark: f"${next(numbers)}", sql)
        cursor.execute(f"PREPARE {name} AS {numbered}")
        return name


_SESSIONS: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_of(cursor: CursorWrapper) -> Session:
    """Return what is prepared on the connection as it is now: a new one knows nothing."""
    raw = cursor.db.connection
    session = _SESSIONS.get(raw)
    if session is None:
        session = _SESSIONS[raw] = Session(cursor)
    return session
