"""Fewer indexes on the way of every decision, and evidence as text instead of ``jsonb``."""

import arbplatform.persistence.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0003_venue_state'),
        ('strategies', '0011_room'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='execution',
            name='acknowledged_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='acknowledged by'),
        ),
        migrations.AlterField(
            model_name='execution',
            name='profit_asset',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='markets.asset', verbose_name='profit asset'),
        ),
        migrations.AlterField(
            model_name='execution',
            name='state',
            field=models.CharField(choices=[('executing', 'executing'), ('completed', 'completed'), ('incomplete', 'incomplete'), ('unwound', 'unwound'), ('held', 'held'), ('failed', 'failed'), ('unknown', 'unknown')], default='executing', max_length=12, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='opportunity',
            name='evidence',
            field=arbplatform.persistence.fields.DocumentField(default=dict, help_text='Books with ages, rules, fees, free balances, parameters and sizing.', verbose_name='evidence'),
        ),
        migrations.AlterField(
            model_name='opportunity',
            name='profit_asset',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='markets.asset', verbose_name='profit asset'),
        ),
        migrations.AlterField(
            model_name='opportunity',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='opportunities', to='strategies.run', verbose_name='run'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(condition=models.Q(('state__in', ['executing', 'incomplete', 'unknown', 'held'])), fields=['strategy'], name='execution_not_over'),
        ),
    ]
