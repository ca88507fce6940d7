"""Empties the database after a test whose transactions were real ones.

Django's own way empties every table and then makes the rows of all permissions and content types
anew; with the guards of the books taken away before and put back after it, that took longer than
most of the tests. This one deletes from the tables that hold something, and lets those two be.
"""

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

LASTING = {ContentType._meta.db_table, Permission._meta.db_table}


def empty_the_database() -> None:
    """Delete every row, facts of the books too; all triggers are as before when it returns."""
    with connection.cursor() as cursor:
        tables = _tables_with_rows(cursor)
    if not tables:
        return
    delete = _delete_on_sqlite if connection.vendor == "sqlite" else _delete_on_postgresql
    with (
        connection.constraint_checks_disabled(),  # SQLite must be told outside of a transaction
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        delete(cursor, tables)


def _tables_with_rows(cursor: CursorWrapper) -> list[str]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    questions = [
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})"  # noqa: S608
        for name in sorted(set(names) - LASTING)
    ]
    cursor.execute(" UNION ALL ".join(questions))
    return [name for (name,) in cursor.fetchall()]


def _delete(cursor: CursorWrapper, tables: list[str]) -> None:
    for name in tables:
        cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608


def _delete_on_postgresql(cursor: CursorWrapper, tables: list[str]) -> None:
    # neither triggers nor foreign keys, for this session and until the commit
    cursor.execute("SET LOCAL session_replication_role = replica")
    _delete(cursor, tables)


def _delete_on_sqlite(cursor: CursorWrapper, tables: list[str]) -> None:
    marks = ", ".join(["%s"] * len(tables))
    cursor.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({marks})",  # noqa: S608
        tables,
    )
    triggers = cursor.fetchall()
    for name, _sql in triggers:
        cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")
    _delete(cursor, tables)
    for _name, sql in triggers:
        cursor.execute(sql)
