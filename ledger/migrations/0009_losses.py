"""A ledger account for what was lost on the way."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0008_conditions'),
    ]

    operations = [
        migrations.AlterField(
            model_name='booktotal',
            name='book',
            field=models.CharField(choices=[('wallet', 'wallet'), ('in_transit', 'in transit'), ('trading', 'trading'), ('trading_fees', 'trading fees'), ('network_fees', 'network fees'), ('losses', 'losses'), ('capital', 'capital'), ('external', 'external')], max_length=16, verbose_name='ledger account'),
        ),
        migrations.AlterField(
            model_name='posting',
            name='book',
            field=models.CharField(choices=[('wallet', 'wallet'), ('in_transit', 'in transit'), ('trading', 'trading'), ('trading_fees', 'trading fees'), ('network_fees', 'network fees'), ('losses', 'losses'), ('capital', 'capital'), ('external', 'external')], max_length=16, verbose_name='ledger account'),
        ),
    ]
