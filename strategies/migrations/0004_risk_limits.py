"""Risk limits with their history, which the database lets nobody rewrite."""

from importlib import import_module

import arbplatform.persistence.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TABLE = "strategies_risklimitschange"
history = import_module("ledger.migrations.0003_trading_halts")


def create_guards(connection):
    """Install the guards on a database that has the table."""
    history.create_guards(connection, TABLE)


def drop_guards(connection):
    """Remove the guards."""
    history.drop_guards(connection, TABLE)


def _forwards(_apps, schema_editor):
    create_guards(schema_editor.connection)


def _backwards(_apps, schema_editor):
    drop_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0003_trading_halts'),
        ('strategies', '0003_repairs'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='opportunity',
            name='reason',
            field=models.CharField(blank=True, choices=[('one_per_tick', 'another one of the same tick was better'), ('strategy_stopping', 'the strategy is being stopped'), ('tick_lost', 'the tick took too long and lost its turn'), ('venue_disabled', 'a venue is disabled'), ('account_disabled', 'an account is disabled'), ('open_unknown_orders', 'the outcome of an earlier order of the strategy is not known yet'), ('unfinished_execution', 'an earlier execution of the strategy is still being completed or reversed'), ('held_exposure', 'an execution of the strategy is held until a person acknowledges its exposure'), ('trading_halted', 'trading is halted, or reduces exposure only'), ('price_unknown', 'a limit is set that cannot be checked without a price'), ('edge_above_cap', 'the edge is too good to be true'), ('order_notional', 'an order would be worth too much'), ('day_notional', 'too much would be traded in one day'), ('open_executions', 'too many executions have not ended'), ('unhedged_exposure', 'too much is left over by executions'), ('day_loss', 'too much was lost today'), ('venue_concentration', 'too much of everything lies at one venue'), ('price_band', 'a limit price is too far from the last known price')], max_length=32, verbose_name='reason'),
        ),
        migrations.CreateModel(
            name='RiskLimits',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('key', models.CharField(editable=False, max_length=40, unique=True)),
                ('order_notional_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='In the reporting asset.', max_digits=40, null=True, verbose_name='notional of one order')),
                ('day_notional_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='In the reporting asset.', max_digits=40, null=True, verbose_name='notional of one UTC day')),
                ('open_executions_max', models.PositiveIntegerField(blank=True, help_text='At the same time.', null=True, verbose_name='open executions')),
                ('unhedged_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='Left over by executions, in the reporting asset.', max_digits=40, null=True, verbose_name='unhedged exposure')),
                ('day_loss_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='In the reporting asset.', max_digits=40, null=True, verbose_name='loss of one UTC day')),
                ('venue_share_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='Of everything that is owned, from 0 to 1.', max_digits=40, null=True, verbose_name='share of a venue')),
                ('edge_bps_max', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='More is too good to be true.', max_digits=40, null=True, verbose_name='edge [bps]')),
                ('price_band_bps', arbplatform.persistence.fields.AmountField(blank=True, decimal_places=18, help_text='Between a limit price and the last known price.', max_digits=40, null=True, verbose_name='price band [bps]')),
                ('strategy', models.OneToOneField(blank=True, help_text='Empty: the defaults for all strategies.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='risk_limits', to='strategies.strategy', verbose_name='strategy')),
            ],
            options={
                'verbose_name': 'risk limits',
                'verbose_name_plural': 'risk limits',
                'ordering': ['key'],
            },
        ),
        migrations.CreateModel(
            name='RiskLimitsChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(db_index=True, max_length=40, verbose_name='limits')),
                ('name', models.CharField(blank=True, max_length=64, verbose_name='strategy')),
                ('before', models.JSONField(verbose_name='before')),
                ('after', models.JSONField(verbose_name='after')),
                ('changed_by', models.CharField(max_length=150, verbose_name='changed by')),
                ('changed_at', models.DateTimeField(db_index=True, verbose_name='changed at')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'change of risk limits',
                'verbose_name_plural': 'changes of risk limits',
                'ordering': ['-id'],
            },
        ),
        migrations.RunPython(_forwards, _backwards),
    ]
