"""What the database itself guards: facts stay, every entry balances, running sums are right.

Both databases refuse

- changing or deleting a row of a table of facts;
- committing an entry whose postings do not sum to zero in every asset.

There are no deferred triggers on SQLite, and one for each row would be slow on PostgreSQL, but both
have deferred foreign keys: every posting adds to the imbalance of its (entry, asset) in a small
table, whose rows disappear when they reach zero, and which refer to a table that is always empty.
A row that is left at commit has nothing to refer to, so the commit fails.

Both also keep ``BookTotal`` and ``TradingDay`` in the transaction of the postings.

A migration that rebuilds one of these tables on SQLite drops its triggers: call ``drop_guards``
before and ``create_guards`` after it.
"""

from django.db import migrations

FACTS = {
    "ledger_entry": "id = NEW.id OR key = NEW.key",
    "ledger_posting": "id = NEW.id",
    "ledger_fill": """id = NEW.id OR entry_id = NEW.entry_id
        OR (account_id = NEW.account_id AND market_id = NEW.market_id
            AND venue_trade_id = NEW.venue_trade_id AND side = NEW.side)""",
    "ledger_latefee": "id = NEW.id OR entry_id = NEW.entry_id OR fill_id = NEW.fill_id",
}
"""Tables of facts, and when a new row would collide with one that is there."""

TOTAL_KEY = "{row}.book || ':' || COALESCE({row}.account_id, 0) || ':' || {row}.wallet || ':' || {row}.asset_id"
DAY_KEY = "COALESCE(entry.strategy_id, 0) || ':' || {day} || ':' || {row}.asset_id"


TABLES = (
    "CREATE TABLE ledger_never (id bigint PRIMARY KEY CHECK (1 = 0))",
    """CREATE TABLE ledger_imbalance (
        entry_id bigint NOT NULL,
        asset_id bigint NOT NULL,
        total {total_type} NOT NULL,
        never_id bigint NOT NULL DEFAULT 1 CONSTRAINT ledger_entry_must_balance
            REFERENCES ledger_never (id) DEFERRABLE INITIALLY DEFERRED,
        PRIMARY KEY (entry_id, asset_id)
    )""",
)
TOTAL_TYPES = {"sqlite": "text", "postgresql": "numeric"}


# SQLite ---------------------------------------------------------------------------------------

_IMMUTABLE = "SELECT RAISE(ABORT, 'ledger facts are immutable: book a reversal');"
_SQLITE_DAY = "substr(entry.occurred_at, 1, 10)"
_SQLITE_NEGATIVE = """exact_add(
    CASE WHEN NEW.amount LIKE '-%' THEN substr(NEW.amount, 2) ELSE '-' || NEW.amount END, '0')"""

SQLITE_TRIGGERS = {
    **{
        f"{table}_no_update": f"BEFORE UPDATE ON {table} BEGIN {_IMMUTABLE} END"
        for table in FACTS
    },
    **{
        f"{table}_no_delete": f"BEFORE DELETE ON {table} BEGIN {_IMMUTABLE} END"
        for table in FACTS
    },
    # INSERT OR REPLACE deletes without firing triggers for DELETE
    **{
        f"{table}_no_replace": f"""BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE {collision}) BEGIN
                SELECT RAISE(ABORT, 'UNIQUE constraint failed: {table}, booked already');
            END"""
        for table, collision in FACTS.items()
    },
    "ledger_posting_balance": """AFTER INSERT ON ledger_posting BEGIN
            INSERT INTO ledger_imbalance (entry_id, asset_id, total)
                VALUES (NEW.entry_id, NEW.asset_id, exact_add(NEW.amount, '0'))
                ON CONFLICT (entry_id, asset_id)
                DO UPDATE SET total = exact_add(total, excluded.total);
            DELETE FROM ledger_imbalance
                WHERE entry_id = NEW.entry_id AND asset_id = NEW.asset_id AND total = '0';
        END""",
    "ledger_posting_totals": f"""AFTER INSERT ON ledger_posting BEGIN
            INSERT INTO ledger_booktotal (key, book, account_id, wallet, asset_id, total)
                VALUES ({TOTAL_KEY.format(row="NEW")},
                    NEW.book, NEW.account_id, NEW.wallet, NEW.asset_id, NEW.amount)
                ON CONFLICT (key) DO UPDATE SET total = exact_add(total, excluded.total);
        END""",
    "ledger_posting_days": f"""AFTER INSERT ON ledger_posting
        WHEN NEW.book IN ('trading', 'trading_fees') BEGIN
            INSERT INTO ledger_tradingday (key, strategy_id, day, asset_id, moved)
                SELECT {DAY_KEY.format(day=_SQLITE_DAY, row="NEW")},
                    entry.strategy_id, {_SQLITE_DAY}, NEW.asset_id, {_SQLITE_NEGATIVE}
                FROM ledger_entry AS entry WHERE entry.id = NEW.entry_id
                ON CONFLICT (key) DO UPDATE SET moved = exact_add(moved, excluded.moved);
        END""",
}


# PostgreSQL -----------------------------------------------------------------------------------

_POSTGRES_DAY = "(entry.occurred_at AT TIME ZONE 'UTC')::date"

POSTGRES_FUNCTIONS = {
    "ledger_refuse_change": """
        BEGIN
            RAISE EXCEPTION 'ledger facts are immutable: book a reversal'
                USING ERRCODE = 'integrity_constraint_violation';
        END""",
    "ledger_check_balance": """
        BEGIN
            INSERT INTO ledger_imbalance AS kept (entry_id, asset_id, total)
                SELECT entry_id, asset_id, SUM(amount) FROM added
                GROUP BY entry_id, asset_id HAVING SUM(amount) <> 0
                ON CONFLICT (entry_id, asset_id) DO UPDATE SET total = kept.total + EXCLUDED.total;
            -- nearly always an entry comes in one statement, balanced: then there is no row at all
            IF FOUND THEN
                DELETE FROM ledger_imbalance WHERE total = 0;
            END IF;
            RETURN NULL;
        END""",
    # sorted, so that two transactions lock the same rows in the same order
    "ledger_add_totals": f"""
        BEGIN
            INSERT INTO ledger_booktotal AS kept (key, book, account_id, wallet, asset_id, total)
                SELECT {TOTAL_KEY.format(row="line")} AS total_key,
                    line.book, line.account_id, line.wallet, line.asset_id, SUM(line.amount)
                FROM added AS line
                GROUP BY line.book, line.account_id, line.wallet, line.asset_id
                ORDER BY total_key
                ON CONFLICT (key) DO UPDATE SET total = kept.total + EXCLUDED.total;
            INSERT INTO ledger_tradingday AS kept (key, strategy_id, day, asset_id, moved)
                SELECT {DAY_KEY.format(day=f"to_char({_POSTGRES_DAY}, 'YYYY-MM-DD')", row="line")}
                    AS day_key,
                    entry.strategy_id, {_POSTGRES_DAY}, line.asset_id, -SUM(line.amount)
                FROM added AS line JOIN ledger_entry AS entry ON entry.id = line.entry_id
                WHERE line.book IN ('trading', 'trading_fees')
                GROUP BY day_key, entry.strategy_id, {_POSTGRES_DAY}, line.asset_id
                ORDER BY day_key
                ON CONFLICT (key) DO UPDATE SET moved = kept.moved + EXCLUDED.moved;
            RETURN NULL;
        END""",
}

POSTGRES_TRIGGERS = {
    **{
        f"{table}_no_change": f"""CREATE TRIGGER {table}_no_change
            BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()"""
        for table in FACTS
    },
    "ledger_posting_balance": """CREATE TRIGGER ledger_posting_balance
        AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_balance()""",
    "ledger_posting_totals": """CREATE TRIGGER ledger_posting_totals
        AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_add_totals()""",
}


def create_guards(connection):
    """Install every guard on a database that has the ledger's tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name, body in SQLITE_TRIGGERS.items():
                cursor.execute(f"CREATE TRIGGER {name} {body}")
            return
        for name, body in POSTGRES_FUNCTIONS.items():
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
            )
        for statement in POSTGRES_TRIGGERS.values():
            cursor.execute(statement)


def drop_guards(connection):
    """Remove every trigger: for a migration that rebuilds a table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in SQLITE_TRIGGERS:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            return
        for name in POSTGRES_TRIGGERS:
            table = name.rsplit("_no_change")[0] if name.endswith("_no_change") else "ledger_posting"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")


def _forwards(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        for statement in TABLES:
            cursor.execute(statement.format(total_type=TOTAL_TYPES[connection.vendor]))
    create_guards(connection)


def _backwards(apps, schema_editor):
    connection = schema_editor.connection
    drop_guards(connection)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE ledger_imbalance")
        cursor.execute("DROP TABLE ledger_never")
        if connection.vendor == "postgresql":
            for name in POSTGRES_FUNCTIONS:
                cursor.execute(f"DROP FUNCTION IF EXISTS {name}()")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunPython(_forwards, _backwards)]
