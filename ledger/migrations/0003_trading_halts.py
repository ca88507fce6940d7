"""Trading states with their history, which the database lets nobody rewrite."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TABLE = "ledger_tradingchange"


def _sqlite_triggers(table):
    triggers = {
        f"{table}_no_{event.lower()}": f"""BEFORE {event} ON {table} BEGIN
            SELECT RAISE(ABORT, 'this history is immutable'); END"""
        for event in ("UPDATE", "DELETE")
    }
    triggers[f"{table}_no_replace"] = f"""BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) BEGIN
            SELECT RAISE(ABORT, 'UNIQUE constraint failed: {table}.id'); END"""
    return triggers


def create_guards(connection, table=TABLE):
    """Install the guards of a history on a database that has its table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name, body in _sqlite_triggers(table).items():
                cursor.execute(f"CREATE TRIGGER {name} {body}")
            return
        cursor.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()"
        )


def drop_guards(connection, table=TABLE):
    """Remove the guards: for a migration that rebuilds the table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in _sqlite_triggers(table):
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            return
        cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_change ON {table}")


def _forwards(_apps, schema_editor):
    create_guards(schema_editor.connection)


def _backwards(_apps, schema_editor):
    drop_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0002_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TradingHalt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=40, unique=True, verbose_name='key')),
                ('level', models.CharField(choices=[('global', 'everything'), ('venue', 'venue'), ('account', 'account'), ('strategy', 'strategy')], max_length=12, verbose_name='level')),
                ('target_id', models.BigIntegerField(null=True, verbose_name='target')),
                ('state', models.CharField(choices=[('active', 'active'), ('reducing', 'reducing only'), ('halted', 'halted')], default='active', max_length=12, verbose_name='state')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('changed_by', models.CharField(max_length=150, verbose_name='changed by')),
                ('changed_at', models.DateTimeField(verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'trading state',
                'verbose_name_plural': 'trading states',
                'ordering': ['key'],
            },
        ),
        migrations.AddField(
            model_name='order',
            name='is_reducing',
            field=models.BooleanField(default=False, help_text='It brings an exposure down.', verbose_name='reducing'),
        ),
        migrations.CreateModel(
            name='TradingChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.CharField(choices=[('resume', 'resume'), ('reduce', 'reduce'), ('halt', 'halt')], max_length=12, verbose_name='event')),
                ('before', models.CharField(choices=[('active', 'active'), ('reducing', 'reducing only'), ('halted', 'halted')], max_length=12, verbose_name='before')),
                ('after', models.CharField(choices=[('active', 'active'), ('reducing', 'reducing only'), ('halted', 'halted')], max_length=12, verbose_name='after')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('changed_by', models.CharField(max_length=150, verbose_name='changed by')),
                ('changed_at', models.DateTimeField(db_index=True, verbose_name='changed at')),
                ('user', models.ForeignKey(help_text='Empty: the command line, or the platform itself.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
                ('halt', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='ledger.tradinghalt', verbose_name='trading state')),
            ],
            options={
                'verbose_name': 'change of a trading state',
                'verbose_name_plural': 'changes of trading states',
                'ordering': ['-id'],
            },
        ),
        migrations.RunPython(_forwards, _backwards),
    ]
