"""Whether funds may be sent away from an account."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_transfer_ends'),
    ]

    operations = [
        migrations.AddField(
            model_name='venueaccount',
            name='allows_transfers',
            field=models.BooleanField(default=False, help_text='Off: a key of a real venue that may withdraw is refused, and nothing is sent away.', verbose_name='transfers to other accounts'),
        ),
    ]
