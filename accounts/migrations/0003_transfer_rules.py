"""The address book and confirmed names of networks, with a history that nobody can rewrite."""

import arbplatform.persistence.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TABLE = "accounts_rulechange"

_SQLITE = {
    **{
        f"{TABLE}_no_{event.lower()}": f"""BEFORE {event} ON {TABLE} BEGIN
            SELECT RAISE(ABORT, 'this history is immutable'); END"""
        for event in ("UPDATE", "DELETE")
    },
    f"{TABLE}_no_replace": f"""BEFORE INSERT ON {TABLE}
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id) BEGIN
            SELECT RAISE(ABORT, 'UNIQUE constraint failed: {TABLE}.id'); END""",
}

_REFUSE = """CREATE OR REPLACE FUNCTION accounts_refuse_change() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'this history is immutable' USING ERRCODE = 'integrity_constraint_violation';
END $$ LANGUAGE plpgsql"""


def create_guards(connection):
    """Install the guards of the history on a database that has its table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name, body in _SQLITE.items():
                cursor.execute(f"CREATE TRIGGER {name} {body}")
            return
        cursor.execute(_REFUSE)
        cursor.execute(
            f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
            "FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()"
        )


def drop_guards(connection):
    """Remove the guards: for a migration that rebuilds the table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in _SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            return
        cursor.execute(f"DROP TRIGGER IF EXISTS {TABLE}_no_change ON {TABLE}")


def _forwards(_apps, schema_editor):
    create_guards(schema_editor.connection)


def _backwards(_apps, schema_editor):
    drop_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_reservations'),
        ('markets', '0002_venue_clock'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='transfer',
            name='fee_max',
            field=arbplatform.persistence.fields.AmountField(decimal_places=18, editable=False, help_text='If the fee is higher when it is to be sent, it is not sent.', max_digits=40, null=True, verbose_name='accepted network fee'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='fee_stated',
            field=arbplatform.persistence.fields.AmountField(decimal_places=18, editable=False, help_text='What the source stated when the transfer was requested.', max_digits=40, null=True, verbose_name='stated network fee'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='released_at',
            field=models.DateTimeField(editable=False, help_text='From then on it may be sent; its age counts from there.', null=True, verbose_name='released at'),
        ),
        migrations.AlterField(
            model_name='transfer',
            name='state',
            field=models.CharField(choices=[('requested', 'requested'), ('waiting', 'waiting'), ('submitting', 'submitting'), ('submitted', 'submitted'), ('in_transit', 'in transit'), ('arrived', 'arrived'), ('failed', 'failed'), ('unknown', 'unknown')], db_index=True, default='requested', editable=False, max_length=16, verbose_name='state'),
        ),
        migrations.CreateModel(
            name='AddressEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('network', models.CharField(blank=True, max_length=32, verbose_name='network')),
                ('address', models.CharField(max_length=200, verbose_name='address')),
                ('tag', models.CharField(blank=True, max_length=64, verbose_name='tag')),
                ('label', models.CharField(max_length=64, verbose_name='label')),
                ('state', models.CharField(choices=[('proposed', 'proposed'), ('approved', 'approved'), ('suspended', 'suspended'), ('revoked', 'revoked')], db_index=True, default='proposed', max_length=16, verbose_name='state')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('approved_at', models.DateTimeField(null=True, verbose_name='approved at')),
                ('usable_at', models.DateTimeField(null=True, verbose_name='usable from')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='addresses', to='accounts.venueaccount', verbose_name='receiving account')),
                ('approved_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='approved by')),
                ('asset', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='markets.asset', verbose_name='asset')),
                ('proposed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='proposed by')),
            ],
            options={
                'verbose_name': 'address book entry',
                'verbose_name_plural': 'address book',
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='transfer',
            name='address_entry',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='transfers', to='accounts.addressentry', verbose_name='address book entry'),
        ),
        migrations.CreateModel(
            name='RuleChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('address', 'address'), ('network', 'network')], max_length=16, verbose_name='kind')),
                ('target_id', models.BigIntegerField(null=True, verbose_name='number')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('event', models.CharField(max_length=16, verbose_name='event')),
                ('before', models.JSONField(default=dict, verbose_name='before')),
                ('after', models.JSONField(default=dict, verbose_name='after')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('changed_by', models.CharField(max_length=150, verbose_name='changed by')),
                ('changed_at', models.DateTimeField(db_index=True, verbose_name='changed at')),
                ('user', models.ForeignKey(help_text='Empty: the platform itself.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'change of a transfer rule',
                'verbose_name_plural': 'changes of transfer rules',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='VenueNetwork',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('network', models.CharField(help_text='Our name of it: TRX, ETH, BSC …', max_length=32, verbose_name='network')),
                ('venue_name', models.CharField(help_text='As the venue lists it: TRC20, Tron …', max_length=64, verbose_name='name at the venue')),
                ('confirmed_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='confirmed by')),
                ('venue', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='networks', to='markets.venue', verbose_name='venue')),
            ],
            options={
                'verbose_name': 'network of a venue',
                'verbose_name_plural': 'networks of venues',
                'ordering': ['venue_id', 'network'],
            },
        ),
        migrations.AddConstraint(
            model_name='addressentry',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'revoked'), _negated=True), fields=('account', 'asset', 'network'), name='address_one_is_current'),
        ),
        migrations.AddConstraint(
            model_name='addressentry',
            constraint=models.CheckConstraint(condition=models.Q(('proposed_by', None), ('approved_by', None), models.Q(('proposed_by', models.F('approved_by')), _negated=True), _connector='OR'), name='address_takes_two_people'),
        ),
        migrations.AddIndex(
            model_name='rulechange',
            index=models.Index(fields=['kind', 'target_id'], name='rule_change_by_target'),
        ),
        migrations.AddConstraint(
            model_name='venuenetwork',
            constraint=models.UniqueConstraint(fields=('venue', 'network'), name='network_unique_id'),
        ),
        migrations.AddConstraint(
            model_name='venuenetwork',
            constraint=models.UniqueConstraint(fields=('venue', 'venue_name'), name='network_unique_name'),
        ),
        migrations.RunPython(_forwards, _backwards),
    ]
