"""For how long venues have shown nothing of a transfer; those that are looked for begin at none."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_reasons_as_typed'),
    ]

    operations = [
        migrations.AddField(
            model_name='transfer',
            name='silence_ms',
            field=models.PositiveBigIntegerField(default=0, editable=False, help_text='So long the venues answered and did not list it, by clocks that do not jump.', verbose_name='not found for [ms]'),
        ),
    ]
