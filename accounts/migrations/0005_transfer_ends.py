"""Transfers that need a person: overdue ones, and ends that two people agree on."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_transfer_limits'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='transfer',
            name='alarmed_at',
            field=models.DateTimeField(editable=False, help_text='It has been under way for longer than it should.', null=True, verbose_name='alarm since'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='settlement',
            field=models.JSONField(editable=False, help_text='How one person says it ended; another one has to confirm it.', null=True, verbose_name='proposed settlement'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='settlement_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='settlement proposed by'),
        ),
        migrations.AlterField(
            model_name='transfer',
            name='state',
            field=models.CharField(choices=[('unapproved', 'awaiting approval'), ('testing', 'awaiting its test amount'), ('requested', 'requested'), ('waiting', 'waiting'), ('submitting', 'submitting'), ('submitted', 'submitted'), ('in_transit', 'in transit'), ('disputed', 'needs a person'), ('arrived', 'arrived'), ('failed', 'failed'), ('unknown', 'unknown')], db_index=True, default='requested', editable=False, max_length=16, verbose_name='state'),
        ),
    ]
