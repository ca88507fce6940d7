"""Room for why a run was stopped as a sentence; no row is rewritten, and old ones read as before."""

from django.db import migrations, models

from arbplatform.persistence.widening import widen


class Migration(migrations.Migration):

    dependencies = [
        ('strategies', '0019_wrong_as_sentence'),
    ]

    operations = [
        widen(
            "strategies", "run", "stop_reason", models.TextField(blank=True, verbose_name='stop reason')
        ),
    ]
