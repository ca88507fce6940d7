"""What the database guards about reserved funds, on both databases alike.

``accounts_reservedtotal`` is kept by triggers in the transaction that writes, shrinks or deletes a
reservation. A reservation by which more would be reserved than the wallet holds by the books is
refused, unless its row says that it stands for what happened already. So two processes never
reserve one coin: the second waits for the total's row, and then reads what the first has left.

An account whose books were never opened is not judged: nobody knows what it holds. Strategies open
the books of their accounts before they start.

Booking is never refused: real money moves the books, whatever is reserved.

A reservation that has shrunk to zero is deleted; a total never goes below zero, which a second
release of the same funds would make it do.

A migration that rebuilds one of the two tables on SQLite drops its triggers: call ``drop_guards``
before and ``create_guards`` after it.
"""

from django.db import migrations

KEY = "{row}.account_id || ':' || {row}.wallet || ':' || {row}.asset_id"
HELD_KEY = "'wallet:' || " + KEY
OPENED = "key = 'opening:' || {row}.account_id"
"""How to find the entry by which the books took over what an account held."""

_REFUSAL = "reserved_within_holdings: more would be reserved than the books hold"
_OVERDRAWN = "reserved_not_negative: more was released than was reserved"


# SQLite ---------------------------------------------------------------------------------------


def _negative(amount):
    return f"CASE WHEN {amount} LIKE '-%' THEN substr({amount}, 2) ELSE '-' || {amount} END"


def _sqlite_add(row, amount):
    return f"""INSERT INTO accounts_reservedtotal (key, account_id, wallet, asset_id, total)
            VALUES ({KEY.format(row=row)}, {row}.account_id, {row}.wallet, {row}.asset_id, {amount})
            ON CONFLICT (key) DO UPDATE SET total = exact_add(total, excluded.total);"""


_SQLITE_CHECK = f"""SELECT RAISE(ABORT, '{_REFUSAL}') FROM accounts_reservedtotal AS kept
            WHERE NOT NEW.is_forced AND kept.key = {KEY.format(row="NEW")}
            AND EXISTS (SELECT 1 FROM ledger_entry WHERE {OPENED.format(row="NEW")})
            AND exact_add(
                COALESCE((SELECT held.total FROM ledger_booktotal AS held
                    WHERE held.key = {HELD_KEY.format(row="NEW")}), '0'),
                {_negative("kept.total")}) LIKE '-%'"""
_GROWTH = f"exact_add(NEW.amount, {_negative('OLD.amount')})"

SQLITE_TRIGGERS = {
    "accounts_reservation_made": f"""AFTER INSERT ON accounts_reservation BEGIN
            {_sqlite_add("NEW", "exact_add(NEW.amount, '0')")}
            {_SQLITE_CHECK};
        END""",
    # INSERT OR REPLACE deletes without firing triggers for DELETE
    "accounts_reservation_no_replace": """BEFORE INSERT ON accounts_reservation
        WHEN EXISTS (SELECT 1 FROM accounts_reservation WHERE id = NEW.id) BEGIN
            SELECT RAISE(ABORT, 'UNIQUE constraint failed: accounts_reservation.id'); END""",
    "accounts_reservation_changed": f"""AFTER UPDATE ON accounts_reservation BEGIN
            {_sqlite_add("OLD", f"exact_add({_negative('OLD.amount')}, '0')")}
            {_sqlite_add("NEW", "exact_add(NEW.amount, '0')")}
            {_SQLITE_CHECK} AND {_GROWTH} NOT LIKE '-%' AND {_GROWTH} <> '0';
            DELETE FROM accounts_reservation
                WHERE id = NEW.id AND exact_add(NEW.amount, '0') = '0';
        END""",
    "accounts_reservation_released": f"""AFTER DELETE ON accounts_reservation BEGIN
            {_sqlite_add("OLD", f"exact_add({_negative('OLD.amount')}, '0')")}
        END""",
    "accounts_reservation_not_negative": f"""BEFORE INSERT ON accounts_reservation
        WHEN NEW.amount LIKE '-%' BEGIN SELECT RAISE(ABORT, '{_OVERDRAWN}'); END""",
    "accounts_reservedtotal_not_negative_made": f"""AFTER INSERT ON accounts_reservedtotal
        WHEN NEW.total LIKE '-%' BEGIN SELECT RAISE(ABORT, '{_OVERDRAWN}'); END""",
    "accounts_reservedtotal_not_negative": f"""AFTER UPDATE ON accounts_reservedtotal
        WHEN NEW.total LIKE '-%' BEGIN SELECT RAISE(ABORT, '{_OVERDRAWN}'); END""",
}


# PostgreSQL -----------------------------------------------------------------------------------


_COLUMNS = "account_id, wallet, asset_id"
_ADDED = f"SELECT {_COLUMNS}, amount FROM added"
_REMOVED = f"SELECT {_COLUMNS}, -amount AS amount FROM removed"


def _postgres_check(rows):
    return f"""
            IF EXISTS (
                SELECT 1 FROM ({rows}) AS line
                JOIN accounts_reservedtotal AS kept ON kept.key = {KEY.format(row="line")}
                LEFT JOIN ledger_booktotal AS held ON held.key = {HELD_KEY.format(row="line")}
                WHERE kept.total > COALESCE(held.total, 0)
                AND EXISTS (SELECT 1 FROM ledger_entry WHERE ledger_entry.{OPENED.format(row="line")})
            ) THEN
                RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'check_violation';
            END IF;"""


def _postgres_move(lines):
    """Return statements that add ``lines`` to totals that are there; a CHECK is their floor."""
    return f"""
            PERFORM 1 FROM accounts_reservedtotal AS kept
                WHERE kept.key IN (SELECT {KEY.format(row="line")} FROM ({lines}) AS line)
                ORDER BY kept.key COLLATE "C" FOR UPDATE;
            UPDATE accounts_reservedtotal AS kept SET total = kept.total + moved.amount
                FROM (SELECT {KEY.format(row="line")} AS key, SUM(line.amount) AS amount
                    FROM ({lines}) AS line GROUP BY 1) AS moved
                WHERE kept.key = moved.key AND moved.amount <> 0;"""


# Totals are always locked in the order of their keys, by code points, so that nobody deadlocks.
# Who reserves gives the rows in that order: to have the database collect and sort what a statement
# has inserted took each decision 0.06 ms more. A total is added to first and what is held is read
# after, in a statement of its own: that one sees what was committed while the first one waited.
# Amounts are compared before anything is looked up: a condition with a query in it is run as one.
POSTGRES_FUNCTIONS = {
    "accounts_reserve": f"""
        DECLARE
            purse text := {KEY.format(row="NEW")};
            reserved numeric;
            held numeric;
        BEGIN
            UPDATE accounts_reservedtotal SET total = total + NEW.amount WHERE key = purse
                RETURNING total INTO reserved;
            IF NOT FOUND THEN
                INSERT INTO accounts_reservedtotal AS kept (key, account_id, wallet, asset_id, total)
                    VALUES (purse, NEW.account_id, NEW.wallet, NEW.asset_id, NEW.amount)
                    ON CONFLICT (key) DO UPDATE SET total = kept.total + EXCLUDED.total
                    RETURNING kept.total INTO reserved;
            END IF;
            IF NOT NEW.is_forced THEN
                SELECT total INTO held FROM ledger_booktotal WHERE key = 'wallet:' || purse;
                IF reserved > COALESCE(held, 0) THEN
                    IF EXISTS (
                        SELECT 1 FROM ledger_entry WHERE ledger_entry.{OPENED.format(row="NEW")}
                    ) THEN
                        RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'check_violation';
                    END IF;
                END IF;
            END IF;
            RETURN NULL;
        END""",
    "accounts_change_reserved": f"""
        BEGIN
            {_postgres_move(f"{_ADDED} UNION ALL {_REMOVED}")}
            {_postgres_check(
                "SELECT added.* FROM added JOIN removed USING (id) "
                "WHERE NOT added.is_forced AND added.amount > removed.amount"
            )}
            DELETE FROM accounts_reservation
                WHERE amount = 0 AND id IN (SELECT id FROM added WHERE amount = 0);
            RETURN NULL;
        END""",
    "accounts_release": f"""
        BEGIN
            {_postgres_move(_REMOVED)}
            RETURN NULL;
        END""",
}

POSTGRES_TRIGGERS = {
    "accounts_reservation_made": """AFTER INSERT ON accounts_reservation FOR EACH ROW
        EXECUTE FUNCTION accounts_reserve()""",
    "accounts_reservation_changed": """AFTER UPDATE ON accounts_reservation
        REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT
        EXECUTE FUNCTION accounts_change_reserved()""",
    "accounts_reservation_released": """AFTER DELETE ON accounts_reservation
        REFERENCING OLD TABLE AS removed FOR EACH STATEMENT
        EXECUTE FUNCTION accounts_release()""",
}
POSTGRES_CHECKS = {
    "reserved_not_negative": ("accounts_reservedtotal", "total >= 0"),
    "reservation_not_negative": ("accounts_reservation", "amount >= 0"),
}


def create_guards(connection):
    """Install every guard on a database that has the tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name, body in SQLITE_TRIGGERS.items():
                cursor.execute(f"CREATE TRIGGER {name} {body}")
            return
        for name, body in POSTGRES_FUNCTIONS.items():
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
            )
        for name, body in POSTGRES_TRIGGERS.items():
            cursor.execute(f"CREATE TRIGGER {name} {body}")
        for name, (table, check) in POSTGRES_CHECKS.items():
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({check})")


def drop_guards(connection):
    """Remove every guard: for a migration that rebuilds a table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in SQLITE_TRIGGERS:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            return
        for name in POSTGRES_TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON accounts_reservation")
        for name, (table, _check) in POSTGRES_CHECKS.items():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")


def _forwards(_apps, schema_editor):
    create_guards(schema_editor.connection)


def _backwards(_apps, schema_editor):
    connection = schema_editor.connection
    drop_guards(connection)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in POSTGRES_FUNCTIONS:
                cursor.execute(f"DROP FUNCTION IF EXISTS {name}()")


class Migration(migrations.Migration):

    dependencies = [
        ("ledger", "0004_cancellations"),
        ("accounts", "0002_reservations"),
    ]

    operations = [migrations.RunPython(_forwards, _backwards)]
