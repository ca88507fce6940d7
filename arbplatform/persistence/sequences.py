"""Ids that are known before their rows are written.

What follows from an id, such as a client order id, can then be computed without asking the database
in between, and rows that refer to each other can be written together.
"""

import os
import threading
from collections import deque
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

BLOCK: Final = 64
"""Ids that are drawn from a sequence at once; those that a process leaves over are never used."""

COUNT_MAX: Final = 100_000

_Key = tuple[int, str, str]

_lock = threading.Lock()
_drawn: dict[_Key, deque[int]] = {}


def next_ids(model: type[Model], count: int) -> list[int]:
    """Return ids for rows that the caller is about to write, each given out once.

    On PostgreSQL they come from the table's sequence, a block at a time. SQLite has none: there the
    caller must be in the transaction that writes the rows, which nobody else can be in, and must
    write them before it asks again.

    Args:
        model: whose rows.
        count: how many, at most ``COUNT_MAX``.
    """
    if not 0 < count <= COUNT_MAX:
        raise ValueError(f"{count} ids at once; 1 to {COUNT_MAX} can be drawn")
    table, database = model._meta.db_table, connections[DEFAULT_DB_ALIAS]
    if database.vendor == "sqlite":
        return _follow_last(database, table, count)
    with _lock:
        ids = _stocked(database, table, count)
        return [ids.popleft() for _ in range(count)]


def stock_ids(model: type[Model], count: int) -> None:
    """Make sure that the next ids are at hand, so that whoever is in a hurry need not draw them.

    Args:
        model: whose rows.
        count: how many will be asked for.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "sqlite":
        return
    with _lock:
        _stocked(database, model._meta.db_table, count)


def _stocked(database: BaseDatabaseWrapper, table: str, count: int) -> deque[int]:
    # a child of a fork must not go on with its parent's ids, nor a test with another database's
    key = (os.getpid(), str(database.settings_dict["NAME"]), table)
    ids = _drawn.setdefault(key, deque())
    if len(ids) < count:
        ids.extend(_draw(database, table, max(BLOCK, count - len(ids))))
    return ids


def _draw(database: BaseDatabaseWrapper, table: str, count: int) -> list[int]:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def _follow_last(database: BaseDatabaseWrapper, table: str, count: int) -> list[int]:
    with database.cursor() as cursor:
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
    last = row[0] if row else 0
    return list(range(last + 1, last + 1 + count))
