"""Gives short columns room for sentences, without building their tables anew."""

from typing import Any

from django.apps.registry import Apps
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AlterField, RunPython, SeparateDatabaseAndState


def widen(
    app_label: str, model: str, name: str, field: "models.Field[Any, Any]"
) -> SeparateDatabaseAndState:
    """Return the operation that makes a ``CharField`` a ``TextField``; no row is rewritten.

    PostgreSQL changes the type in its catalogue only. SQLite knows no lengths: Django would copy
    the whole table there, and lose the triggers that guard it.

    Args:
        app_label: of the model.
        model: its name.
        name: of the field; its column is called the same.
        field: what it becomes.
    """

    def forwards(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if schema_editor.connection.vendor == "postgresql":
            table = schema_editor.quote_name(apps.get_model(app_label, model)._meta.db_table)
            column = schema_editor.quote_name(name)
            schema_editor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE text")

    return SeparateDatabaseAndState(
        # backwards it stays wide: what was kept meanwhile may not fit
        database_operations=[RunPython(forwards, RunPython.noop)],
        state_operations=[AlterField(model, name, field)],
    )
