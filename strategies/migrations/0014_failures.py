"""Errors of strategies become sentences that each reader gets in their own language.

What was kept as English text is kept as a sentence without placeholders: it is shown as it was.
"""

from django.db import migrations, models

ROWS_AT_ONCE = 500


def keep_old_texts(apps, schema_editor):
    """Carry over what was kept as text."""
    rows = apps.get_model("strategies", "Strategy").objects.using(schema_editor.connection.alias)
    for row in rows.exclude(last_error_text="").only("last_error_text").iterator(ROWS_AT_ONCE):
        sentence = {"template": row.last_error_text, "context": {}}
        rows.filter(pk=row.pk).update(last_error=sentence)


def restore_old_texts(apps, schema_editor):
    """Go back to text: what has placeholders loses their values."""
    rows = apps.get_model("strategies", "Strategy").objects.using(schema_editor.connection.alias)
    for row in rows.exclude(last_error={}).only("last_error").iterator(ROWS_AT_ONCE):
        rows.filter(pk=row.pk).update(last_error_text=row.last_error["template"])


class Migration(migrations.Migration):

    dependencies = [
        ('strategies', '0013_results'),
    ]

    operations = [
        migrations.RenameField('strategy', 'last_error', 'last_error_text'),
        migrations.AddField(
            model_name='strategy',
            name='last_error',
            field=models.JSONField(default=dict, editable=False, verbose_name='last error'),
        ),
        migrations.AddField(
            model_name='strategy',
            name='last_error_code',
            field=models.PositiveIntegerField(editable=False, null=True, verbose_name='error code'),
        ),
        migrations.RunPython(keep_old_texts, restore_old_texts),
        migrations.RemoveField('strategy', 'last_error_text'),
        migrations.AddField(
            model_name='run',
            name='fault',
            field=models.JSONField(default=dict, editable=False, verbose_name='fault'),
        ),
    ]
