"""What SQLite needs on every connection to keep money exact."""

import sqlite3
from decimal import Decimal
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from arbplatform.core.decimals import use_exact_context


class _ExactSum:
    """SQLite aggregate: the exact sum of decimal texts."""

    def __init__(self) -> None:
        use_exact_context()
        self._total: Decimal | None = None

    def step(self, value: str | int | None) -> None:
        if value is not None:
            self._total = Decimal(value) + (self._total or 0)

    def finalize(self) -> str | None:
        return None if self._total is None else format(self._total, "f")


def _compare(left: str, right: str) -> int:
    difference = Decimal(left) - Decimal(right)
    return (difference > 0) - (difference < 0)


def _add(left: str, right: str) -> str:
    total = Decimal(left) + Decimal(right)
    return format(total.normalize() if total else Decimal(0), "f")


def _prepare(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor != "sqlite":
        return
    raw: sqlite3.Connection = connection.connection
    raw.create_collation("EXACTDEC", _compare)
    raw.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]  # text result
    raw.create_function("exact_add", 2, _add, deterministic=True)


def install() -> None:
    """Register collation and functions on every SQLite connection that is opened from now on."""
    connection_created.connect(_prepare, dispatch_uid="arbplatform.persistence.sqlite")
