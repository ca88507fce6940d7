"""Room for reasons that are kept as typed; no row is rewritten, and old ones read as before."""

from django.db import migrations, models

from arbplatform.persistence.widening import widen


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_transfers_switch'),
    ]

    operations = [
        widen(
            "accounts", "addressentry", "reason", models.TextField(blank=True, verbose_name='reason')
        ),
        widen(
            "accounts", "rulechange", "reason", models.TextField(blank=True, verbose_name='reason')
        ),
    ]
