"""Room for the platform's own reasons as sentences, which are longer than their text.

No row is rewritten: what was kept as a finished text is shown as it was. SQLite builds both tables
anew, and with that the guards of the history.
"""

from importlib import import_module

from django.db import migrations, models

history = import_module("ledger.migrations.0003_trading_halts")


def _take_down(_apps, schema_editor):
    history.drop_guards(schema_editor.connection)


def _put_up(_apps, schema_editor):
    history.create_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0020_reserving_by_row'),
    ]

    operations = [
        migrations.RunPython(_take_down, _put_up),
        migrations.AlterField(
            model_name='tradingchange',
            name='reason',
            field=models.TextField(verbose_name='reason'),
        ),
        migrations.AlterField(
            model_name='tradinghalt',
            name='reason',
            field=models.TextField(verbose_name='reason'),
        ),
        migrations.RunPython(_put_up, _take_down),
    ]
