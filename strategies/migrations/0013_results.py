"""Running totals of what executions have come to, so that no page adds them all up."""

import arbplatform.persistence.fields
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Count, F, Q

from arbplatform.persistence.fields import ExactSum

AMOUNTS = ("expected", "latency", "slippage", "fees", "completion", "dust", "funding", "transfers", "total", "cash")


def _add_up(apps, _schema_editor):
    """Begin with the executions so far."""
    totals = apps.get_model("strategies", "ResultTotal")
    found = {}

    def row_of(strategy_id, asset_id):
        row = totals(strategy_id=strategy_id, asset_id=asset_id)
        return found.setdefault((strategy_id, asset_id), row)

    ended = apps.get_model("strategies", "Execution").objects.order_by()
    ended = ended.filter(state__in=["completed", "unwound", "failed"])
    owner = ("strategy_id", "profit_asset_id", "state")
    for strategy_id, asset_id, state, number in ended.values_list(*owner).annotate(n=Count("id")):
        setattr(row_of(strategy_id, asset_id), state, number)
    explained = apps.get_model("strategies", "Attribution").objects.order_by().values(
        strategy=F("execution__strategy_id"), asset=F("execution__profit_asset_id")
    )
    for sums in explained.annotate(
        executions=Count("id"),
        measured=Count("latency"),
        inexact=Count("id", filter=Q(is_exact=False)),
        pending=Count("id", filter=Q(has_pending_fees=True)),
        **{f"sum_{name}": ExactSum(name) for name in AMOUNTS},
    ):
        row = row_of(sums.pop("strategy"), sums.pop("asset"))
        for name, value in sums.items():
            setattr(row, name.removeprefix("sum_"), value or 0)
    totals.objects.bulk_create(found.values())


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0003_venue_state'),
        ('strategies', '0012_hot_path'),
    ]

    operations = [
        migrations.CreateModel(
            name='ResultTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('completed', models.IntegerField(default=0, verbose_name='completed')),
                ('unwound', models.IntegerField(default=0, verbose_name='unwound')),
                ('failed', models.IntegerField(default=0, verbose_name='failed')),
                ('executions', models.IntegerField(default=0, help_text='That have an attribution; all below is of these.', verbose_name='executions')),
                ('measured', models.IntegerField(default=0, verbose_name='measured')),
                ('inexact', models.IntegerField(default=0, verbose_name='inexact')),
                ('pending', models.IntegerField(default=0, verbose_name='fees pending')),
                ('expected', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='expected at the decision')),
                ('latency', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='decision latency')),
                ('slippage', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='slippage')),
                ('fees', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='fees beyond the expected')),
                ('completion', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='unfilled parts and repairs')),
                ('dust', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='dust')),
                ('funding', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='funding payments')),
                ('transfers', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='transfers')),
                ('total', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='total')),
                ('cash', arbplatform.persistence.fields.AmountField(decimal_places=18, default=0, max_digits=40, verbose_name='in the profit asset')),
                ('asset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='markets.asset', verbose_name='profit asset')),
                ('strategy', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='strategies.strategy', verbose_name='strategy')),
            ],
            options={
                'verbose_name': 'total of results',
                'verbose_name_plural': 'totals of results',
                'ordering': ['strategy_id', 'asset_id'],
                'constraints': [models.UniqueConstraint(fields=('strategy', 'asset'), name='result_total_unique')],
            },
        ),
        migrations.RunPython(_add_up, migrations.RunPython.noop),
    ]
