"""What rows repeat of each other refers to what is there, and on PostgreSQL also agrees."""

import pytest
from django.db import IntegrityError, connection, transaction

from ledger.models import Order
from ledger.services.journal import write_orders
from strategies.models import Execution, Opportunity, Run, Strategy

pytestmark = pytest.mark.django_db
NOBODY = 10**9
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite keeps a key for each column"
)


@pytest.fixture
def order(make_plan):
    """An order of an execution."""
    return write_orders(plans=[make_plan()])[0]


@pytest.fixture
def other(make_execution):
    """An execution of another strategy."""
    return make_execution(Strategy.objects.create(name="other", type="cross"))


def change(row, **values):
    """Write columns of a row, and look at the constraints as a commit does."""
    with transaction.atomic():
        type(row).objects.filter(pk=row.pk).update(**values)
        connection.check_constraints()


def assert_refused(row, **values):
    with pytest.raises(IntegrityError):
        change(row, **values)


@pytest.mark.parametrize("column", ["strategy_id", "run_id", "profit_asset_id"])
def test_an_opportunity_refers_to_what_is_there(execution, column):
    assert_refused(execution.opportunity, **{column: NOBODY})


@pytest.mark.parametrize("column", ["strategy_id", "run_id", "opportunity_id", "profit_asset_id"])
def test_an_execution_refers_to_what_is_there(execution, column):
    assert_refused(execution, **{column: NOBODY})


@pytest.mark.parametrize("column", ["strategy_id", "execution_id", "account_id", "market_id"])
def test_an_order_refers_to_what_is_there(order, column):
    assert_refused(order, **{column: NOBODY})


@pytest.mark.parametrize("model", [Strategy, Run, Opportunity, Execution])
def test_nothing_goes_that_a_decision_refers_to(order, model):
    def remove():
        with transaction.atomic():
            model.objects.all()._raw_delete(using="default")
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        remove()


@on_postgresql
def test_an_opportunity_has_the_strategy_of_its_run(execution, other):
    assert_refused(execution.opportunity, run_id=other.run_id)


@on_postgresql
@pytest.mark.parametrize("column", ["strategy_id", "run_id", "profit_asset_id"])
def test_an_execution_says_what_its_opportunity_says(execution, other, assets, column):
    values = {
        "strategy_id": other.strategy_id,
        "run_id": other.run_id,
        "profit_asset_id": assets["BTC"].pk,
    }
    assert_refused(execution, **{column: values[column]})


@on_postgresql
@pytest.mark.parametrize("column", ["strategy_id", "execution_id"])
def test_an_order_has_the_strategy_of_its_execution(order, other, column):
    assert_refused(order, **{column: getattr(other, column.replace("execution_id", "pk"))})


@on_postgresql
@pytest.mark.parametrize("column", ["strategy_id", "execution_id"])
def test_an_order_has_both_strategy_and_execution_or_neither(order, column):
    assert_refused(order, **{column: None})
    change(order, strategy_id=None, execution_id=None)
    assert Order.objects.get().strategy is None


@on_postgresql
def test_what_rows_repeat_is_checked_by_one_key(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid::regclass::text IN "
            "('strategies_opportunity', 'strategies_execution', 'ledger_order')"
        )
        keys = sorted(
            (table, rule.split("(")[1].split(")")[0]) for table, rule in cursor.fetchall()
        )

    assert keys == [
        ("ledger_order", "account_id"),
        ("ledger_order", "market_id"),
        ("ledger_order", "strategy_id, execution_id"),
        ("strategies_execution", "acknowledged_by_id"),
        ("strategies_execution", "strategy_id, run_id, opportunity_id, profit_asset_id"),
        ("strategies_opportunity", "profit_asset_id"),
        ("strategies_opportunity", "strategy_id, run_id"),
    ]
