"""Insert and update rows by plain SQL, where the ORM would take longer than the database.

Building a statement and a model instance per row costs the ORM several times what the database
needs to book an order: ``benchmarks/ledger_writes.py`` has the figures. Only the booking of
executions, which is on the way of every trade, is written like this.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model
from django.db.models.base import ModelState

from arbplatform.persistence.vendor import database_vendor

PARAMETERS_MAX = 900
"""Values in one statement on SQLite, whose own limit is 999."""

Row = Sequence[object]

_Row = TypeVar("_Row", bound=Model)


def update_row(model: type[Model], pk: int, values: Mapping[str, object]) -> None:
    """Write some columns of one row.

    Args:
        model: whose table.
        pk: which row.
        values: by column.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(_update_sql(table, tuple(values)), [*to_sql(values.values()), pk])


def mark_inserted(instance: Model, pk: int) -> None:
    """Make an instance what the ORM would have made of it: a row that is there."""
    instance.pk = pk
    instance._state.adding = False  # noqa: SLF001  Django's documented state
    instance._state.db = connection.alias  # noqa: SLF001


def as_if_read(
    model: type[_Row], values: Mapping[str, object], related: Mapping[str, Model]
) -> _Row:
    """Return a row that is about to be written as ``Model.from_db`` makes one that was read.

    It sets one attribute after the other and looks each time for what it would have to forget,
    which takes several times as long. The signals of a new instance are not sent.

    Args:
        model: whose row.
        values: of all its fields, by ``attname`` and in their order.
        related: what its foreign keys refer to, by name of the field.
    """
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    state.fields_cache = dict(related)
    instance = model.__new__(model)
    instance.__dict__ = {"_state": state, **values}
    return instance


def to_sql(values: Iterable[object]) -> list[Any]:
    """Return values as the database driver takes them; both take choices, which are text."""
    if database_vendor() != "sqlite":
        return list(values)
    adapters = _sqlite_adapters()
    return [
        value if (adapt := adapters.get(type(value))) is None else adapt(value) for value in values
    ]


@lru_cache(maxsize=1)
def _sqlite_adapters() -> dict[type, Callable[[Any], object]]:
    """Return how SQLite keeps what it has no type for: amounts as digits, times as text."""
    return {
        Decimal: lambda number: format(number, "f"),
        datetime: connection.ops.adapt_datetimefield_value,
    }


@lru_cache(maxsize=256)
def insert_sql(
    table: str,
    columns: tuple[str, ...],
    count: int,
    constants: tuple[tuple[str, str], ...] = (),
) -> str:
    """Return the text that inserts so many rows.

    Args:
        table: where.
        columns: for each of which a value is given.
        count: how many rows.
        constants: further columns, and the literal that all rows have there.
    """
    marks = f"({', '.join([*['%s'] * len(columns), *[literal for _name, literal in constants]])})"
    names = ", ".join([*columns, *[name for name, _literal in constants]])
    return (
        f"INSERT INTO {table} ({names}) "  # noqa: S608  names come from models
        f"VALUES {', '.join([marks] * count)}"
    )


@lru_cache(maxsize=64)
def _update_sql(table: str, columns: tuple[str, ...]) -> str:
    assignments = ", ".join(f"{column} = %s" for column in columns)
    return f"UPDATE {table} SET {assignments} WHERE id = %s"  # noqa: S608
