"""Reserve row by row on PostgreSQL: less work for the two rows of a decision.

A trigger of the whole statement had its rows collected, grouped and sorted first. They come in
order now, and each is an update by the key of its total.
"""

from importlib import import_module

from django.db import migrations

from ledger.migrations import __name__ as package

TRIGGER = "accounts_reservation_made"


def _forwards(_apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    guards = import_module(f"{package}.0005_reservations")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {TRIGGER} ON accounts_reservation", None)
        for name, body in guards.POSTGRES_FUNCTIONS.items():
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
                None,
            )
        cursor.execute(f"CREATE TRIGGER {TRIGGER} {guards.POSTGRES_TRIGGERS[TRIGGER]}", None)


class Migration(migrations.Migration):

    dependencies = [("ledger", "0019_activity")]

    # it stays: an older version writes its rows as well
    operations = [migrations.RunPython(_forwards, migrations.RunPython.noop)]
