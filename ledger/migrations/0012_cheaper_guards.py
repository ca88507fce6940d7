"""The same guarantees of the books on PostgreSQL with less work for each row.

Every posting adds to a running total of its account and asset, and every reservation to the total
of its purse, by triggers in the same transaction. Those totals have foreign keys of their own and
are never deleted. So a posting or a reservation of an account or an asset that is not there cannot
be written, and neither can be deleted under one: a second check for each row says nothing new.
"""

from importlib import import_module

from django.db import migrations

from ledger.migrations import __name__ as package

CHECKED_BY_TOTALS = {
    "ledger_posting": ("account_id", "asset_id"),
    "accounts_reservation": ("account_id", "asset_id"),
}
_FIND = """
    SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', held.relname, kept.conname)
    FROM pg_constraint AS kept
    JOIN pg_class AS held ON held.oid = kept.conrelid
    JOIN pg_attribute AS one ON one.attrelid = kept.conrelid AND one.attnum = kept.conkey[1]
    WHERE kept.contype = 'f' AND cardinality(kept.conkey) = 1
    AND held.oid = %s::regclass AND one.attname = ANY(%s)"""


def _forwards(_apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    guards = import_module(f"{package}.0002_guards")
    with connection.cursor() as cursor:
        for name, body in guards.POSTGRES_FUNCTIONS.items():
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
                None,
            )
        for table, columns in CHECKED_BY_TOTALS.items():
            cursor.execute(_FIND, [table, list(columns)])
            for (statement,) in cursor.fetchall():
                cursor.execute(statement, None)


class Migration(migrations.Migration):

    dependencies = [("ledger", "0011_hot_path")]

    # they stay away: an older version does without them as well
    operations = [migrations.RunPython(_forwards, migrations.RunPython.noop)]
