from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0017_strangers'),
    ]

    operations = [
        migrations.AddField(
            model_name='accountreconciliation',
            name='denials',
            field=models.JSONField(default=dict, editable=False, help_text='Orders that the venue does not know, so that it is asked for them less often.'),
        ),
    ]
