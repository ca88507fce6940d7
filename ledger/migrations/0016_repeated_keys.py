"""What a row repeats of another one is held by one foreign key, on PostgreSQL.

An opportunity repeats the strategy of its run, an execution what its opportunity says of strategy,
run and profit asset, an order the strategy of its execution. Each of these columns had a key of
its own, so that a decision of two legs looked up fifteen rows, and nothing said that the columns
agree. A key of all of them says both, and nine look-ups do. What they refer to is unique by its id
anyway; to be so together with the rest takes an index, in the place of the strategy's own.

SQLite looks keys up within the process and keeps them as they are.
"""

from django.db import migrations

UNIQUE = {
    "strategies_run": ("strategy_id", "id"),
    "strategies_opportunity": ("strategy_id", "run_id", "id", "profit_asset_id"),
    "strategies_execution": ("strategy_id", "id"),
}
KEYS = (
    (
        "strategies_opportunity",
        ("strategy_id", "run_id"),
        "strategies_run (strategy_id, id)",
    ),
    (
        "strategies_execution",
        ("strategy_id", "run_id", "opportunity_id", "profit_asset_id"),
        "strategies_opportunity (strategy_id, run_id, id, profit_asset_id)",
    ),
    # FULL: an order has both or neither
    (
        "ledger_order",
        ("strategy_id", "execution_id"),
        "strategies_execution (strategy_id, id) MATCH FULL",
    ),
)
_FIND_KEYS = """
    SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', held.relname, kept.conname)
    FROM pg_constraint AS kept
    JOIN pg_class AS held ON held.oid = kept.conrelid
    JOIN pg_attribute AS one ON one.attrelid = kept.conrelid AND one.attnum = kept.conkey[1]
    WHERE kept.contype = 'f' AND cardinality(kept.conkey) = 1
    AND held.oid = %s::regclass AND one.attname = ANY(%s)"""
_FIND_INDEXES = """
    SELECT format('DROP INDEX %%I.%%I', schemaname, indexname) FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename = %s
    AND indexdef LIKE 'CREATE INDEX %%(strategy_id)'"""


def _run_found(cursor, query, values):
    cursor.execute(query, values)
    for (statement,) in cursor.fetchall():
        cursor.execute(statement, None)


def _replace(cursor, table, name, definition):
    cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name} CASCADE", None)
    cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}", None)


def _forwards(_apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for table, columns in UNIQUE.items():
            _replace(cursor, table, f"{table}_repeated", f"UNIQUE ({', '.join(columns)})")
            _run_found(cursor, _FIND_INDEXES, [table])
        for table, columns, parent in KEYS:
            _replace(
                cursor,
                table,
                f"{table}_repeats",
                f"FOREIGN KEY ({', '.join(columns)}) REFERENCES {parent} "
                "DEFERRABLE INITIALLY DEFERRED",
            )
            _run_found(cursor, _FIND_KEYS, [table, list(columns)])


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0015_rounds"),
        ("strategies", "0013_results"),
    ]

    # they stay: an older version writes nothing that they refuse
    operations = [migrations.RunPython(_forwards, migrations.RunPython.noop)]
