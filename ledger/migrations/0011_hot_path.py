"""Fewer indexes on the way of every order and every fill.

On PostgreSQL Django gives every unique text a second index for ``LIKE``; nobody looks for the
beginning of a key, and each row of these tables pays for it.
"""

import django.db.models.deletion
from django.db import migrations, models

TABLES = (
    "accounts_reservedtotal",
    "ledger_booktotal",
    "ledger_entry",
    "ledger_order",
    "ledger_tradingday",
)


def _drop_like_indexes(_apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('DROP INDEX %%I.%%I', schemaname, indexname) FROM pg_indexes "
            "WHERE schemaname = current_schema() AND tablename = ANY(%s) "
            "AND indexdef LIKE %s",
            [list(TABLES), "%varchar_pattern_ops%"],
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_transfers_switch'),
        ('ledger', '0010_require'),
        ('markets', '0003_venue_state'),
        ('strategies', '0009_dust'),
    ]

    operations = [
        migrations.AlterField(
            model_name='order',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='accounts.venueaccount', verbose_name='account'),
        ),
        migrations.AlterField(
            model_name='order',
            name='next_lookup_at',
            field=models.DateTimeField(help_text='Empty: nothing is left to be learned about this order.', null=True, verbose_name='next look-up at'),
        ),
        migrations.AlterField(
            model_name='order',
            name='state',
            field=models.CharField(choices=[('pending', 'pending'), ('submitting', 'submitting'), ('open', 'open'), ('filled', 'filled'), ('canceled', 'cancelled'), ('rejected', 'rejected'), ('unknown', 'unknown')], default='pending', max_length=12, verbose_name='state'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('state__in', ['open', 'pending', 'submitting', 'unknown'])), fields=['strategy'], name='order_live'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('next_lookup_at__isnull', False)), fields=['next_lookup_at'], name='order_due'),
        ),
        # they stay away: an older version does without them as well
        migrations.RunPython(_drop_like_indexes, migrations.RunPython.noop),
    ]
