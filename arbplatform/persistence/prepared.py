"""Texts that a connection to PostgreSQL has parsed and planned once.

Planning costs the server more than running does, for statements as small as those of the journal.
Prepared texts belong to a session: no pooler in transaction mode may stand between.
"""

import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper

from arbplatform.persistence.literals import to_literals

PREPARED_MAX = 64
"""Texts that one connection remembers; further ones are planned each time."""


class Session:
    """What one connection has prepared.

    Args:
        cursor: of the connection.

    Raises:
        RuntimeError: the server reads strings in another way than ``to_literals`` writes them.
    """

    def __init__(self, cursor: CursorWrapper) -> None:
        self._names: dict[object, str] = {}
        # a plan of its own for each new set of values costs more than it ever wins here
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        status = cursor.connection.info.parameter_status("standard_conforming_strings")
        if status != "on":
            raise RuntimeError("PostgreSQL must run with standard_conforming_strings = on.")

    def text(
        self,
        cursor: CursorWrapper,
        key: object,
        make_sql: Callable[[], str],
        values: Sequence[object],
    ) -> str:
        """Return the text that runs a statement with its values.

        Args:
            cursor: of the connection.
            key: what the statement is known by.
            make_sql: returns it, with ``%s`` for each value and without any other percent sign.
            values: in the order of the statement.
        """
        literals = to_literals(values)
        name = self._names.get(key)
        if name is None:
            if len(self._names) >= PREPARED_MAX:
                return make_sql() % tuple(literals)
            name = self._names[key] = self._prepare(cursor, make_sql())
        return f"EXECUTE {name}({', '.join(literals)})" if literals else f"EXECUTE {name}"

    def _prepare(self, cursor: CursorWrapper, sql: str) -> str:
        name = f"prepared_{len(self._names)}"
        numbers = count(1)
        numbered = re.sub("%s", lambda _mark: f"${next(numbers)}", sql)
        cursor.execute(f"PREPARE {name} AS {numbered}")
        return name


_SESSIONS: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_of(cursor: CursorWrapper) -> Session:
    """Return what is prepared on the connection as it is now: a new one knows nothing."""
    raw = connections[DEFAULT_DB_ALIAS].connection
    session = _SESSIONS.get(raw)
    if session is None:
        session = _SESSIONS[raw] = Session(cursor)
    return session
