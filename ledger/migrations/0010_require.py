"""A function by which a statement gives its transaction up when something does not hold."""

from django.db import migrations

CREATE = """
    CREATE OR REPLACE FUNCTION ledger_require(holds boolean, name text) RETURNS void
    LANGUAGE plpgsql AS $$
        BEGIN
            IF holds IS NOT TRUE THEN
                RAISE EXCEPTION 'requirement_unmet:%', name
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END $$"""
DROP = "DROP FUNCTION ledger_require(boolean, text)"


def _run(sql):
    def run(_apps, schema_editor):
        # SQLite has no functions of its own; there the process looks at the answer itself
        if schema_editor.connection.vendor == "postgresql":
            with schema_editor.connection.cursor() as cursor:
                cursor.execute(sql, None)

    return run


class Migration(migrations.Migration):

    dependencies = [("ledger", "0009_losses")]

    operations = [migrations.RunPython(_run(CREATE), _run(DROP))]
