"""How much there is of each kind of rows."""

from datetime import timedelta
from typing import Final

from django.db import DatabaseError, connection, transaction
from django.db.models import Min

from arbplatform.core.clock import Clock
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.retention.kinds import Kind
from arbplatform.retention.models import Retention

EVERY: Final = timedelta(hours=1)
"""Counting reads a whole table: not with every run."""

_SIZES: Final = {
    "sqlite": """SELECT SUM(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN
        (SELECT name FROM sqlite_master WHERE tbl_name = %s)""",
    "postgresql": "SELECT pg_total_relation_size(to_regclass(%s))",
    "mysql": """SELECT data_length + index_length FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = %s""",
}
"""Bytes of a table and its indexes."""


def measure(kind: Kind, *, is_forced: bool = False, clock: Clock = DATABASE_CLOCK) -> None:
    """Write down how many rows there are, the oldest one's moment and what they take.

    Kinds that share a table each count their own rows, and each state what all of it takes.

    Args:
        kind: whose table is measured.
        is_forced: measure even if that was done lately.
        clock: tells the time.
    """
    now = clock.now()
    row = Retention.objects.get(kind=kind.name)
    if row.measured_at is not None and now - row.measured_at < EVERY and not is_forced:
        return
    rows = kind.list_all()
    Retention.objects.filter(pk=row.pk).update(
        row_count=rows.count(),
        oldest_at=rows.aggregate(oldest=Min(kind.moment))["oldest"],
        size_bytes=_measure_bytes(kind.model._meta.db_table),
        measured_at=now,
    )


def _measure_bytes(table: str) -> int | None:
    """Return what a table and its indexes take [bytes]; None if this database does not tell."""
    query = _SIZES.get(connection.vendor)
    if query is None:
        return None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(query, [table])
            found = cursor.fetchone()
    except DatabaseError:
        # an SQLite that was built without dbstat
        return None
    return int(found[0]) if found and found[0] is not None else None
