from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('strategies', '0018_sweep_place'),
    ]

    operations = [
        migrations.AlterField(
            model_name='resultaudit',
            name='wrong',
            field=models.TextField(blank=True, help_text='The first figures that are wrong, and by how much; kept as a sentence.', verbose_name='what is wrong'),
        ),
    ]
