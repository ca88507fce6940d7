"""Several statements take effect together or not at all and, on PostgreSQL, in one round trip."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from arbplatform.persistence.prepared import PREPARED_MAX
from ledger.services.batches import (
    Statement,
    Unmet,
    batch_transaction,
    insertion,
    run_batch,
)
from markets.models import Asset

needs_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="needs PostgreSQL: round trips"
)


def add(code):
    columns = ("code", "name", "created_at", "updated_at")
    return insertion(Asset, columns, [(code, "%", "2026-01-01", "2026-01-01")])


def run(*statements):
    with batch_transaction():
        run_batch(statements)


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
    run(add("BTC"), Statement("1 = 1", requirement="sense"))

    with CaptureQueriesContext(connection) as queries:
        run(add("ETH"), Statement("1 = 1", requirement="sense"))

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
