"""Several statements take effect together or not at all, also where they come in parts."""

from functools import partial

import pytest
from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.test.utils import CaptureQueriesContext

from arbplatform.persistence.prepared import PREPARED_MAX
from arbplatform.persistence.retries import retried
from ledger.services.batches import (
    FailedBeside,
    Statement,
    Unmet,
    insertion,
    run_batch,
    run_parts,
)
from markets.models import Asset

needs_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="needs PostgreSQL: round trips"
)


def add(code):
    columns = ("code", "name", "created_at", "updated_at")
    return insertion(Asset, columns, [(code, "%", "2026-01-01", "2026-01-01")])


def nothing():
    pass


def run(*statements):
    run_parts([lambda: statements, list], nothing)


@pytest.fixture
def codes(db):
    return lambda: list(Asset.objects.order_by("code").values_list("code", flat=True))


def test_all_statements_take_effect(codes):
    run(add("BTC"), Statement("1 = 1", requirement="sense"), add("ETH"))

    assert codes() == ["BTC", "ETH"]
    assert Asset.objects.get(code="BTC").name == "%"


def test_each_statement_gets_its_own_values(codes):
    for first in (1, 2):  # again with other values: the texts are the same
        run(
            Statement("%s = %s", [first, first], requirement="one"),
            Statement("%s <> 'it''s'", [f"it's {first}"], requirement="two"),
            add(f"BTC{first}"),
            Statement("%s < %s", [first, first + 1], requirement="three"),
            add(f"ETH{first}"),
            Statement("DELETE FROM markets_asset WHERE code = %s", [f"BTC{first}"]),
        )

    assert codes() == ["ETH1", "ETH2"]


def test_what_is_required_and_does_not_hold_undoes_everything(codes):
    required = Statement("NOT EXISTS (SELECT 1 FROM markets_asset WHERE code = %s)", ["BTC"], "new")

    with pytest.raises(Unmet) as unmet:
        run(add("BTC"), required, add("ETH"))

    assert unmet.value.name == "new"
    assert codes() == []


def test_a_row_that_the_database_refuses_undoes_everything(codes):
    run(add("BTC"))

    with pytest.raises(IntegrityError):
        run(add("ETH"), add("BTC"))

    assert codes() == ["BTC"]


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_committed_when_it_returns():
    run(add("BTC"))

    assert not connection.in_atomic_block
    connection.close()
    assert Asset.objects.get().code == "BTC"


@pytest.mark.django_db(transaction=True)
def test_a_batch_within_a_transaction_is_refused():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        run(add("BTC"))

    assert Asset.objects.count() == 0


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_batch_is_one_round_trip_once_its_texts_are_prepared():
    run_batch([add("BTC"), Statement("1 = 1", requirement="sense")])

    with CaptureQueriesContext(connection) as queries:
        run_batch([add("ETH"), Statement("1 = 1", requirement="sense")])

    assert len(queries) == 1
    assert Asset.objects.count() == 2


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_more_texts_than_a_connection_remembers_are_run_all_the_same():
    for number in range(PREPARED_MAX + 2):
        with pytest.raises(Unmet, match="sense"):
            run(Statement(f"%s = {number}", [-1], requirement="sense"), add("BTC"))
        run(Statement(f"%s = {number}", [number], requirement="sense"), add(f"C{number}"))

    assert Asset.objects.count() == PREPARED_MAX + 2


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_new_connection_prepares_anew():
    run(add("BTC"))
    connection.close()

    run(add("ETH"))

    assert Asset.objects.count() == 2


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_refused_batch_leaves_the_connection_as_it_was():
    for _ in range(2):
        with pytest.raises(Unmet):
            run(add("BTC"), Statement("1 = 2", requirement="sense"))

    run(add("BTC"))

    assert Asset.objects.get().code == "BTC"


def sensible(name="sense"):
    return Statement("1 = 1", requirement=name)


def drafting(statements):
    """Return what drafts statements."""
    return lambda: statements


def is_free():
    """Return whether the connection is as it was: nothing begun, each statement for itself."""
    if connection.vendor == "postgresql" and connection.connection.info.transaction_status:
        return False
    return connection.get_autocommit() and not connection.in_atomic_block


@pytest.mark.django_db(transaction=True)
def test_parts_take_effect_together_in_their_order(codes):
    for number in range(3):  # unprepared, and prepared
        drop = Statement("DELETE FROM markets_asset WHERE code = %s", [f"BTC{number}"])
        parts = [[sensible(), add(f"BTC{number}")], [add(f"ETH{number}"), drop]]
        first, second = map(drafting, parts)
        run_parts([first, second], nothing)
        assert is_free()

    assert codes() == ["ETH0", "ETH1", "ETH2"]


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_each_later_part_is_drafted_and_something_done_while_the_database_works(codes):
    seen = []
    connection.ensure_connection()
    driver = connection.connection

    def draft(code):
        # 1: a statement is being run
        seen.append((code, driver.info.transaction_status))
        return [add(code)]

    def run_three(number):
        seen.clear()
        parts = [partial(draft, f"{letter}{number}") for letter in "ABC"]
        run_parts(parts, partial(draft, "more"))

    run_three(1)
    with CaptureQueriesContext(connection) as queries:
        run_three(2)

    assert seen == [("A2", 0), ("B2", 1), ("C2", 1), ("more", 1)]
    assert len(queries) == 3
    assert queries[0]["sql"].startswith("BEGIN; ")
    assert queries[2]["sql"].endswith("; COMMIT")
    assert codes() == ["A1", "A2", "B1", "B2", "C1", "C2"]


@pytest.mark.django_db(transaction=True)
def test_what_is_done_meanwhile_is_done_once_and_only_if_the_last_part_is_run(codes):
    done: list[str] = []

    with pytest.raises(Unmet):
        run_parts(
            [lambda: [Statement("1 = 2", requirement="sense")], lambda: [add("BTC")]],
            partial(done.append, "unmet"),
        )
    run_parts([lambda: [sensible()], lambda: [add("ETH")]], partial(done.append, "met"))

    assert done == ["met"]
    assert codes() == ["ETH"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("error", "told"), [(KeyError("a bug"), FailedBeside), (SystemExit(7), SystemExit)]
)
def test_what_is_done_meanwhile_cannot_break_the_transaction(codes, error, told):
    connection.ensure_connection()
    driver = connection.connection

    def fail():
        raise error

    for number in range(2):  # unprepared, and prepared
        with pytest.raises(told) as raised:
            run_parts([drafting([add(f"A{number}")]), drafting([add(f"B{number}")])], fail)
        assert error in (raised.value, raised.value.__cause__)
        assert is_free()

    assert connection.connection is driver
    assert codes() == ["A0", "A1", "B0", "B1"]


class GivenUp(Exception):
    """What a driver says of a transaction that was given up for no fault of its own."""

    sqlstate = "40001"
    sqlite_errorname = "SQLITE_BUSY"


def given_up():
    error = OperationalError("somebody was in the way")
    error.__cause__ = GivenUp()
    return error


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [given_up(), Unmet("trading"), IntegrityError("refused")])
def test_nothing_that_is_done_meanwhile_has_what_is_committed_written_again(codes, error):
    written: list[str] = []

    @retried
    def write():
        written.append(f"A{len(written)}")
        run_parts([drafting([add(written[-1])]), drafting([sensible()])], fail)

    def fail():
        raise error

    with pytest.raises(FailedBeside) as told:
        write()

    assert told.value.__cause__ is error
    assert written == codes() == ["A0"]


@pytest.mark.django_db(transaction=True)
def test_where_the_transaction_fails_as_well_it_is_that_which_is_told(codes):
    def fail():
        raise KeyError("a bug")

    unmet = Statement("1 = 2", requirement="sense")
    with pytest.raises(Unmet):
        run_parts([drafting([add("A")]), drafting([unmet])], fail)

    assert is_free()
    assert codes() == []


@needs_postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "ask", [Asset.objects.count, transaction.atomic().__enter__, connection.close]
)
def test_the_database_is_refused_to_what_is_done_meanwhile(codes, ask):
    with pytest.raises(FailedBeside) as told:
        run_parts([drafting([add("A")]), drafting([add("B")])], ask)

    assert isinstance(told.value.__cause__, ProgrammingError)
    assert "asked while it works" in str(told.value.__cause__)
    assert is_free()
    assert codes() == ["A", "B"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", [0, 1])
def test_a_part_in_which_something_does_not_hold_undoes_all(codes, place):
    parts = [[add("A")], [add("B")]]
    parts[place] = [Statement("1 = 2", requirement="sense"), *parts[place]]
    first, second = map(drafting, parts)

    for _ in range(2):
        with pytest.raises(Unmet, match="sense"):
            run_parts([first, second], nothing)
        assert is_free()

    assert codes() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", [0, 1])
def test_a_part_that_cannot_be_drafted_undoes_all(codes, place):
    class NoDraft(Exception):
        pass

    def fail():
        raise NoDraft

    parts = [lambda: [add("A")], lambda: [add("B")]]
    parts[place] = fail
    first, second = parts

    for _ in range(2):
        with pytest.raises(NoDraft):
            run_parts([first, second], nothing)
        assert is_free()

    assert codes() == []


@needs_postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "ask", [Asset.objects.count, transaction.atomic().__enter__, connection.close]
)
def test_a_part_that_asks_the_database_while_it_works_undoes_all(codes, ask):
    def draft():
        ask()
        return [add("ETH")]

    for _ in range(2):
        with pytest.raises(ProgrammingError, match="asked while it works"):
            run_parts([drafting([add("BTC")]), draft], nothing)
        assert is_free()

    assert codes() == []


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_what_is_to_end_the_process_is_not_lost_where_a_statement_fails(codes):
    def end():
        raise SystemExit(7)

    with pytest.raises(SystemExit, match="7"):
        run_parts([drafting([Statement("1 = 2", requirement="sense")]), end], nothing)

    assert is_free()
    assert codes() == []


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_what_somebody_left_open_is_not_committed(codes):
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
    run_batch([add("XRP")])

    run_parts([drafting([add("BTC")]), drafting([add("ETH")])], nothing)

    assert codes() == ["BTC", "ETH"]


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_breaks_between_two_parts_leaves_nothing(codes):
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    def cut():
        other = connections.create_connection(DEFAULT_DB_ALIAS)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        other.close()
        return [add("ETH")]

    with pytest.raises((OperationalError, InterfaceError)):
        run_parts([lambda: [add("BTC")], cut], nothing)

    connection.close()
    assert codes() == []
