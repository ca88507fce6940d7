"""A transaction whose begin and end travel with its first and last text."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from arbplatform.persistence.folded import closed, folded_atomic, opened
from markets.models import Asset

pytestmark = pytest.mark.django_db(transaction=True)

needs_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="needs PostgreSQL: round trips"
)


class Crash(Exception):
    """Ends a block in the middle."""


def run(text):
    with connection.cursor() as cursor:
        cursor.execute(text)


def codes():
    return list(Asset.objects.order_by("code").values_list("code", flat=True))


def add(code):
    return (
        "INSERT INTO markets_asset (code, name, created_at, updated_at) "  # noqa: S608  a test
        f"VALUES ('{code}', '', '2026-01-01', '2026-01-01')"
    )


@folded_atomic()
def add_both(first, last, told):
    transaction.on_commit(lambda: told.append(codes()))
    run(opened(first))
    run(closed(last))


def is_free():
    """Return whether the connection is as it was: nothing begun, each statement for itself."""
    return connection.get_autocommit() and not connection.in_atomic_block


@pytest.fixture
def told():
    return []


def test_what_the_last_text_does_is_committed_and_then_told(told):
    with folded_atomic():
        transaction.on_commit(lambda: told.append(codes()))
        run(opened("SELECT 1"))
        run(add("BTC"))
        run(closed(add("ETH")))
        assert told == []

    assert told == [["BTC", "ETH"]]
    assert is_free()


def test_without_a_last_text_it_is_committed_at_the_end(told):
    with folded_atomic():
        transaction.on_commit(lambda: told.append(codes()))
        run(opened(add("BTC")))

    assert told == [["BTC"]]
    assert is_free()


def test_whoever_breaks_off_undoes_everything(told):
    @folded_atomic()
    def break_off():
        transaction.on_commit(lambda: told.append(codes()))
        run(opened(add("BTC")))
        raise Crash

    with pytest.raises(Crash):
        break_off()

    assert codes() == told == []
    assert is_free()


def test_a_last_text_that_is_refused_undoes_everything(told):
    with pytest.raises(IntegrityError):
        add_both(add("BTC"), add("BTC"), told)

    assert codes() == told == []
    assert is_free()


def test_within_another_transaction_nothing_is_committed(told):
    with transaction.atomic():
        add_both(add("BTC"), add("ETH"), told)
        assert codes() == ["BTC", "ETH"]
        transaction.set_rollback(True)

    assert codes() == told == []
    assert is_free()


def test_a_part_may_be_undone_alone():
    with folded_atomic():
        run(opened(add("BTC")))
        with pytest.raises(IntegrityError), transaction.atomic():
            run(closed(add("BTC")))
        run(closed(add("ETH")))

    assert codes() == ["BTC", "ETH"]


def test_a_block_that_may_not_be_committed_is_not():
    with folded_atomic():
        run(opened(add("BTC")))
        transaction.set_rollback(True)
        assert closed("SELECT 1") == "SELECT 1"

    assert codes() == []
    assert is_free()


@needs_postgres
def test_begin_and_commit_are_no_texts_of_their_own():
    with folded_atomic():
        assert opened("SELECT 1") == "BEGIN; SELECT 1"
        run(opened("SELECT 1"))
        assert opened("SELECT 1") == "SELECT 1"
        assert closed("SELECT 1") == "SELECT 1; COMMIT"
        run(closed(add("BTC")))
        # committed already: nothing is left that could be undone
        assert connection.connection.info.transaction_status == 0

    assert codes() == ["BTC"]


@needs_postgres
def test_what_is_checked_at_the_commit_undoes_everything(told):
    run("CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    try:
        with pytest.raises(IntegrityError):
            add_both(add("BTC"), "INSERT INTO late VALUES (1), (1)", told)
        assert codes() == told == []
        assert is_free()
    finally:
        run("DROP TABLE late")


@needs_postgres
def test_a_lost_connection_is_closed_and_the_next_one_is_whole(told):
    with pytest.raises(DatabaseError):
        add_both(add("BTC"), "SELECT pg_terminate_backend(pg_backend_pid())", told)

    assert codes() == []
    assert is_free()
