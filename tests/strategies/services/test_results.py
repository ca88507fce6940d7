"""What the executions of a strategy have come to is kept, and equals what they are."""

from decimal import Decimal as D
from importlib import import_module
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from markets.errors import VenueRejected
from markets.models import Asset
from strategies.domain.states import ExecutionState
from strategies.models import COUNTED, SUMMED, Attribution, Execution, Opportunity, ResultTotal
from strategies.selectors import count_executions, list_result_errors, sum_attributions
from strategies.services.results import add_to_results, rebuild_results
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


def run(*arguments):
    out = StringIO()
    call_command("rebuild_results", *arguments, stdout=out)
    return out.getvalue()


def test_totals_that_are_wrong_are_named_and_put_right(executed):
    before = kept()
    ResultTotal.objects.update(failed=2, dust=before[0]["dust"] + D("0.5"))
    wrong = kept()
    where = f"{executed.strategy} (#{executed.strategy_id}), USDT"
    try:
        with pytest.raises(CommandError, match=r"^2 totals are wrong\."):
            run("--dry-run")
        assert kept() == wrong
        assert run(str(executed.strategy_id)).splitlines() == [
            f"{where}: failed was 2 more than it should be",
            f"{where}: dust was 0.5 more than it should be",
            "2 totals were wrong in 1 strategies.",
        ]
        assert kept() == before
        run("--dry-run")
    finally:
        ResultTotal.objects.all().delete()
        _begin_anew()


def test_totals_that_are_lost_are_made_again_and_those_of_nothing_are_zero(executed):
    before, other = kept(), Asset.objects.get(code="BTC")
    ResultTotal.objects.update(asset=other)

    errors = rebuild_results(strategy_id=executed.strategy_id)

    assert {key.split(":")[1] for key in errors} == {
        str(other.pk),
        str(executed.profit_asset_id),
    }
    assert list_result_errors() == {}
    assert list(ResultTotal.objects.exclude(executions=0).values(*COUNTED, *SUMMED)) == before


@pytest.mark.usefixtures("chinese_terminal")
def test_the_command_speaks_the_language_of_the_terminal(executed):
    ResultTotal.objects.update(failed=2)
    where = f"{executed.strategy} (#{executed.strategy_id}), USDT"
    with pytest.raises(CommandError, match=r"^有 1 个合计不正确。"):
        run("--dry-run")
    assert run().splitlines() == [
        f"{where}: 失败 比应有值多 2",
        "1 个策略中有 1 个合计不正确。",
    ]
    with pytest.raises(CommandError, match=r"^没有策略 4711。"):
        run("4711")


def test_a_strategy_that_is_not_there_is_refused(executed):
    with pytest.raises(CommandError, match="no strategy 4711"):
        run("4711")


def _begin_anew():
    import_module("strategies.migrations.0013_results")._add_up(apps, None)
