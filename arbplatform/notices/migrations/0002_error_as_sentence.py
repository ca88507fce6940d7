"""Errors of channels as sentences: what was kept as text is written again by the next attempt."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notices", "0001_initial")]

    operations = [
        migrations.RemoveField("noticechannel", "error"),
        migrations.AddField(
            "noticechannel",
            "error",
            models.JSONField(default=dict, editable=False, verbose_name="error"),
        ),
    ]
