"""What the executions of a strategy have come to is kept, and equals what they are."""

from decimal import Decimal as D
from importlib import import_module

import pytest
from django.apps import apps

from markets.errors import VenueRejected
from strategies.domain.states import ExecutionState
from strategies.models import COUNTED, SUMMED, Attribution, Execution, Opportunity, ResultTotal
from strategies.selectors import count_executions, list_result_errors, sum_attributions
from strategies.services.results import add_to_results
from strategies.services.settlement import settle_execution
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db

MOST = D("9999999999999999999999.999999999999999999")
LEAST = D("0.000000000000000001")


def kept():
    return list(ResultTotal.objects.values(*COUNTED, *SUMMED))


@pytest.fixture
def executed(cross, edge, exact_results):
    run_tick(strategy_id=cross.pk)
    return Execution.objects.get()


def test_one_that_completed_is_counted_and_its_attribution_is_the_sum(executed):
    row = Attribution.objects.get()

    [sums] = sum_attributions(executed.strategy_id)

    assert sums["asset"] == "USDT"
    assert (sums["executions"], sums["measured"], sums["latency"]) == (1, 0, None)
    assert (sums["expected"], sums["total"], sums["cash"]) == (row.expected, row.total, row.cash)
    assert count_executions() == dict.fromkeys(ExecutionState, 0) | {"completed": 1}


def test_settling_again_changes_nothing(executed):
    before = kept()

    settle_execution(execution_id=executed.pk)

    assert kept() == before


def test_one_of_which_nothing_was_filled_is_counted_as_failed(cross, edge, exact_results):
    def refuse(_request):
        raise VenueRejected(venue="alpha", cause="no")

    for code in ("alpha", "beta"):
        edge[code].before_submit = refuse

    run_tick(strategy_id=cross.pk)

    assert count_executions(strategy_id=cross.pk) == dict.fromkeys(ExecutionState, 0) | {
        "failed": 1
    }


def test_another_strategy_has_results_of_its_own(executed):
    assert count_executions(strategy_id=4711)["completed"] == 0
    assert sum_attributions(4711) == []


def test_one_that_cannot_be_explained_is_counted_all_the_same(cross, edge, exact_results):
    run_tick(strategy_id=cross.pk)
    before = kept()
    Opportunity.objects.update(evidence={"version": 99})

    settle_execution(execution_id=Execution.objects.get().pk)

    assert kept() == before


def test_amounts_of_any_size_add_up_to_the_last_digit(executed):
    ResultTotal.objects.all().delete()
    for amount in (MOST - 1, LEAST, -MOST, D(1), MOST - 1, -LEAST):
        add_to_results(execution=executed, changes={"total": amount, "executions": 1})

    [row] = kept()
    assert (row["total"], row["executions"], row["cash"]) == (MOST - 1, 6, 0)
    ResultTotal.objects.all().delete()
    _begin_anew()


def test_an_audit_finds_what_is_wrong(executed):
    ResultTotal.objects.update(failed=2, dust="0.5")
    try:
        assert {key.rsplit(":")[-1]: gap for key, gap in list_result_errors().items()} == {
            "failed": 2,
            "dust": D("0.5") - Attribution.objects.get().dust,
        }
    finally:
        ResultTotal.objects.all().delete()
        _begin_anew()


def test_an_older_database_begins_with_the_executions_that_it_has(executed):
    before = kept()
    ResultTotal.objects.all().delete()

    _begin_anew()

    assert kept() == before


def _begin_anew():
    import_module("strategies.migrations.0013_results")._add_up(apps, None)
