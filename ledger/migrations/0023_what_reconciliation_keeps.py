import arbplatform.persistence.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0022_reserving_in_fewer_steps'),
    ]

    operations = [
        migrations.AlterField(
            model_name='accountreconciliation',
            name='activity',
            field=arbplatform.persistence.fields.DocumentField(editable=False, help_text="What the account's orders were doing at the last comparison, so that the next one reads only what is new; empty: all of them are read.", null=True),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='clean_round',
            field=models.PositiveBigIntegerField(db_default=0, default=0, help_text='The number of the last comparison that found books and venue equal.', verbose_name='last equal in comparison'),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='denials',
            field=models.JSONField(default=dict, editable=False, help_text="Orders of which the venue lists trades, and says when asked for the order that it knows none, or that less of it was filled: by symbol and the venue's id, in how many comparisons it said so, when the last one began [ms], and what it says was filled, if it knows the order. It is asked for them less and less often."),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='failure_count',
            field=models.PositiveIntegerField(default=0, help_text='Comparisons since the last one in which the venue answered everything.', verbose_name='failures in a row'),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='last_clean_at',
            field=models.DateTimeField(help_text='When the last comparison began that found books and venue equal.', null=True, verbose_name='last equal at'),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='last_run_at',
            field=models.DateTimeField(db_index=True, help_text='When the last comparison began, whatever it came to.', null=True, verbose_name='last compared at'),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='lease_until',
            field=models.DateTimeField(help_text='Nobody else compares the account until then; later, whoever did is given up.', null=True, verbose_name='reserved until'),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='read_until',
            field=models.DateTimeField(help_text='The start of the last comparison in which the venue told everything; the next one reads on from shortly before.', null=True, verbose_name='histories read until'),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='strangers',
            field=models.JSONField(default=dict, editable=False, help_text="Orders with trades on the account that are not in the journal: by symbol and the venue's id, the client order id. The venue is not asked for them again."),
        ),
        migrations.AlterField(
            model_name='accountreconciliation',
            name='token',
            field=models.CharField(blank=True, help_text='Names the comparison that is being made; empty: none is.', max_length=32, verbose_name='token'),
        ),
    ]
