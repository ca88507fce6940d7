"""What the database refuses, whoever asks: every guard is attacked by raw SQL."""

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal as D
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.domain.postings import Book, Line, Purse
from ledger.models import BookTotal, Entry, EntryKind, Posting, TradingDay
from ledger.selectors import imbalances, list_total_errors
from ledger.services.entries import EntryDraft, write_entries
from ledger.services.fills import book_fills
from markets.domain.funds import Wallet
from markets.models import Venue
from tests.emptying import empty_the_database
from tests.ledger.fakes import make_fill

MOMENT = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)
FACTS = ["ledger_entry", "ledger_posting", "ledger_fill", "ledger_latefee"]
UNIQUE = [
    *((table, "id") for table in FACTS),
    ("ledger_entry", "key"),
    ("ledger_fill", "entry_id"),
    ("ledger_fill", "venue_trade_id"),
    ("ledger_latefee", "entry_id"),
    ("ledger_latefee", "fill_id"),
]


def execute(sql, params=()):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


def read_first(table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id LIMIT 1")  # noqa: S608
        names = [column[0] for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))


def raw_posting(entry, asset, amount, *, account, book="wallet"):
    wallet = "spot" if book == "wallet" else ""
    execute(
        "INSERT INTO ledger_posting (entry_id, book, account_id, wallet, asset_id, amount)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [entry.pk, book, account.pk, wallet, asset.pk, str(amount)],
    )


def make_entry(key="raw", **fields):
    return Entry.objects.create(key=key, kind=EntryKind.EXTERNAL, occurred_at=MOMENT, **fields)


@transaction.atomic
def commit(lines, account):
    """Book (entry key, asset, amount) in one transaction."""
    entries = {key: make_entry(key) for key in dict.fromkeys(key for key, _, _ in lines)}
    for key, asset, amount in lines:
        raw_posting(entries[key], asset, amount, account=account)


@pytest.fixture
def booked(order):
    """A fill whose fee came late: a row in every table of facts."""
    book_fills(order=order, fills=[make_fill(order, fee=None, fee_asset=None)])
    book_fills(order=order, fills=[make_fill(order)])
    return order


def count_rows():
    with connection.cursor() as cursor:
        counts = []
        for table in FACTS:
            cursor.execute(f"SELECT COUNT(*) FROM {table}")  # noqa: S608
            counts.append(cursor.fetchone()[0])
    return counts


def triggers():
    catalogue = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal",
    }
    with connection.cursor() as cursor:
        cursor.execute(catalogue[connection.vendor])
        return sorted(cursor.fetchall())


@pytest.mark.parametrize("table", FACTS)
@pytest.mark.parametrize("statement", ["UPDATE {table} SET id = id + 1000", "DELETE FROM {table}"])
def test_facts_cannot_be_changed_or_deleted(booked, table, statement):
    before = count_rows()
    assert min(before) > 0

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        execute(statement.format(table=table))

    assert count_rows() == before


@pytest.mark.parametrize("table", FACTS)
def test_facts_cannot_be_truncated(booked, table):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at a commit: no check is pending any more
    before = count_rows()

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        execute(f"TRUNCATE {table} CASCADE")

    assert count_rows() == before


@pytest.mark.parametrize(("table", "taken"), UNIQUE)
def test_facts_cannot_be_replaced_by_an_insert(booked, table, taken):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has INSERT OR REPLACE")
    row = read_first(table)
    for name in {name for other, name in UNIQUE if other == table} - {taken}:
        row[name] = f"{row[name]}x" if isinstance(row[name], str) else row[name] + 5000
    before = count_rows()
    marks = ", ".join(["%s"] * len(row))
    sql = f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608

    with pytest.raises(IntegrityError, match="booked already"), transaction.atomic():
        execute(sql, list(row.values()))

    assert count_rows() == before


@pytest.mark.django_db(transaction=True)
def test_a_test_leaves_an_empty_database_and_every_guard(booked):
    guards = triggers()
    assert min(count_rows()) > 0

    empty_the_database()

    assert count_rows() == [0, 0, 0, 0]
    assert (BookTotal.objects.exists(), Venue.objects.exists()) == (False, False)
    assert triggers() == guards
    entry = make_entry()
    with pytest.raises(IntegrityError, match="immutable"):
        entry.delete()


@pytest.mark.parametrize(
    "amounts",
    [["1"], ["1", "-0.999999999999999999"], ["0.000000000000000001"], ["5", "-3", "-2.5"]],
)
@pytest.mark.django_db(transaction=True)
def test_an_entry_that_does_not_balance_cannot_be_committed(account, assets, amounts):
    with pytest.raises(IntegrityError):
        commit([("raw", assets["BTC"], amount) for amount in amounts], account)

    assert not Entry.objects.exists()
    assert not Posting.objects.exists()
    assert not BookTotal.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_assets_do_not_balance_each_other(account, assets):
    with pytest.raises(IntegrityError):
        commit([("raw", assets["BTC"], "1"), ("raw", assets["USDT"], "-1")], account)

    assert not Entry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_entries_do_not_balance_each_other(account, assets):
    with pytest.raises(IntegrityError):
        commit([("one", assets["BTC"], "1"), ("two", assets["BTC"], "-1")], account)

    assert not Entry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_line_cannot_be_added_to_a_balanced_entry(account, assets):
    with transaction.atomic():
        entry = make_entry()
        raw_posting(entry, assets["BTC"], "1", account=account)
        raw_posting(entry, assets["BTC"], "-1", account=account, book="capital")

    with pytest.raises(IntegrityError), transaction.atomic():
        raw_posting(entry, assets["BTC"], "0.1", account=account)

    assert [posting.amount for posting in Posting.objects.all()] == [D(1), D(-1)]


@pytest.mark.django_db(transaction=True)
def test_an_entry_may_be_out_of_balance_until_it_is_committed(account, assets):
    with transaction.atomic():
        entry = make_entry()
        raw_posting(entry, assets["BTC"], "0.1", account=account)
        raw_posting(entry, assets["BTC"], "0.2", account=account)
        with suppress(RuntimeError), transaction.atomic():
            raw_posting(entry, assets["BTC"], "7", account=account)
            raise RuntimeError  # a savepoint takes its imbalance back with it
        raw_posting(entry, assets["BTC"], "-0.3", account=account, book="capital")

    assert imbalances() == {}
    assert Posting.objects.count() == 3


def test_the_table_that_must_be_empty_takes_no_row(db):
    with pytest.raises(IntegrityError), transaction.atomic():
        execute("INSERT INTO ledger_never (id) VALUES (1)")


@pytest.mark.django_db(transaction=True)
def test_the_guards_can_be_taken_down_and_put_up_again(account, assets):
    """Later guards use the function of the first ones, so they go first, as when migrating."""
    guards = import_module("ledger.migrations.0002_guards")
    later = [
        import_module("strategies.migrations.0004_risk_limits"),
        import_module("ledger.migrations.0003_trading_halts"),
    ]
    for guard in later:
        guard.drop_guards(connection)
    with connection.schema_editor() as editor:
        guards._backwards(None, editor)
    with connection.schema_editor() as editor:
        guards._forwards(None, editor)
    for guard in reversed(later):
        guard.create_guards(connection)

    with pytest.raises(IntegrityError):
        commit([("raw", assets["BTC"], "1")], account)

    assert not Entry.objects.exists()


def test_running_totals_and_days_follow_the_postings(account, assets, strategy):
    for key, amount in (("one", "0.1"), ("two", "-0.30000000000000004")):
        entry = make_entry(key, strategy_id=strategy.pk)
        raw_posting(entry, assets["BTC"], amount, account=account)
        raw_posting(entry, assets["BTC"], -D(amount), account=account, book="trading")

    assert {
        (row.book, row.account_id, row.wallet): row.total for row in BookTotal.objects.all()
    } == {
        ("wallet", account.pk, "spot"): D("-0.20000000000000004"),
        ("trading", account.pk, ""): D("0.20000000000000004"),
    }
    day = TradingDay.objects.get()
    assert (day.strategy_id, day.day, day.moved) == (
        strategy.pk,
        date(2026, 1, 1),
        D("-0.20000000000000004"),
    )
    assert list_total_errors() == {}


amounts = st.decimals(D("-1e9"), D("1e9"), places=18).filter(bool)
books = st.sampled_from([book for book in Book if book is not Book.WALLET])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.tuples(books, amounts, st.booleans()), min_size=1, max_size=6))
def test_totals_equal_the_sum_of_the_postings_for_any_entries(account, assets, lines):
    drafts = [
        EntryDraft(
            key=f"entry:{Entry.objects.count()}:{index}",
            kind=EntryKind.EXTERNAL,
            lines=[
                Purse(account.pk, Wallet.SPOT).line("BTC", amount),
                Line(book, "BTC", -amount, account.pk if has_account else None),
            ],
            occurred_at=MOMENT,
        )
        for index, (book, amount, has_account) in enumerate(lines)
    ]

    write_entries(drafts=drafts)

    assert list_total_errors() == {}
    assert imbalances() == {}
