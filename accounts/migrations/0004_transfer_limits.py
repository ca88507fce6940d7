"""Limits of transfers, the second person, and test amounts."""

import arbplatform.persistence.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_transfer_rules'),
        ('markets', '0002_venue_clock'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TransferLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('key', models.CharField(editable=False, max_length=40, unique=True)),
                ('transfer_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='In the reporting asset.', max_digits=40, null=True, verbose_name='one transfer')),
                ('account_day_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='In the reporting asset.', max_digits=40, null=True, verbose_name='one account and UTC day')),
                ('total_day_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='In the reporting asset; counts in the row for all accounts only.', max_digits=40, null=True, verbose_name='all accounts and one UTC day')),
                ('approval_above', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='Transfers worth more wait until another member of staff approves them.', max_digits=40, null=True, verbose_name='second person above')),
            ],
            options={
                'verbose_name': 'transfer limits',
                'verbose_name_plural': 'transfer limits',
                'ordering': ['key'],
            },
        ),
        migrations.AddField(
            model_name='transfer',
            name='approved_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='approved by'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='test_transfer',
            field=models.OneToOneField(editable=False, help_text='The transfer of a small part that must arrive first.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='main_transfer', to='accounts.transfer', verbose_name='test amount'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='value',
            field=arbplatform.persistence.fields.AmountField(decimal_places=18, editable=False, help_text='When it was requested, in the reporting asset; empty: there was no price.', max_digits=40, null=True, verbose_name='value'),
        ),
        migrations.AlterField(
            model_name='rulechange',
            name='kind',
            field=models.CharField(choices=[('address', 'address'), ('network', 'network'), ('limits', 'transfer limits')], max_length=16, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='transfer',
            name='state',
            field=models.CharField(choices=[('unapproved', 'awaiting approval'), ('testing', 'awaiting its test amount'), ('requested', 'requested'), ('waiting', 'waiting'), ('submitting', 'submitting'), ('submitted', 'submitted'), ('in_transit', 'in transit'), ('arrived', 'arrived'), ('failed', 'failed'), ('unknown', 'unknown')], db_index=True, default='requested', editable=False, max_length=16, verbose_name='state'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('requested_by', None), ('approved_by', None), models.Q(('requested_by', models.F('approved_by')), _negated=True), _connector='OR'), name='transfer_takes_two_people'),
        ),
        migrations.AddField(
            model_name='transferlimit',
            name='account',
            field=models.OneToOneField(blank=True, help_text='Empty: for all accounts.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='transfer_limits', to='accounts.venueaccount', verbose_name='sending account'),
        ),
    ]
