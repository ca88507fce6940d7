"""Ids that are known before their rows are written.

What follows from an id, such as a client order id, can then be computed without asking the database
in between, and rows that refer to each other can be written together.
"""

import os
import threading
from collections import deque
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model

from arbplatform.persistence.vendor import database_vendor

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
    table = model._meta.db_table
    if database_vendor() == "sqlite":
        return _follow_last(table, count)
    with _lock:
        ids = _stocked(table, count)
        return [ids.popleft() for _ in range(count)]


def stock_ids(model: type[Model], count: int) -> None:
    """Make sure that the next ids are at hand, so that whoever is in a hurry need not draw them.

    Args:
        model: whose rows.
        count: how many will be asked for.
    """
    if database_vendor() == "sqlite":
        return
    with _lock:
        _stocked(model._meta.db_table, count)


def skip_ids(model: type[Model], count: int) -> None:
    """Never give out the next ids of a table.

    Args:
        model: whose rows.
        count: how many, positive; processes that run may have drawn up to ``BLOCK`` of them each.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if database_vendor() == "sqlite":
            cursor.execute(
                "UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s", [count, table]
            )
            if not cursor.rowcount:
                cursor.execute("INSERT INTO sqlite_sequence VALUES (%s, %s)", [table, count])
            return
        cursor.execute(
            "SELECT setval(name, nextval(name) + %s) "
            "FROM (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name) AS sequence",
            [count, table],
        )


def _stocked(table: str, count: int) -> deque[int]:
    # a child of a fork must not go on with its parent's ids, nor a test with another database's
    key = (os.getpid(), str(connections.settings[DEFAULT_DB_ALIAS]["NAME"]), table)
    ids = _drawn.setdefault(key, deque())
    if len(ids) < count:
        ids.extend(_draw(table, max(BLOCK, count - len(ids))))
    return ids


def _draw(table: str, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def _follow_last(table: str, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
    last = row[0] if row else 0
    return list(range(last + 1, last + 1 + count))
