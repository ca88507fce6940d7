"""Room for memos and notes as sentences; no row is rewritten, and old ones read as before."""

from django.db import migrations, models

from arbplatform.persistence.widening import widen


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0023_what_reconciliation_keeps'),
    ]

    operations = [
        widen(
            "ledger", "entry", "memo", models.TextField(blank=True, verbose_name='memo')
        ),
        widen(
            "ledger", "discrepancy", "note", models.TextField(blank=True, verbose_name='note')
        ),
    ]
